# SPDX-License-Identifier: Apache-2.0
"""Phrases to what they ask for, and those that are refused."""

import pytest

from sam3d_ros.core.errors import PromptError
from sam3d_ros.language.grammar import UnknownWordsError, describe, parse


@pytest.mark.parametrize(
    ('phrase', 'meaning'),
    [
        ('the red cup', 'red cup'),
        ('mugs', 'cup'),
        ('Bring me the small, red box behind the blue cup', 'small red box behind the blue cup'),
        ('the cup on the left', 'leftmost cup'),
        ('the left cup', 'leftmost cup'),
        ('the cup on the far left', 'leftmost cup'),
        ('the cup far away', 'farthest cup'),
        ('the ball between the box and the can', 'ball between the box and the can'),
        ('the orange', 'fruit'),
        ('the orange thing', 'orange thing'),
        ('the thing that is not red', 'not red thing'),
        ('the tin left of the box behind the plate', 'can left of the box behind the plate'),
        ('the cup left of the box and behind the can', 'cup left of the box behind the can'),
        ('the bottle closest to me', 'nearest bottle'),
        ('the thing closest to the bottle', 'thing nearest to the bottle'),
        ('things on the table', 'thing on the table'),
        ('everything', 'thing'),
        ('the TV remote', 'remote'),
    ],
)  # fmt: skip
def test_phrases(phrase, meaning):
    assert describe(parse(phrase)) == meaning


def test_said_in_which_frame():
    assert parse('the box left of the cup, seen from the camera').frame == 'camera'
    assert parse('the box left of the cup in the map frame').frame == 'fixed'


@pytest.mark.parametrize(
    ('phrase', 'sentence'),
    [
        ('', 'empty phrase'),
        (' \n', 'empty phrase'),
        ('word ' * 300, '300 words'),
        ('the cup and the bowl', 'names two things'),
        ('the red cup, the blue bowl', 'names two things'),
        ('cup/bowl', 'names two things'),
        ('the red thing left of', 'where a thing should be named'),
        ('the the', 'names nothing'),
        ('the cup red not', 'not understood'),
    ],
)
def test_what_cannot_be_parsed_says_why(phrase, sentence):
    with pytest.raises(PromptError, match=sentence):
        parse(phrase)


@pytest.mark.parametrize(
    ('phrase', 'words'),
    [
        ('the red elephant', ('elephant',)),
        ('la taza roja', ('la', 'taza', 'roja')),
        ('赤いカップ', ('赤いカップ',)),
        ('the cup with a crack', ('with', 'crack')),
    ],
)
def test_unknown_words_are_refused_by_name(phrase, words):
    with pytest.raises(UnknownWordsError, match='cannot be grounded') as caught:
        parse(phrase)
    assert caught.value.words == words


def test_names_that_other_models_gave_are_understood():
    assert parse('the red power drill', frozenset({'power drill'})).kinds == ('power drill',)
