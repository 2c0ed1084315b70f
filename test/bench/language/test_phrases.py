# SPDX-License-Identifier: Apache-2.0
"""The bench of words counts what it should, and its phrases have the truth that they claim."""

import numpy as np
import pytest

pytest.importorskip('trimesh')

from sam3d_ros.bench.language.counting import Counts
from sam3d_ros.bench.language.exemplars import average_precision
from sam3d_ros.bench.language.names import Named
from sam3d_ros.bench.language.queries import PhraseCase, TrueThing, queries
from sam3d_ros.core.types import SceneObject
from sam3d_ros.language.grammar import parse
from sam3d_ros.world.suites import make_episode


def test_counts():
    counts = Counts()
    case = PhraseCase('the red things', 'colour', frozenset({1, 2}), frozenset({3}))
    counts.add(case, {1, 3, None})
    assert (counts.right, counts.wrong, counts.missed, counts.absent) == (1, 1, 1, 0)
    counts.add(PhraseCase('the green things', 'colour', frozenset()), set())
    counts.add(PhraseCase('the green things', 'colour', frozenset()), {2})
    assert (counts.absent, counts.refused) == (2, 1)
    assert counts.f1 == pytest.approx(2 * 1 / (2 + 2 + 1))


def test_average_precision():
    assert average_precision([True, True]) == 1.0
    assert average_precision([]) == 0.0
    assert average_precision([False, True, True]) == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_names_are_scored():
    named = Named()
    told = (('cup', 0.7), ('bowl', 0.2), ('can', 0.1))
    for kind in ('cup', 'bowl', 'unknown'):
        named.truth.append(kind)
        named.told.append(told if kind != 'unknown' else (('unknown', 0.7),))
    assert (named.top(1), named.top(3), named.unknown_share) == (0.5, 1.0, 1.0)
    assert named.calibration_error == pytest.approx(abs(2 / 3 - 0.7))
    assert 'labels' in SceneObject.__slots__


def test_every_phrase_can_be_parsed_and_means_what_is_there():
    episode = make_episode('spaced', 3, frames=1)
    things = [
        TrueThing(solid, T)
        for solid, T in zip(episode.objects, episode.T_fixed_obj[-1], strict=True)
    ]
    cases = queries(episode, things, np.random.default_rng(0))
    assert len(cases) > 10 and {case.sort for case in cases} >= {'colour', 'size', 'superlative'}
    for case in cases:
        parse(case.phrase)
        assert case.meant | case.ignored <= set(range(len(things)))
        assert not case.meant & case.ignored
