# SPDX-License-Identifier: Apache-2.0
"""Of glass there is no return, and a body all the same, which says that it is inferred."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip('mujoco', reason='the world needs the extra: bench')

from sam3d_ros.bench.metrics import metrics_layout as layout
from sam3d_ros.bench.metrics.scoring import matched
from sam3d_ros.bench.reconstruction import posed
from sam3d_ros.bench.shapes.holes import of_material
from sam3d_ros.bench.worlds import TruthSegmenter, case_of, episode_of
from sam3d_ros.core.types import FaceLabel
from sam3d_ros.scene.memory import INFERRED
from sam3d_ros.session.config import Config
from sam3d_ros.session.session import Session
from sam3d_ros.world.sources import ProceduralSource


@pytest.fixture(scope='module')
def case():
    source = ProceduralSource(('tumbler', 'wine_glass'))
    episode = episode_of('pair', 3, source, 'structured_light', frames=2)
    glass = tuple(of_material(solid, 'clear') for solid in episode.objects)
    return case_of(replace(episode, objects=glass))


def test_glasses_stand_where_they_are_and_say_that_this_is_inferred(case):
    session = Session.from_config(Config())
    session.segmenter = TruthSegmenter(case)
    for frame in case.frames:
        returned = [
            np.isfinite(frame.depth_m[item.mask]).mean()
            for item in session.segmenter.segment(frame).items
        ]
        result = session.step(frame)
    assert max(returned) < 0.5
    scene = session.known()
    found = posed(scene)
    pairs = matched(found, case.truth)
    assert len(found) == len(pairs) == len(case.truth)
    for row, column in pairs:
        item, truth = scene.objects[row], case.truth[column].mesh
        assert layout.box_iou(found[row].vertices_m, truth.vertices_m) > 0.4
        assert not (item.mesh.face_labels == FaceLabel.OBSERVED).any()
        assert INFERRED in item.state_reason
        off = found[row].bounds().mean(axis=0) - truth.bounds().mean(axis=0)
        assert off @ np.linalg.solve(item.covariance[:3, :3], off) < 3.0**2
        assert item.scale_sigma > 0.2
    measured = result.frame.measured
    assert np.isfinite(result.frame.depth_m[~measured]).all()
    masks = [item.mask for item in session.segmenter.segment(frame).items]
    beside = ~np.any(masks, axis=0)
    assert measured[beside].all()
    np.testing.assert_array_equal(result.frame.pointmap[beside], frame.pointmap[beside])
