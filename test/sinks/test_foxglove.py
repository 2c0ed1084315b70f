# SPDX-License-Identifier: Apache-2.0
"""The shipped layout of Foxglove names topics that a result recording has."""

import json

from sam3d_ros.messages.results.markers import LAYERS
from sam3d_ros.messages.topics import CAMERA_INFO, POINTS
from sam3d_ros.sinks.messages import TOPICS


def test_the_layout_shows_topics_and_layers_that_there_are(root):
    layout = json.loads((root / 'config' / 'foxglove.json').read_text())
    written = {topic.resolve() for topic in (*TOPICS, POINTS, CAMERA_INFO)}
    panels = layout['configById']
    for name, panel in panels.items():
        shown = panel.get('topics') or {panel['topicPath'].partition('.')[0]: {}}
        assert set(shown) <= written, name
        for topic in shown.values():
            assert set(topic.get('namespaces', ())) <= set(LAYERS)
    places = json.dumps(layout['layout'])
    assert all(f'"{name}"' in places for name in panels)
