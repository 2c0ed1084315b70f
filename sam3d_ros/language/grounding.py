# SPDX-License-Identifier: Apache-2.0
"""What a phrase means in a scene: by names, colours, sizes, shapes and places of its objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from sam3d_ros.core.errors import PromptError
from sam3d_ros.core.types import FloatArray, Scene, SceneObject
from sam3d_ros.geometry.relations import RelationKind, relations
from sam3d_ros.language.grammar import Query, Word, parse
from sam3d_ros.language.kinds import KINDS
from sam3d_ros.language.lexicon import ANYTHING
from sam3d_ros.language.things import Thing, Viewpoint, likeness, things_of, viewpoint_of
from sam3d_ros.language.words import sure, word_probability

NOBODY: Mapping[int, SceneObject] = MappingProxyType({})
LISTED = 0.5
"""Objects that are meant with at least this probability are returned."""
SIDE_M = 0.01
"""How far apart middles are, one sigma, before one is surely left of or behind the other."""
NEXT_M, NEXT_SIGMA_M = 0.08, 0.015
"""Surfaces that are this near to each other are next to each other."""
SAME_SHARE = 0.03
"""How much two sizes or places must differ for a superlative to tell them apart."""


@dataclass(frozen=True, slots=True)
class Found:
    """One object that a phrase means: its id, how surely, and why."""

    id: int
    score: float
    why: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a phrase means in a scene.

    :param presence: probability that there is such a thing at all.
    :param objects: the likeliest first.
    :param frame: who says what is left and what is behind; empty where it does not matter.
    """

    phrase: str
    presence: float
    objects: tuple[Found, ...] = ()
    frame: str = ''


def find(
    scene: Scene,
    phrase: str,
    like: Sequence[int] = (),
    unlike: Sequence[int] = (),
    left: Mapping[int, SceneObject] = NOBODY,
) -> Answer:
    """Return the objects of a scene that a phrase means.

    :param scene: with names and colours where it has them.
    :param phrase: a noun phrase; empty with an exemplar = anything like it.
    :param like: ids of exemplars: what is meant is like one of them.
    :param unlike: ids of exemplars of what is not meant.
    :param left: exemplars that have left the scene, as they were last, by id.
    :raises UnknownWordsError: when a word stands for nothing.
    :raises PromptError: when the phrase cannot be understood, asks for names or a point of view
        that the scene does not have, or an exemplar is not in it.
    """
    labels = frozenset(item.label for item in scene.objects if item.label) - frozenset(KINDS)
    query = Query() if like and not phrase.strip() else parse(phrase, labels)
    view = viewpoint_of(scene, query.frame)
    if query.needs_view and view.is_guess:
        raise PromptError(
            f'"{phrase}" depends on who looks, and this scene does not say where its camera was',
            wanted='a scene of this version',
            remedy='Say it in the map frame: add "in the map frame".',
        )
    things = things_of(scene)
    meaning = _Meaning(scene, things, view)
    score, reasons = meaning.of(query)
    if like or unlike:
        alike = _alike(things, like, unlike, left)
        score = score * alike
        said = 'like ' + ', '.join(map(str, like)) if like else 'unlike the others'
        for why, p in zip(reasons, alike, strict=True):
            why.append(f'{said} {p:.2f}')
    presence = float(1 - np.prod(1 - np.clip(score, 0, 1))) if len(score) else 0.0
    order = np.argsort(-score, kind='stable')
    found = [
        Found(things[k].item.id, float(score[k]), ', '.join(reasons[k]))
        for k in order
        if score[k] >= LISTED
    ]
    return Answer(phrase.strip(), presence, tuple(found), view.name if query.needs_view else '')


def find_present(
    scene: Scene, phrase: str, like: Sequence[int] = (), unlike: Sequence[int] = ()
) -> Answer:
    """Return the objects that a phrase means, as :func:`find` does; there is at least one.

    :raises PromptError: when it means nothing that is here, too.
    """
    answer = find(scene, phrase, like, unlike)
    if not answer.objects:
        raise PromptError(
            f'nothing here is "{answer.phrase or "like it"}" (presence {answer.presence:.2f})',
            wanted='a phrase for something that is seen',
        )
    return answer


def _alike(
    things: Sequence[Thing],
    like: Sequence[int],
    unlike: Sequence[int],
    left: Mapping[int, SceneObject],
) -> FloatArray:
    """Return (N,) how likely each thing is of the sort of the exemplars."""
    known = {key: Thing(item, things[0].up) for key, item in left.items() if things}
    known |= {thing.item.id: thing for thing in things}
    missing = [number for number in (*like, *unlike) if number not in known]
    if missing:
        raise PromptError(
            f'no object {", ".join(map(str, missing))} to compare with',
            wanted=f'some of {", ".join(map(str, sorted(known))) or "none"}',
        )
    score: FloatArray = np.zeros(len(things))
    for k, thing in enumerate(things):
        best = max((likeness(known[number], thing) for number in like), default=0.0)
        worst = max((likeness(known[number], thing) for number in unlike), default=0.0)
        if not like:
            score[k] = 1 - worst
        else:
            score[k] = best * (1 - worst) if worst >= best else best
    return score


