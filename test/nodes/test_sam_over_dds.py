# SPDX-License-Identifier: Apache-2.0
"""SAM, SAM 2 and SAM 3 in a running graph: masks of everything, and clicks answered by ticket."""

import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from geometry_msgs.msg import Point
from sam3d_msgs.msg import Prompt
from sam3d_msgs.srv import AddPrompt
from sensor_msgs.msg import RegionOfInterest

pytest.importorskip('torch', reason='the SAM backends need torch (extra: sam)')
pytest.importorskip('transformers', reason='the SAM backends need it (extra: sam)')
sys.path.insert(0, str(Path(__file__).parents[1] / 'segmentation' / 'sam'))

import tiny_models

from sam3d_ros.messages.topics import INSTANCES

pytestmark = pytest.mark.dds

ALL = {
    'segmentation.device': 'cpu',
    'segmentation.sam.min_score': 0.0,
    'segmentation.sam.automatic.points_per_side': 4,
    'segmentation.sam.automatic.min_predicted_iou': 0.0,
    'segmentation.sam.automatic.min_stability': 0.0,
    'reconstruction.backend': 'geometric',
    'people.use': 'none',
    'language.names': 'false',
}


@pytest.fixture(scope='module', params=['sam', 'sam2', 'sam3'])
def graph(request, ros, tmp_path_factory):
    """Return a graph whose segmenter has a tiny random checkpoint."""
    folder, backend = tmp_path_factory.mktemp(request.param), request.param
    if backend == 'sam3':
        tiny_models.save_tiny_sam3(folder)
    else:
        getattr(tiny_models, f'tiny_{backend}')().save_pretrained(folder)
    own = {'segmentation.backend': backend, 'segmentation.sam.checkpoint': str(folder)}
    graph = ros.graph(f'/{backend}', ALL | own)
    yield graph
    graph.close()


def test_every_frame_has_masks_and_a_late_answer_is_kept_for_its_ticket(
    graph, frames, monkeypatch
):
    monkeypatch.setattr('sam3d_ros.nodes.objects.tickets.PATIENCE_S', 0.0)
    camera, masks = graph.camera(), graph.listen(INSTANCES)
    for frame in frames(2):
        camera.show(frame)
        masks.wait(lambda m, at=frame.stamp_ns: m.header.stamp.nanosec == at % 10**9)
    ask = partial(graph.call, AddPrompt, 'segmentation/add_prompt')

    def in_time(**fields):
        """Return the answer that a ticket is changed for."""
        ticket = ask(**fields)
        assert ticket.success and ticket.number, ticket.message
        told = [ticket]
        graph.ros.until(lambda: told.append(ask(corrects=ticket.number)) or told[-1].masks)
        return told[-1]

    def click(label):
        return Prompt(type=Prompt.POINTS, points=[Point(x=80.0, y=60.0)], labels=[label])

    first = in_time(prompt=click(1))
    assert 1 <= len(first.masks) == len(first.levels) <= 3
    height, width = frame.depth_m.shape
    shown = [np.array(mask.data).reshape(height, width) for mask in first.masks]
    assert all(mask.any() for mask in shown)
    if graph.namespace == '/sam3':
        box = RegionOfInterest(x_offset=60, y_offset=40, width=40, height=40)
        for prompt in (
            Prompt(type=Prompt.TEXT, text='red cup'),
            Prompt(type=Prompt.EXEMPLAR, text='cup', box=box),
        ):
            answer = in_time(prompt=prompt)
            assert 0 <= answer.presence <= 1 and len(answer.masks) >= 2, 'masks, and the region'
    camera.close()
    masks.close()
