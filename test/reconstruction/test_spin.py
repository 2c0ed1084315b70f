# SPDX-License-Identifier: Apache-2.0
"""What turns about an axis of revolution is not seen, and so is not followed."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from sam3d_ros.core.solids import Symmetry
from sam3d_ros.geometry.transforms import transform
from sam3d_ros.reconstruction.memory import TrackMemory


@given(st.integers(0, 10_000))
@settings(max_examples=30)
def test_only_the_turn_about_the_axis_is_taken_away(seed):
    rng = np.random.default_rng(seed)
    axis = rng.normal(size=3)
    symmetry = Symmetry('revolution', 0, axis / np.linalg.norm(axis), rng.normal(size=3))
    T = transform(Rotation.random(random_state=seed).as_matrix(), rng.normal(size=3))
    memory = TrackMemory(T_fixed_anchor=T)
    turn = 0.1 * T[:3, :3] @ symmetry.axis
    # About the axis: points on it, as the origin is not, stay where they are.
    spin = np.concatenate([np.cross(turn, -T[:3, :3] @ symmetry.origin_m), turn])
    np.testing.assert_allclose(memory._without_spin(spin, symmetry), 0, atol=1e-9)
    across = np.cross(turn, rng.normal(size=3))
    other = np.concatenate([rng.normal(size=3), across])
    np.testing.assert_allclose(memory._without_spin(other + spin, symmetry), other, atol=1e-9)
    for kind in ('rotation', 'mirror', 'none'):
        same = memory._without_spin(spin, replace(symmetry, kind=kind, fold=2))
        np.testing.assert_array_equal(same, spin)
    np.testing.assert_array_equal(memory._without_spin(spin, None), spin)
