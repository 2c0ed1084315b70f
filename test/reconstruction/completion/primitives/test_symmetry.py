# SPDX-License-Identifier: Apache-2.0
"""Mirror planes: through the middle of symmetric things, never into proven empty space."""

import numpy as np

from sam3d_ros.reconstruction.completion.primitives.symmetry import find_mirror
from sam3d_ros.reconstruction.config import EvidenceConfig
from sam3d_ros.reconstruction.evidence.evidence import build_evidence
from sam3d_ros.reconstruction.views import crop_view


def test_mirror_images_of_a_box_stay_out_of_empty_space(scenes):
    box = scenes.Box((0.0, 0.0, 0.05), (0.08, 0.12, 0.10))
    frame, instances = scenes.see([box])
    evidence = build_evidence([crop_view(frame, instances, 0)], EvidenceConfig())
    mirror = find_mirror(evidence)
    assert mirror is not None
    assert mirror.contradicted < 0.05
    np.testing.assert_allclose(np.linalg.norm(mirror.normal), 1.0)
    points = evidence.points.points_m.astype(np.float64)
    np.testing.assert_allclose(mirror.reflect(mirror.reflect(points)), points, atol=1e-9)


def test_too_few_points_have_no_mirror(scenes):
    box = scenes.Box((0.0, 0.0, 0.05), (0.08, 0.12, 0.10))
    frame, instances = scenes.see([box])
    mask = instances.items[0].mask
    rows, columns = np.nonzero(mask)
    frame.pointmap[rows[9:], columns[9:]] = np.nan
    evidence = build_evidence([crop_view(frame, instances, 0)], EvidenceConfig())
    assert find_mirror(evidence) is None
