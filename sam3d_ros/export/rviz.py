# SPDX-License-Identifier: Apache-2.0
"""The configuration of RViz that shows a graph: its topics with their types and qualities."""

from __future__ import annotations

from typing import Any

import yaml

from sam3d_ros.messages.results.markers import LAYERS
from sam3d_ros.messages.results.people import LAYERS as PEOPLE_LAYERS
from sam3d_ros.messages.topics import (
    MARKERS,
    NAMESPACE,
    OVERLAY,
    PEOPLE_MARKERS,
    POINTS,
    Offer,
    Topic,
)

SHOWN_AT_FIRST = ('mesh', 'bbox', 'label')
"""Layers of objects whose boxes are ticked."""


def rviz_file(
    namespace: str = NAMESPACE, fixed_frame: str = 'world', prefix: str = 'object_'
) -> str:
    """Return a file for ``rviz2 -d``.

    :param namespace: of the graph, absolute.
    :param fixed_frame: that everything is shown in.
    :param prefix: ``outputs.frame_prefix``: which frames of TF are shown, beside those of people.
    """
    plugins = 'rviz_default_plugins'

    def topic(shown: Topic) -> dict[str, Any]:
        return {'Value': shown.resolve(namespace)} | _policies(shown.quality.value)

    displays: list[dict[str, Any]] = [
        {
            'Class': f'{plugins}/Grid',
            'Name': 'Grid',
            'Cell Size': 0.1,
            'Plane Cell Count': 20,
            'Color': '160; 160; 164',
        },
        {
            'Class': f'{plugins}/TF',
            'Name': 'TF',
            'Frame Timeout': 5,
            'Marker Scale': 0.15,
            'Show Arrows': False,
            'Show Names': True,
            'Filter (whitelist)': f'{prefix}.*|person_.*',
        },
        {
            'Class': f'{plugins}/PointCloud2',
            'Name': 'Pointmap',
            'Topic': topic(POINTS),
            'Color Transformer': 'RGB8',
            'Position Transformer': 'XYZ',
            'Style': 'Points',
            'Size (Pixels)': 2,
            'Alpha': 0.6,
        },
        {
            'Class': f'{plugins}/MarkerArray',
            'Name': 'Objects',
            'Topic': topic(MARKERS),
            'Namespaces': {layer: layer in SHOWN_AT_FIRST for layer in LAYERS},
        },
        {
            'Class': f'{plugins}/MarkerArray',
            'Name': 'People',
            'Topic': topic(PEOPLE_MARKERS),
            'Namespaces': {f'people/{layer}': True for layer in PEOPLE_LAYERS},
        },
        {'Class': f'{plugins}/Image', 'Name': 'Masks', 'Topic': topic(OVERLAY)},
    ]
    tree = {
        'Panels': [
            {
                'Class': 'rviz_common/Displays',
                'Name': 'Displays',
                'Property Tree Widget': {
                    'Expanded': ['/Objects1', '/Objects1/Namespaces1'],
                    'Splitter Ratio': 0.5,
                },
                'Tree Height': 420,
            },
            {'Class': 'rviz_common/Tool Properties', 'Name': 'Tool Properties'},
            {'Class': 'rviz_common/Views', 'Name': 'Views'},
        ],
        'Visualization Manager': {
            'Class': '',
            'Displays': [display | {'Enabled': True} for display in displays],
            'Global Options': {
                'Background Color': '48; 48; 48',
                'Fixed Frame': fixed_frame,
                'Frame Rate': 30,
            },
            'Tools': [
                {'Class': f'{plugins}/Interact'},
                {'Class': f'{plugins}/MoveCamera'},
                {'Class': f'{plugins}/Select'},
                {
                    'Class': f'{plugins}/PublishPoint',
                    'Single click': True,
                    'Topic': {'Value': '/clicked_point'} | _policies(Offer(True, False, 5)),
                },
            ],
            'Views': {
                'Current': {
                    'Class': f'{plugins}/Orbit',
                    'Name': 'Current View',
                    'Distance': 1.6,
                    'Focal Point': {'X': 0.0, 'Y': 0.0, 'Z': 0.7},
                    'Pitch': 0.6,
                    'Yaw': 0.8,
                    'Target Frame': '<Fixed Frame>',
                }
            },
            'Transformation': {'Current': {'Class': f'{plugins}/TF'}},
        },
        'Window Geometry': {'Height': 900, 'Width': 1400},
    }
    head = '# Printed by `sam3d config --rviz`, which also takes --namespace and --fixed-frame.\n'
    return head + yaml.safe_dump(tree, sort_keys=False)


def _policies(offer: Offer) -> dict[str, Any]:
    return {
        'Reliability Policy': 'Reliable' if offer.is_reliable else 'Best Effort',
        'Durability Policy': 'Transient Local' if offer.is_latched else 'Volatile',
        'History Policy': 'Keep Last',
        'Depth': offer.depth,
    }
