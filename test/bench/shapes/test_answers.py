# SPDX-License-Identifier: Apache-2.0
"""Depth is taken away in one piece, from objects alone; hulls are told from what they hold."""

from dataclasses import replace

import numpy as np
import pytest

from sam3d_ros.bench.metrics.scoring import PosedMesh, Reference
from sam3d_ros.bench.shapes.answers import LEAST_RETURNS, _object_scores, blinded
from sam3d_ros.core.types import (
    Answers,
    Camera,
    Frame,
    Instance,
    Instances,
    Mesh,
    ObjectState,
    Provenance,
    SceneObject,
    Surface,
)
from sam3d_ros.geometry.cameras import pointmap_from_depth

SIZE = 48
CAMERA = Camera(SIZE, SIZE, np.array([[60.0, 0, 24], [0, 60.0, 24], [0, 0, 1]]))


class OneMask:
    def segment(self, frame, prompts=()):
        mask = np.zeros((SIZE, SIZE), bool)
        mask[8:40, 10:40] = True
        return Instances(frame.stamp_ns, (Instance(mask, 1.0, (10, 8, 40, 40), 'truth'),))


@pytest.mark.parametrize(
    ('kept', 'left'), [(1.0, 960), (0.3, 288), (0.01, LEAST_RETURNS), (0.0, 0)]
)
def test_one_blob_of_an_object_is_left(kept, left):
    depth = np.full((SIZE, SIZE), 0.8, np.float32)
    frame = Frame(0, 'camera', CAMERA, np.zeros((SIZE, SIZE, 3), np.uint8),
                  pointmap_from_depth(depth, CAMERA), 'world', np.eye(4))  # fmt: skip
    mask = OneMask().segment(frame).items[0].mask
    seen = np.isfinite(blinded(frame, OneMask(), kept, 3).depth_m)
    assert seen[~mask].all()
    assert seen[mask].sum() == left
    rows, columns = np.nonzero(seen & mask)
    away = np.hypot(rows[:, None] - rows, columns[:, None] - columns)
    assert away.max(initial=0.0) <= 3.2 * np.sqrt(left)


def test_a_hull_around_the_truth_and_one_within_it_hold_all_of_it():
    o3d = pytest.importorskip('open3d')
    box = o3d.geometry.TriangleMesh.create_box(0.1, 0.12, 0.08).subdivide_midpoint(2)
    vertices = np.asarray(box.vertices) - [0.05, 0.06, 0.04]
    faces = np.asarray(box.triangles, np.int32)

    def scaled(factor):
        return Surface((factor * vertices).astype(np.float32), faces)

    answers = Answers((scaled(1.02),), scaled(0.9), scaled(1.1))
    mesh = Mesh(
        scaled(1.3).vertices_m, faces, np.zeros((len(vertices), 3), np.uint8),
        np.ones(len(faces), np.uint8), np.full(len(faces), 0.5, np.float32), answers=answers,
    )  # fmt: skip
    item = SceneObject(
        1, ObjectState.VISIBLE, '', 1.0, np.eye(4), np.eye(6), 1.3 * np.ptp(vertices, axis=0),
        np.zeros(3), 0.4, mesh, 0.5, Provenance('volume'), 0, 0, 1, 0,
    )  # fmt: skip
    points = Reference(PosedMesh(vertices, faces)).points
    truth = Reference(PosedMesh(vertices, faces), points[:, 0] > 0)
    posed = PosedMesh(mesh.vertices_m.astype(float), faces)
    figures = dict(_object_scores(item, posed, truth))
    assert figures['coverage'] == figures['hidden_coverage'] == 1.0
    assert figures['hidden_best'] > 0.99 > 0.5 > figures['hidden_one']
    assert figures['size_within_1_sigma'] == 1.0
    assert 0.3 < figures['confidence_error'] <= 0.5
    smaller = replace(mesh, answers=replace(answers, outer=scaled(0.95)))
    outside = dict(_object_scores(replace(item, mesh=smaller), posed, truth))
    assert outside['coverage'] == 0.0