class _Meaning:
    """Probabilities of the things of one scene to be meant."""

    def __init__(self, scene: Scene, things: Sequence[Thing], view: Viewpoint) -> None:
        self._scene, self._things, self._view = scene, things, view

    def of(self, query: Query) -> tuple[FloatArray, list[list[str]]]:
        """Return (N,) how likely each thing is meant, and why."""
        score: FloatArray = np.ones(len(self._things))
        reasons: list[list[str]] = [[] for _ in self._things]

        def narrow(probability: FloatArray, said: Callable[[int], str]) -> None:
            nonlocal score
            score = score * probability
            for k, why in enumerate(reasons):
                why.append(f'{said(k)} {probability[k]:.2f}')

        for word in query.words:
            probability = self._worded(word)
            text = f'not {word.meaning}' if word.negated else word.meaning
            narrow(probability, lambda _, text=text: text)  # type: ignore[misc]
        if query.noun != ANYTHING:
            narrow(self._named(query), lambda _: query.noun)
        for item in query.related:
            probability, to = self._related(item.relation, item.others)
            narrow(probability, lambda k, r=item.relation, to=to: f'{r} {to[k]}')  # type: ignore[misc]
        for extreme in query.extremes:
            narrow(self._extreme(extreme, score), lambda _, e=extreme: e)  # type: ignore[misc]
        if not any(reasons):
            reasons = [['a thing'] for _ in self._things]
        return score, reasons

    def _worded(self, word: Word) -> FloatArray:
        values = np.array([word_probability(word, thing, self._things) for thing in self._things])
        return 1 - values if word.negated else values

    def _named(self, query: Query) -> FloatArray:
        if query.noun == 'table':
            raise PromptError(
                'a table or floor is no object here', wanted='a thing on it',
                remedy='Say "the thing on the table".',
            )  # fmt: skip
        if self._things and not any(t.item.labels or t.item.label for t in self._things):
            raise PromptError(
                f'the objects of this scene have no names, so "{query.noun}" cannot be told',
                wanted='colours, sizes, shapes and places alone',
                remedy='Set language.names (it needs ONNX Runtime), or process it again.',
            )
        return np.array([thing.named(query.kinds) for thing in self._things])

    def _related(self, relation: str, others: Sequence[Query]) -> tuple[FloatArray, list[str]]:
        """Return (N,) how likely each thing stands so to another, and to which."""
        if others[0].noun == 'table':
            return self._on_ground(relation), ['the support'] * len(self._things)
        score: FloatArray = np.zeros(len(self._things))
        to = ['nothing'] * len(self._things)
        meant = [self.of(other)[0] for other in others]
        if relation == 'between':
            pairs = self._pairs(meant)
            for k, thing in enumerate(self._things):
                for a, b, p in pairs:
                    value = p * _between(self._things[a], thing, self._things[b])
                    if k not in (a, b) and value > score[k]:
                        score[k] = value
                        to[k] = f'{self._things[a].item.id} and {self._things[b].item.id}'
            return score, to
        for b in map(int, np.flatnonzero(meant[0] > 0.05)):
            held = self._to(relation, b)
            for k in range(len(self._things)):
                value = meant[0][b] * held[k]
                if k != b and value > score[k]:
                    score[k], to[k] = value, str(self._things[b].item.id)
        return score, to

    def _pairs(self, meant: Sequence[FloatArray]) -> list[tuple[int, int, float]]:
        """Return pairs of things that something may be between, and how likely they are meant."""
        first, second = meant[0], meant[-1]
        pairs = [
            (a, b, float(first[a] * second[b]))
            for a in range(len(first))
            for b in range(len(first))
            if a != b and (len(meant) > 1 or a < b)
        ]
        return [pair for pair in pairs if pair[2] > 0.05]

    def _to(self, relation: str, b: int) -> FloatArray:
        """Return (N,) how likely each thing stands so to thing b."""
        other, things = self._things[b], self._things
        along = {
            'left of': -self._view.right, 'right of': self._view.right,
            'behind': self._view.forward, 'in front of': -self._view.forward,
        }  # fmt: skip
        sizes = {
            'larger than': (1, 'size_m'), 'smaller than': (-1, 'size_m'),
            'taller than': (1, 'height_m'), 'shorter than': (-1, 'height_m'),
        }  # fmt: skip
        if relation in along:
            offset = np.array([(t.center - other.center) @ along[relation] for t in things])
            return sure(offset / SIDE_M)
        if relation in sizes:
            sign, name = sizes[relation]
            own = np.array([getattr(t.measures, name) for t in things])
            return sure(sign * np.log(own / getattr(other.measures, name)) / SAME_SHARE)
        if relation in ('nearest to', 'farthest from'):
            sign = -1 if relation == 'nearest to' else 1
            own = np.arange(len(things)) == b
            gaps = np.array([np.linalg.norm(t.center - other.center) for t in things])
            ranked = np.where(own, -np.inf, sign * gaps)
            return np.asarray(ranked >= ranked.max() - 1e-9, np.float64)
        if relation == 'next to':
            beside = np.array([self._stand(thing, other) is None for thing in things])
            beside |= np.array([self._stand(t, other) == RelationKind.NEXT_TO for t in things])
            gaps = np.array([thing.gap_m(other) for thing in things])
            return beside * sure((NEXT_M - gaps) / NEXT_SIGMA_M)
        return np.array([self._touches(relation, thing, other, b) for thing in things])

    def _touches(self, relation: str, thing: Thing, other: Thing, b: int) -> float:
        kinds = {
            'on': (RelationKind.ON,), 'in': (RelationKind.IN,),
            'leaning on': (RelationKind.LEANING,),
        }  # fmt: skip
        if relation in kinds:
            return float(self._stand(thing, other, both=False) in kinds[relation])
        lower, upper = (thing, other) if relation == 'under' else (other, thing)
        if self._stand(upper, lower, both=False) == RelationKind.ON:
            return 1.0
        return float(upper.is_over(lower))

    def _stand(self, thing: Thing, other: Thing, both: bool = True) -> RelationKind | None:
        stands = _stands(self._scene)
        direct = stands.get((thing.item.id, other.item.id))
        if direct is None and both:
            direct = stands.get((other.item.id, thing.item.id))
        return direct

    def _on_ground(self, relation: str) -> FloatArray:
        """Return (N,) whether each thing stands on a support rather than on another thing."""
        if relation not in ('on', 'above'):
            raise PromptError(
                f'"{relation} the table" cannot be told: supports are no objects',
                wanted='on the table',
            )
        carried = (RelationKind.ON, RelationKind.IN)
        return np.array(
            [
                float(not any(self._stand(t, o, both=False) in carried for o in self._things))
                for t in self._things
            ]
        )

    def _extreme(self, extreme: str, score: FloatArray) -> FloatArray:
        """Return (N,) 1 for the likeliest thing of which a superlative holds, else 0."""
        if not len(score):
            return score
        candidates = score >= min(LISTED, 0.7 * float(score.max()))
        value = np.array([self._measured(extreme, thing) for thing in self._things])
        value = np.where(candidates, value, -np.inf)
        best = np.flatnonzero(value == value.max())[0]
        chosen: FloatArray = np.zeros(len(score))
        chosen[best] = 1.0
        return chosen

    def _measured(self, extreme: str, thing: Thing) -> float:
        """Return what is largest for the thing that a superlative means."""
        view = self._view
        middle = np.mean([other.center for other in self._things], axis=0)
        values: dict[str, Callable[[], float]] = {
            'leftmost': lambda: -float(thing.center @ view.right),
            'rightmost': lambda: float(thing.center @ view.right),
            'nearest': lambda: -view.distance(thing.center),
            'farthest': lambda: view.distance(thing.center),
            'largest': lambda: thing.measures.size_m,
            'smallest': lambda: -thing.measures.size_m,
            'tallest': lambda: thing.measures.height_m,
            'shortest': lambda: -thing.measures.height_m,
            'longest': lambda: float(thing.measures.extents_m[0]),
            'thinnest': lambda: -float(thing.measures.extents_m[1]),
            'widest': lambda: float(thing.measures.across_m[0]),
            'flattest': lambda: -thing.measures.height_m / float(thing.measures.across_m[0]),
            'topmost': lambda: thing.top_m,
            'lowest': lambda: -thing.top_m,
            'middle': lambda: -float(np.linalg.norm(thing.center - middle)),
        }
        return values[extreme]()


@lru_cache(maxsize=1)
def _stands(scene: Scene) -> dict[tuple[int, int], RelationKind]:
    """Return how objects of a scene stand to each other, by their ids; for all its phrases."""
    return {
        (item.subject, item.other): item.kind
        for item in relations(scene)
        if isinstance(item.other, int)
    }


def _between(a: Thing, thing: Thing, b: Thing) -> float:
    """Return how likely a thing is between two others, seen from above."""
    level = np.eye(3) - np.outer(thing.up, thing.up)
    way, own = level @ (b.center - a.center), level @ (thing.center - a.center)
    length = float(np.linalg.norm(way))
    if length < 1e-6:
        return 0.0
    share = float(own @ way) / length**2
    aside = float(np.linalg.norm(own - share * way))
    inside = float(sure(min(share, 1 - share) * length / SIDE_M))
    reach = 0.25 * length + 0.5 * float(thing.measures.across_m[1])
    return inside * float(sure((reach - aside) / SIDE_M))
