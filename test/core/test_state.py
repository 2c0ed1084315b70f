# SPDX-License-Identifier: Apache-2.0
"""Dataclasses come back from their trees as they were, and nothing else does."""

import json
from dataclasses import dataclass, field

import numpy as np
import pytest

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.sensors import MODELS, SensorModel
from sam3d_ros.core.state import from_tree, to_tree, with_arrays, without_arrays
from sam3d_ros.core.types import FloatArray, TrackState


@dataclass(frozen=True)
class Part:
    weight: float
    points: FloatArray


@dataclass
class Whole:
    name: str
    state: TrackState
    parts: list[Part]
    by_id: dict[int, Part]
    pair: tuple[float, int]
    grain: tuple[tuple[float, float], ...]
    known: set[int]
    best: Part | None = None
    derived: int = field(init=False)

    def __post_init__(self) -> None:
        self.derived = len(self.parts)


def whole() -> Whole:
    part = Part(np.float32(0.5), np.arange(6.0).reshape(3, 2))
    return Whole(
        'one',
        TrackState.CONFIRMED,
        [part, part],
        {7: part},
        (1.0, 2),
        ((0.0, 0.25), (2.0, 0.75)),
        {3, 4},
    )


def test_there_and_back():
    before = whole()
    tree = to_tree(before)
    assert tree['best'] is None and 'derived' not in tree
    after = from_tree(Whole, tree)
    assert (after.name, after.state, after.pair) == (before.name, before.state, before.pair)
    assert (after.grain, after.known, after.derived) == (before.grain, before.known, 2)
    assert after.by_id[7].points is before.by_id[7].points, 'arrays are not copied'
    assert isinstance(after.parts[0].weight, float)


@pytest.mark.parametrize(
    'broken',
    [
        {'state': 99},
        {'pair': [1.0]},
        {'parts': 3},
        {'by_id': {'seven': {}}},
        {'best': {'weight': 1.0}},
        {'new_field': 1},
    ],
    ids=lambda broken: next(iter(broken)),
)
def test_what_another_version_wrote_is_refused(broken):
    with pytest.raises(InputError, match='this version wrote'):
        from_tree(Whole, to_tree(whole()) | broken)


def test_what_no_tree_holds_is_refused():
    with pytest.raises(InputError, match='object in a state'):
        to_tree([object()])


def test_a_tree_without_its_arrays_is_json():
    arrays = {}

    def put(array):
        arrays[f'a{len(arrays)}'] = array
        return f'a{len(arrays) - 1}'

    before = whole()
    text = json.dumps(without_arrays(to_tree(before), put))
    after = from_tree(Whole, with_arrays(json.loads(text), arrays.__getitem__))
    assert after.parts[1].points is before.parts[1].points
    assert after.by_id[7].weight == 0.5


@pytest.mark.parametrize('name', MODELS)
def test_sensors_come_back(name):
    assert from_tree(SensorModel, json.loads(json.dumps(to_tree(MODELS[name])))) == MODELS[name]
