# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.segmentation.mini.fusion import fused_features, fused_network, patch_means
from sam3d_ros.segmentation.mini.network import Encoded
from sam3d_ros.segmentation.partition.affinity import trained_network
from sam3d_ros.segmentation.partition.partition import cut_by_geometry, pair_patches


def encoded(dense):
    return Encoded(np.zeros((1, 1, 1, 1)), np.zeros((1, 1, 1, 1)), dense)


def test_means_are_of_the_cells_of_each_patch():
    patches = np.zeros((4, 6), np.int32)
    patches[:2, :4], patches[2:, :2] = 1, 2
    dense = np.zeros((7, 2, 4), np.float32)  # one column wider than the patches: padding
    dense[0] = [[1, 3, 9, 9], [5, 9, 9, 9]]
    dense[1:4, 0], dense[4, 1] = 0.5, -2.0
    center = np.zeros((3, 3))
    center[2] = 1
    means = patch_means(encoded(dense), patches, center)
    np.testing.assert_allclose(means.embedding[1:, 0], [2, 5])
    np.testing.assert_allclose(means.spread[1:], [1, 0], atol=1e-6)
    np.testing.assert_allclose(means.middle[1], 0.05)
    np.testing.assert_allclose(means.middle[2], 1)
    np.testing.assert_allclose(means.thing[1:], [0, -2])


@pytest.fixture(scope='module')
def found(make_scene, box):
    scene = make_scene(
        [box((-0.06, 0, 0.06), (0.12, 0.1, 0.12)), box((0.08, 0, 0.03), (0.1, 0.1, 0.06))]
    )
    config = SegmentationConfig()
    cut = cut_by_geometry(scene.frame, config)
    return pair_patches(cut, scene.frame)


def test_the_first_added_feature_falls_with_the_distance_of_embeddings(found):
    rows, columns = found.patches.shape
    rng = np.random.default_rng(0)
    dense = rng.normal(size=(10, rows // 2, columns // 2)).astype(np.float32)
    kept = found.pairs.features.shape[1]
    near, far = (
        fused_features(found, encoded(dense * scale)) for scale in (np.float32(0), np.float32(9))
    )
    np.testing.assert_array_equal(near[:, :kept], found.pairs.features)
    assert (near[:, kept] == 1.5).all()
    assert (far[:, kept] < 1.5).all()
    assert np.abs(far).max() <= 4


def test_the_shipped_pair_network_takes_what_is_computed(found):
    rows, columns = found.patches.shape
    dense = np.zeros((18, rows // 2, columns // 2), np.float32)
    features = fused_features(found, encoded(dense))
    assert fused_network().weights[0].shape[0] == features.shape[1]
    assert trained_network().weights[0].shape[0] == found.pairs.features.shape[1]
    assert np.isfinite(fused_network().log_odds(features)).all()


def test_a_border_that_the_network_sees_between_two_patches_is_a_feature(found):
    rows, columns = found.patches.shape
    dense = np.zeros((18, rows // 2, columns // 2), np.float32)
    dense[-2:] = 5.0
    joined = fused_features(found, encoded(dense))
    dense[-2:] = -5.0
    apart = fused_features(found, encoded(dense))
    meets = found.pairs.bordering
    assert meets.any() and (joined[meets, -4] == 2.5).all() and (apart[meets, -4] == -2.5).all()
    assert (joined[~meets, -4] == 0).all()
    assert (joined[:, -2:] == 0).all()  # every patch has its returns
