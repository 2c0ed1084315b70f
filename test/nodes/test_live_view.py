# SPDX-License-Identifier: Apache-2.0
"""The running graph as the page's source: moments come, and what is done is done by the graph."""

import time

import pytest

from sam3d_ros.core.errors import InputError, NotFoundError
from sam3d_ros.core.types import BoxPrompt, PointPrompt, TextPrompt
from sam3d_ros.messages import topics
from sam3d_ros.nodes.viewer.live import LiveGraph
from sam3d_ros.viewer.page import enlarged

NAMESPACE = '/viewed'


def test_prompts_are_in_pixels_of_the_whole_image():
    assert enlarged(PointPrompt(((3.0, 4.0),), (1,)), 2) == PointPrompt(((6.0, 8.0),), (1,))
    assert enlarged(BoxPrompt((1.0, 2.0, 3.0, 4.0)), 2) == BoxPrompt((2.0, 4.0, 6.0, 8.0))
    assert enlarged(TextPrompt('cup'), 2) == TextPrompt('cup')


@pytest.mark.dds
def test_moments_come_and_what_is_done_is_done(ros, frames, play, tmp_path):
    graph = ros.graph(NAMESPACE)
    camera, objects = graph.camera(), graph.listen(topics.OBJECTS)
    source = LiveGraph(NAMESPACE)
    try:
        deadline = time.monotonic() + 20.0
        while source.timeline.at(-1) is None or source.timeline.at(-1).view is None:
            assert time.monotonic() < deadline, source.status()
            play(camera, objects, frames(3))
        assert source.status() == 'live'
        moment = source.timeline.at(-1)
        shown = {item.id for item in moment.scene.objects}
        assert len(shown) == 2 and len(moment.view.points_m) > 100
        first = min(shown)
        source.edit(first, 'lid', True)
        with pytest.raises(InputError, match='locked'):
            source.remove(first)
        source.edit(first, 'lid', False)
        assert 'objects in' in source.save(tmp_path / 'saved')
        source.remove(first)
        while first in {item.id for item in source.timeline.at(-1).scene.objects}:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        with pytest.raises(NotFoundError):
            source.remove(first)
    finally:
        source.close()
        objects.close()
