# SPDX-License-Identifier: Apache-2.0
"""What the names of image topics say: by whole words, as image_pipeline and drivers use them."""

from __future__ import annotations

import re

TRANSPORTS = (
    'compressed',
    'compressedDepth',
    'theora',
    'ffmpeg',
    'foxglove',
    'zstd',
    'rvl',
    'avif',
)
"""Last levels that image_transport appends to the topic of an image."""

_OTHER_SENSORS = frozenset(
    (
        *('ir', 'infra', 'infrared', 'nir', 'lwir', 'swir', 'thermal', 'temperature'),
        *('confidence', 'amplitude', 'intensity', 'reflectivity', 'signal', 'noise', 'score'),
        *('disparity', 'mask', 'masks', 'label', 'labels', 'segmentation', 'semantic'),
        *('instance', 'instances', 'overlay', 'debug', 'annotated', 'detections', 'normals'),
    )
)
_DEPTH = frozenset(('depth', 'range'))
_ALIGNED = frozenset(('aligned', 'registered'))
_RECTIFIED = frozenset(('rect', 'rectified'))


def image_topic(topic: str) -> str:
    """Return the topic of an image without the suffix of its transport."""
    head, _, tail = topic.rpartition('/')
    return head if tail in TRANSPORTS else topic


def is_rectified(topic: str, rectified: str = 'auto') -> bool:
    """Return whether images of a topic are rectified.

    By the names of image_pipeline: ``image_rect``, ``image_rect_color``, ``image_rect_raw``; or a
    level of its own, ``rect/image``, unless the image is called raw below it. Transports below
    them (``image_rect/compressed``) change nothing.

    :param topic: of the images.
    :param rectified: ``PointmapConfig.rectified``: ``yes``, ``no``, or ``auto`` = by the topic.
    """
    if rectified != 'auto':
        return rectified == 'yes'
    *_, above, name = ['', '', *image_topic(topic).split('/')]
    if _words(name) & _RECTIFIED:
        return True
    return bool(_words(above) & _RECTIFIED) and 'raw' not in _words(name)


def is_aligned(topic: str) -> bool:
    """Return whether a depth topic says that it is registered to colour."""
    return bool(_words(topic) & _ALIGNED)


def other_sensor(topic: str) -> str:
    """Return the word of a topic that says it is no picture and no depth, or nothing.

    The last level that says anything counts: depth/confidence is confidence, ir/depth is depth,
    and so is aligned_depth_to_infra1.
    """
    found = ''
    for level in topic.split('/'):
        words = _words(level)
        if words & _DEPTH:
            found = ''
        elif words & _OTHER_SENSORS:
            found = min(words & _OTHER_SENSORS)
    return found


def _words(name: str) -> set[str]:
    """Return the words of a name, numbers left out: /left/infra1 has left and infra."""
    return {word for word in re.split(r'[^a-z]+', name.lower()) if word}


def is_of_camera(topic: str, camera: str) -> bool:
    """Return whether a topic is that of a camera, by a level of its name.

    :param topic: e.g. ``/robot/left/color/image_raw``.
    :param camera: e.g. ``left``; empty = the only one, whose topics are all.
    """
    return not camera or camera in topic.split('/')[:-1]
