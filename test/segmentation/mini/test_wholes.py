# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest

from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.segmentation.mini.network import Network
from sam3d_ros.segmentation.mini.sight import look
from sam3d_ros.segmentation.mini.things import part_features
from sam3d_ros.segmentation.mini.wholes import Wholes, whole_network
from sam3d_ros.segmentation.partition.merge import Grouping
from sam3d_ros.segmentation.partition.partition import find_surfaces, pair_patches


@pytest.fixture(scope='module')
def seen(make_scene, box):
    scene = make_scene(
        [
            box((-0.06, 0, 0.06), (0.12, 0.1, 0.12), color=(200, 60, 60)),
            box((0.08, 0.02, 0.03), (0.1, 0.1, 0.06), color=(60, 60, 200)),
        ]
    )
    config = SegmentationConfig()
    sight = look(Network.registered(), scene.frame, find_surfaces(scene.frame, config), config)
    return scene, sight, pair_patches(sight.things_only(), scene.frame)


def grouping(found, scene):
    """Patches grouped as the truth has it: nothing, then the two boxes."""
    truth = scene.truth[:: found.grid.step, :: found.grid.step]
    count = int(found.patches.max()) + 1
    votes = np.zeros((count, 3))
    np.add.at(votes, (found.patches.ravel(), truth.ravel()), 1)
    thing_of = np.where(np.arange(count) > 0, votes.argmax(axis=1), 0).astype(np.int32)
    return Grouping(thing_of, np.ones(3))


def features_of(seen):
    scene, sight, found = seen
    things = grouping(found, scene)
    odds = np.zeros(len(found.pairs.front), np.float32)
    return things, Wholes(sight, found, odds).features(things)


def test_sums_of_patches_say_the_same_as_the_cells_of_things(seen):
    _, sight, found = seen
    things, features = features_of(seen)
    labels = things.thing_of[found.patches]
    direct = part_features(sight.cut, labels, sight.seen, sight.cues, sight.sensor)
    np.testing.assert_allclose(features[1:, : direct.shape[1]], direct[1:], atol=1e-5)


def test_the_larger_box_is_larger_and_both_are_compact(seen):
    _, features = features_of(seen)
    own = features[:, 14:]
    longest, hull_share = own[:, 8], own[:, 15]
    assert longest[1] > longest[2]
    assert (hull_share[1:3] > 0.6).all()


def test_what_stands_on_the_table_has_a_support_right_below(seen):
    _, features = features_of(seen)
    is_over, gap = features[1:3, -2:].T
    assert (is_over == 1).all()
    assert (gap < 0.3).all()


def test_without_a_support_nothing_stands_on_one(seen):
    scene, sight, found = seen
    afloat = replace(found, structure=replace(found.structure, supports=()))
    odds = np.zeros(len(found.pairs.front), np.float32)
    features = Wholes(sight, afloat, odds).features(grouping(found, scene))
    assert (features[1:3, -2] == -1).all()


def test_the_shipped_network_takes_what_is_computed(seen):
    _, features = features_of(seen)
    assert np.isfinite(features).all()
    assert whole_network().weights[0].shape[0] == features.shape[1]
    assert (whole_network().log_odds(features)[1:3] > 0).all()
