# SPDX-License-Identifier: Apache-2.0
"""What phrases mean among solids whose places, colours and names are known."""

from dataclasses import replace

import pytest

pytest.importorskip('trimesh')

from made_up_things import BLUE, RED, WHITE, ball, box, can, seen, thing

from sam3d_ros.core.errors import PromptError
from sam3d_ros.language.grounding import find

CUP = {'label': 'cup', 'label_score': 0.8, 'labels': (('cup', 0.8), ('bowl', 0.15))}
BALL = {'label': 'ball', 'label_score': 0.9, 'labels': (('ball', 0.9), ('fruit', 0.1))}
BOX = {'label': 'box', 'label_score': 0.9, 'labels': (('box', 0.9), ('book', 0.1))}

SCENE = seen(
    thing(1, box(0.16, 0.16, 0.12), (0.0, 0.0, 0.06), RED, **BOX),
    thing(2, box(0.05, 0.05, 0.05), (0.0, 0.0, 0.145), BLUE, **BOX),
    thing(3, ball(0.04), (0.02, 0.25, 0.04), BLUE, **BALL),
    thing(4, can(0.03, 0.12), (0.3, -0.2, 0.06), WHITE, **CUP),
)


def told(phrase, scene=SCENE, **exemplars):
    return [item.id for item in find(scene, phrase, **exemplars).objects]


@pytest.mark.parametrize(
    ('phrase', 'ids'),
    [
        ('the red thing', [1]),
        ('blue things', [2, 3]),
        ('the round blue thing', [3]),
        ('the spherical thing', [3]),
        ('the cylindrical thing', [4]),
        ('boxy things', [1, 2]),
        ('the large thing', [1]),
        ('the blue box', [2]),
        ('the green thing', []),
        ('the red ball', []),
        ('not blue things', [1, 4]),
        ('the thing on the red box', [2]),
        ('the thing under the blue box', [1]),
        ('the thing left of the red box', [3]),
        ('the thing right of the red box', [4]),
        ('the thing behind the red box', [4, 3]),
        ('the thing left of the red box in the map frame', [3]),
        ('the thing between the ball and the cup', [2, 1]),
        ('the leftmost thing', [3]),
        ('the rightmost blue thing', [2]),
        ('the topmost thing', [2]),
        ('the smallest thing', [2]),
        ('the thing farthest from the cup', [3]),
        ('the spoon', []),
        ('the cup on the table', [4]),
        ('the thing on the table', [1, 3, 4]),
        ('mug', [4]),
    ],
)
def test_phrases(phrase, ids):
    assert sorted(told(phrase)) == sorted(ids)


def test_left_turns_with_the_camera():
    behind = seen(*SCENE.objects, eye=(1.2, 0.0, 0.8))
    assert told('the leftmost thing', behind) == [4]
    assert told('the leftmost thing in the map frame', behind) == [3]
    assert find(behind, 'the leftmost thing').frame == 'camera'
    assert find(behind, 'the red thing').frame == ''


def test_presence_and_reasons():
    answer = find(SCENE, 'the blue ball')
    assert answer.presence > 0.8 and answer.objects[0].why.startswith('blue ')
    assert 'ball 0.95' in answer.objects[0].why
    assert find(SCENE, 'the red cup').presence < 0.2


def test_nothing_is_anything_in_an_empty_scene():
    assert find(seen(), 'the leftmost red cup') == replace(
        find(seen(), 'the leftmost red cup'), presence=0.0, objects=()
    )


def test_an_exemplar_finds_its_like():
    alike = seen(*SCENE.objects, thing(5, ball(0.042), (0.3, 0.1, 0.042), BLUE, **BALL))
    assert told('', alike, like=(3,)) == [3, 5]
    assert told('the ball right of the ball', alike, like=(3,)) == [5]
    assert told('blue things', alike, unlike=(3,)) == [2]
    with pytest.raises(PromptError, match='no object 9'):
        find(alike, '', like=(9,))


def test_looks_tell_things_of_one_size_and_colour_apart():
    """What looks like the exemplar comes first, whatever stands nearer; what does not, last."""
    same, other = {'appearance': (1.0, 0.0)}, {'appearance': (-1.0, 0.0)}
    cans = seen(
        *(
            thing(k, can(0.03, 0.12), (0.1 * k, 0.0, 0.06), WHITE, **CUP, **look)
            for k, look in enumerate((same, other, same), start=1)
        )
    )
    assert told('', cans, like=(1,)) == [1, 3]
    assert told('the cup', cans, like=(1,), unlike=(2,)) == [1, 3]
    assert told('the cup', cans, unlike=(1,)) == [2]
    painted = [
        thing(k, can(0.03, 0.12), (0.1 * k, 0.0, 0.06), color, **CUP, **same)
        for k, color in enumerate((RED, BLUE, RED), start=1)
    ]
    assert told('', seen(*painted), like=(1,)) == [1, 3], 'another hue is another sort'


def test_an_exemplar_that_has_left_still_shows_what_is_meant():
    gone, rest = SCENE.objects[2], seen(*SCENE.objects[:2], *SCENE.objects[3:])
    alike = seen(*rest.objects, thing(5, ball(0.041), (0.3, 0.1, 0.041), BLUE, **BALL))
    answer = find(alike, '', like=(3,), left={3: gone})
    assert [item.id for item in answer.objects] == [5]


def test_what_the_scene_does_not_know_is_refused():
    bare = replace(SCENE, T_fixed_cam=None)
    with pytest.raises(PromptError, match='depends on who looks'):
        find(bare, 'the leftmost thing')
    assert told('the red thing', bare) == [1]
    nameless = replace(SCENE, objects=(thing(1, ball(0.04), (0, 0, 0.04), RED),))
    with pytest.raises(PromptError, match='no names'):
        find(nameless, 'the red ball')
