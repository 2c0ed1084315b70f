# SPDX-License-Identifier: Apache-2.0
"""Options of the pointmap stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from sam3d_ros.core.config import group, option
from sam3d_ros.core.errors import ConfigurationError
from sam3d_ros.core.pretrained.inference import device_option
from sam3d_ros.core.sensors import MODELS


@dataclass(frozen=True)
class LidarConfig:
    """How a sparse cloud becomes a pointmap."""

    REMOVED: ClassVar[Mapping[str, str]] = {
        'noise_m': 'pointmaps.sensor names the model of the sensor, which says how far it is off.',
        'occlusion_margin': 'what is hidden now follows from the errors of the sensor.',
    }

    radius_px: int = option(
        64,
        'farthest that the plane fit reaches which closes gaps between LiDAR returns, px; less '
        'where returns are dense; 0 = returns alone',
        minimum=0,
        maximum=256,
    )


@dataclass(frozen=True)
class DepthAnythingConfig:
    """Depth Anything V2, where it is the source of range."""

    checkpoint: str = option(
        'depth-anything/Depth-Anything-V2-Small-hf',
        'folder or cached hub id of a relative or metric checkpoint',
        read_only=True,
    )
    device: str = device_option()


@dataclass(frozen=True)
class PromptDepthAnythingConfig(DepthAnythingConfig):
    """Prompt Depth Anything, where it is the source of range."""

    checkpoint: str = option(
        'depth-anything/prompt-depth-anything-vits-hf',
        'folder or cached hub id of a checkpoint',
        read_only=True,
    )


@dataclass(frozen=True)
class DepthProConfig(DepthAnythingConfig):
    """Depth Pro, where it is the source of range."""

    checkpoint: str = option(
        'apple/DepthPro-hf', 'folder or cached hub id of a checkpoint', read_only=True
    )


@dataclass(frozen=True)
class DepthAnything3Config:
    """Depth Anything 3 of an installation, where it is the source of range."""

    python: str = option('', 'interpreter that has the package depth-anything-3', read_only=True)
    checkpoint: str = option(
        'depth-anything/DA3-SMALL', 'folder or hub id of a checkpoint', read_only=True
    )
    device: str = option('cuda', 'where it runs, as torch calls it', read_only=True)
    views: int = option(
        4,
        'images that it looks at together, the newest and earlier ones from elsewhere',
        minimum=1,
        maximum=32,
        read_only=True,
    )
    process_res: int = option(
        504,
        'longer side of the images that it gets, px',
        minimum=112,
        maximum=2016,
        read_only=True,
    )
    timeout_s: float = option(
        120.0, 'longest time for one image, loading included, s', minimum=1.0, maximum=3600.0
    )


@dataclass(frozen=True)
class PointmapConfig:
    """How images, depth and clouds become frames."""

    min_depth_m: float = option(
        0.1, 'nearer returns are dropped, metres along the optical axis', minimum=0.0, maximum=10.0
    )
    max_depth_m: float = option(
        10.0,
        'farther returns are dropped, metres along the optical axis',
        minimum=0.1,
        maximum=500.0,
    )
    fixed_frame: str = option(
        '',
        'frame that objects are kept in; empty = the root of the TF tree above the camera, or '
        'the optical frame when there is no TF',
        read_only=True,
    )
    up: str = option(
        'auto',
        'where up is: auto = +z of the fixed frame unless that is the camera itself or its '
        'housing; fixed = always +z of the fixed frame; unknown = never from TF',
        choices=('auto', 'fixed', 'unknown'),
    )
    rectified: str = option(
        'auto',
        'whether input images are rectified; auto = yes when their topic says rect',
        choices=('auto', 'yes', 'no'),
        read_only=True,
    )
    camera_id: str = option(
        '',
        'name of the camera in its frames, where there are several; empty = the only one',
        read_only=True,
    )
    grippers: str = option(
        '',
        'TF frames of grippers (tool centre points), several separated by commas: they move what '
        'the service scene/hold says that they hold',
        read_only=True,
    )
    range: str = option(
        'auto',
        'entry point in the group sam3d_ros.range that says how far things are; auto = depth '
        '(depth images) or points (clouds), the better of those that come; fused = all of them',
        read_only=True,
    )
    support_height: str = option(
        '',
        'height in the fixed frame of what things stand on, metres: networks of depth are aligned '
        'to it where nothing better is known; empty = not known',
        read_only=True,
    )
    odometry: str = option(
        'auto',
        'where a depth camera is, when no TF follows it: auto = own RGB-D odometry, in the fixed '
        'frame odom, where nothing but its own mount is above a single camera in TF; on = always; '
        'off = it stands still',
        choices=('auto', 'on', 'off'),
        read_only=True,
    )
    sensor: str = option(
        'auto',
        'range camera whose errors are assumed at first: auto = structured_light for depth '
        'images, lidar for clouds; or one of the known ones; it then measures itself',
        choices=('auto', *MODELS),
        read_only=True,
    )
    measure_noise: bool = option(
        True,
        'measure spread and grain of the depth camera on the smooth surfaces that it sees',
        read_only=True,
    )
    noise_file: str = option(
        '',
        'file that keeps what the node measured of its camera until the next start; empty = one '
        'in session.folder, if that is set',
        read_only=True,
    )
    stamps: str = option(
        'auto',
        'which time counts: header = that in the headers; receive = that of receipt; auto = the '
        'header, but receipt where headers are zero, all the same or of clocks that never meet',
        choices=('auto', 'header', 'receive'),
        read_only=True,
    )
    stamp_offset: str = option(
        '',
        'what is added to header stamps, TOPIC=SECONDS, several separated by commas',
        read_only=True,
    )
    frame_override: str = option(
        '',
        'frame of the messages of a topic instead of their own, TOPIC=FRAME, several separated '
        'by commas',
        read_only=True,
    )
    tf_namespace: str = option(
        '',
        'where TF is when not on /tf, e.g. /robot1; empty = /tf, else the only one there is',
        read_only=True,
    )
    depth_unit_m: float = option(
        0.0,
        'metres of one count of depth images; 0 = by the encoding: 0.001 for 16UC1, 1 for 32FC1',
        minimum=0.0,
        maximum=1000.0,
        read_only=True,
    )
    color_order: str = option(
        'bgr',
        'order of the channels of colour images whose encoding names bytes alone (8UC3)',
        choices=('bgr', 'rgb'),
        read_only=True,
    )
    lidar: LidarConfig = group(LidarConfig)
    depth_anything: DepthAnythingConfig = group(DepthAnythingConfig)
    prompt_depth_anything: PromptDepthAnythingConfig = group(PromptDepthAnythingConfig)
    depth_pro: DepthProConfig = group(DepthProConfig)
    depth_anything_3: DepthAnything3Config = group(DepthAnything3Config)

    @property
    def stamp_offsets_s(self) -> dict[str, float]:
        """What is added to the header stamps of topics, seconds.

        :raises ConfigurationError: when ``stamp_offset`` is not TOPIC=SECONDS.
        """
        try:
            return {
                topic: float(value)
                for topic, value in _assignments('stamp_offset', self.stamp_offset).items()
            }
        except ValueError as error:
            raise ConfigurationError(
                f'pointmaps.stamp_offset = "{self.stamp_offset}"', wanted='TOPIC=SECONDS'
            ) from error

    @property
    def frame_overrides(self) -> dict[str, str]:
        """The frames that the user gave to topics.

        :raises ConfigurationError: when ``frame_override`` is not TOPIC=FRAME.
        """
        given = _assignments('frame_override', self.frame_override)
        return {topic: frame.lstrip('/') for topic, frame in given.items()}


def _assignments(name: str, text: str) -> dict[str, str]:
    """Return what "A=B,C=D" gives to A and C."""
    found = {}
    for item in filter(None, text.split(',')):
        topic, _, value = (part.strip() for part in item.partition('='))
        if not topic or not value:
            raise ConfigurationError(f'pointmaps.{name} = "{text}"', wanted='TOPIC=VALUE')
        found[f'/{topic.lstrip("/")}'] = value
    return found
