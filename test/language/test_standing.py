# SPDX-License-Identifier: Apache-2.0
"""Phrases that stand: one that cannot be told lists nothing, and says so, once."""

from dataclasses import replace
from types import SimpleNamespace

from made_up_things import box, seen, thing

from sam3d_ros.core.types import ExemplarPrompt
from sam3d_ros.session.prompts.phrases import PATIENCE, Phrases


def test_a_phrase_that_cannot_be_told_says_so_once():
    scene = seen(
        thing(1, box(0.1, 0.1, 0.1), (0.0, 0.0, 0.05)),
        thing(2, box(0.2, 0.2, 0.2), (0.0, 0.5, 0.1)),
    )
    said = []
    phrases = Phrases(('the cup', 'the largest thing'), said.append)
    for _ in range(PATIENCE - 1):
        assert [item.id for item in phrases.listed(scene).objects] == [2]
    assert said == []
    for _ in range(3 * PATIENCE):
        phrases.listed(scene)
    (sentence,) = said
    assert '"the cup"' in sentence and 'language.names' in sentence


def test_names_that_come_late_are_waited_for():
    said = []
    phrases = Phrases(('the cup',), said.append)
    nameless = seen(thing(1, box(0.1, 0.1, 0.1), (0.0, 0.0, 0.05)))
    named = seen(thing(1, box(0.1, 0.1, 0.1), (0.0, 0.0, 0.05), label='cup', label_score=1.0))
    for _ in range(5):
        for _ in range(PATIENCE - 1):
            assert phrases.listed(nameless).objects == ()
        assert [item.id for item in phrases.listed(named).objects] == [1]
    assert said == []


def test_an_exemplar_lists_its_like_alone_and_goes_on_to_when_it_is_gone():
    cubes = [thing(k, box(0.1, 0.1, 0.1), (0.3 * k, 0.0, 0.05)) for k in (1, 2)]
    scene = seen(*cubes, thing(3, box(0.3, 0.1, 0.1), (0.0, 0.5, 0.05)))
    phrases = Phrases(only=True)
    assert phrases.listed(scene).objects == ()
    kept = SimpleNamespace(filling=lambda box_px: 1, frame=None)
    question = SimpleNamespace(prompt=ExemplarPrompt((1.0, 1.0, 1.0, 1.0)), kept=kept)
    assert phrases.answered(question, scene).ids == (1, 2)
    assert [item.id for item in phrases.listed(scene).objects] == [1, 2]
    without = phrases.listed(replace(scene, objects=scene.objects[1:]))
    assert [item.id for item in without.objects] == [2] and without.removed == (1,)
    resumed = Phrases(only=True)
    resumed.restore(phrases.state())
    assert [item.id for item in resumed.listed(without).objects] == [2]
