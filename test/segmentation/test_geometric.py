# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from sam3d_ros.core.errors import PromptError
from sam3d_ros.core.types import (
    BoxPrompt,
    Camera,
    ExemplarPrompt,
    Frame,
    Instances,
    MaskPrompt,
    PointPrompt,
    TextPrompt,
)
from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.segmentation.geometric import GeometricSegmenter


@pytest.fixture(scope='module')
def segmenter() -> GeometricSegmenter:
    return GeometricSegmenter(SegmentationConfig())


def ious(found: Instances, truth: np.ndarray, frame: Frame) -> list[float]:
    """Best IoU of each true object with any instance."""
    valid = frame.depth_m > 0
    result = []
    for k in range(1, truth.max() + 1):
        real = (truth == k) & valid
        result.append(
            max(((i.mask & real).sum() / (i.mask | real).sum() for i in found.items), default=0.0)
        )
    return result


def shapes(box, cylinder, name):
    red, blue = (200, 60, 60), (60, 60, 200)
    return {
        'touching boxes of different height': [
            box((-0.06, 0, 0.06), (0.12, 0.1, 0.12), color=red),
            box((0.05, -0.02, 0.03), (0.1, 0.1, 0.06), color=blue),
        ],
        'touching boxes at an angle': [
            box((-0.05, 0.0, 0.06), (0.1, 0.1, 0.12), color=red),
            box((0.077, -0.03, 0.06), (0.1, 0.1, 0.12), yaw=0.6, color=blue),
        ],
        'stacked': [
            box((0, 0, 0.03), (0.2, 0.15, 0.06), color=red),
            box((0.01, 0.01, 0.11), (0.1, 0.08, 0.1), yaw=0.3, color=blue),
        ],
        'leaning': [
            box((0, 0.08, 0.08), (0.15, 0.06, 0.16), color=red),
            box((0, -0.035, 0.08), (0.1, 0.02, 0.17), lean=-0.5, color=blue),
        ],
        'cylinder beside a box': [
            box((-0.06, 0, 0.06), (0.12, 0.1, 0.12), color=red),
            cylinder((0.045, -0.01, 0.05), 0.045, 0.1),
        ],
        'thin card and small cube': [
            box((-0.1, 0, 0.006), (0.15, 0.1, 0.012), yaw=0.3, color=red),
            box((0.1, 0, 0.02), (0.04, 0.04, 0.04), color=blue),
        ],
        'cut by the border': [
            box((-0.55, 0, 0.08), (0.16, 0.1, 0.16), color=red),
            box((0.1, -0.38, 0.06), (0.12, 0.12, 0.12), color=blue),
        ],
    }[name]


@pytest.mark.parametrize('gravity', [True, False])
@pytest.mark.parametrize(
    'name',
    [
        'touching boxes of different height',
        'touching boxes at an angle',
        'stacked',
        'leaning',
        'cylinder beside a box',
        'thin card and small cube',
        'cut by the border',
    ],
)
def test_things_are_told_apart(segmenter, make_scene, box, cylinder, name, gravity):
    scene = make_scene(shapes(box, cylinder, name), gravity=gravity)
    found = segmenter.segment(scene.frame)
    assert len(found.items) == 2
    assert min(ious(found, scene.truth, scene.frame)) > 0.8
    assert len(found.supports) == 1


@pytest.mark.parametrize('color', [(200, 60, 60), (150, 150, 150)])
def test_a_folded_towel_near_the_camera_is_a_thing_and_no_bend_of_the_table(
    segmenter, make_scene, box, color
):
    """12 mm thick, a seventh of the image: what depth cameras bend planes by, farther away."""
    towel = box((0, 0, 0.006), (0.3, 0.22, 0.012), yaw=0.2, color=color)
    scene = make_scene([towel], eye=(0.0, -0.34, 0.52))
    assert abs(np.nanmedian(scene.frame.depth_m[scene.truth == 1]) - 0.6) < 0.02
    found = segmenter.segment(scene.frame)
    assert len(found.items) == 1
    assert ious(found, scene.truth, scene.frame)[0] > 0.9
    assert len(found.supports) == 1
    above = found.supports[0].offset_m + scene.frame.pointmap @ found.supports[0].normal
    assert abs(np.nanmedian(above[scene.truth == 1]) - 0.012) < 0.003


def test_instances_say_where_they_come_from(segmenter, make_scene, box, cylinder):
    scene = make_scene(shapes(box, cylinder, 'stacked'))
    found = segmenter.segment(scene.frame)
    assert found.stamp_ns == scene.frame.stamp_ns
    overlap = sum(i.mask.astype(int) for i in found.items)
    assert overlap.max() == 1
    for instance in found.items:
        rows, columns = np.nonzero(instance.mask)
        assert instance.source == 'geometric:all'
        assert instance.support == 0
        assert 0.3 < instance.score <= 1.0
        assert instance.box_px == (
            columns.min(),
            rows.min(),
            columns.max() + 1,
            rows.max() + 1,
        )


def test_empty_table_and_no_depth_give_nothing(segmenter, make_scene):
    assert segmenter.segment(make_scene([]).frame).items == ()
    camera = Camera(640, 480, np.array([[525.0, 0, 319.5], [0, 525.0, 239.5], [0, 0, 1]]))
    nothing = np.full((480, 640, 3), np.nan, np.float32)
    frame = Frame(1, 'c', camera, np.zeros((480, 640, 3), np.uint8), nothing, 'c', np.eye(4))
    found = segmenter.segment(frame)
    assert found.items == () and found.supports == ()


def test_without_a_plane_things_in_the_air_are_found(segmenter, make_scene, box, cylinder):
    floating = [
        box((-0.15, 0, 0.05), (0.12, 0.1, 0.12), yaw=0.4),
        cylinder((0.15, 0, 0.0), 0.05, 0.1),
    ]
    scene = make_scene(floating, plane=False)
    found = segmenter.segment(scene.frame)
    assert min(ious(found, scene.truth, scene.frame)) > 0.8


@pytest.mark.parametrize('size', [(320, 240), (1280, 960), (333, 251)])
def test_other_image_sizes(segmenter, make_scene, box, cylinder, size):
    scene = make_scene(shapes(box, cylinder, 'touching boxes of different height'))
    width, height = size
    rows = np.linspace(0, 479, height).round().astype(int)
    columns = np.linspace(0, 639, width).round().astype(int)
    K = scene.frame.camera.K * np.array([[width / 640], [height / 480], [1]])
    frame = Frame(
        1,
        'c',
        Camera(width, height, K),
        scene.frame.rgb[rows][:, columns],
        scene.frame.pointmap[rows][:, columns],
        'c',
        np.eye(4),
    )
    found = segmenter.segment(frame)
    assert min(ious(found, scene.truth[rows][:, columns], frame)) > 0.8


def test_same_input_same_result(segmenter, make_scene, box, cylinder):
    scene = make_scene(shapes(box, cylinder, 'leaning'))
    one, two = segmenter.segment(scene.frame), segmenter.segment(scene.frame)
    assert [i.score for i in one.items] == [i.score for i in two.items]
    assert all((a.mask == b.mask).all() for a, b in zip(one.items, two.items, strict=True))


@pytest.fixture(scope='module')
def stacked(make_scene, box, cylinder):
    return make_scene(shapes(box, cylinder, 'stacked'))


def test_a_point_gives_the_thing_first_and_keeps_the_ambiguity(segmenter, stacked):
    rows, columns = np.nonzero(stacked.truth == 2)
    click = PointPrompt(((float(np.median(columns)), float(np.median(rows))),), (1,))
    found = segmenter.segment(stacked.frame, (click,))
    assert 1 < len(found.items) <= 3
    scores = [i.score for i in found.items]
    assert scores == sorted(scores, reverse=True)
    assert {i.source for i in found.items} == {'geometric:point'}
    best, real = found.items[0].mask, stacked.truth == 2
    assert (best & real).sum() / (best | real).sum() > 0.8
    both = max(found.items, key=lambda i: i.mask.sum()).mask
    assert (both & (stacked.truth > 0)).sum() / (both | (stacked.truth > 0)).sum() > 0.85


def test_points_on_and_off(segmenter, stacked):
    centers = []
    for k in (1, 2):
        rows, columns = np.nonzero(stacked.truth == k)
        middle = int(np.argmax(rows)) if k == 1 else len(rows) // 2
        centers.append((float(columns[middle]), float(rows[middle]) - (3 if k == 1 else 0)))
    both = segmenter.segment(stacked.frame, (PointPrompt(tuple(centers), (1, 1)),)).items[0]
    one = segmenter.segment(stacked.frame, (PointPrompt(tuple(centers), (1, 0)),)).items[0]
    assert (both.mask & (stacked.truth > 0)).sum() / (stacked.truth > 0).sum() > 0.9
    real = stacked.truth == 1
    assert (one.mask & real).sum() / (one.mask | real).sum() > 0.8


def test_a_click_on_the_table_selects_nothing(segmenter, stacked):
    assert segmenter.segment(stacked.frame, (PointPrompt(((30.0, 450.0),), (1,)),)).items == ()


@pytest.mark.parametrize('k', [1, 2])
def test_boxes_and_masks_select_things(segmenter, stacked, k):
    real = stacked.truth == k
    rows, columns = np.nonzero(real)
    box = BoxPrompt((columns.min() - 3, rows.min() + 2, columns.max() + 3, rows.max() + 2))
    rough = np.roll(real, (4, -3), (0, 1))
    for prompt, source in ((box, 'geometric:box'), (MaskPrompt(rough), 'geometric:mask')):
        (found,) = segmenter.segment(stacked.frame, (prompt,)).items
        assert found.source == source
        assert (found.mask & real).sum() / (found.mask | real).sum() > 0.8
        assert found.score > 0.6


@pytest.mark.parametrize('prompt', [TextPrompt('mug'), ExemplarPrompt((0, 0, 9, 9))])
def test_phrases_and_exemplars_are_refused_with_a_way_out(segmenter, stacked, prompt):
    with pytest.raises(PromptError, match='sam3'):
        segmenter.segment(stacked.frame, (prompt,))


@pytest.mark.parametrize(
    'prompt',
    [
        PointPrompt(((1.0, 1.0),), ()),
        PointPrompt(((1.0, 1.0),), (0,)),
        PointPrompt(((700.0, 1.0),), (1,)),
        BoxPrompt((9.0, 0.0, 9.0, 9.0)),
        MaskPrompt(np.ones((3, 3), bool)),
    ],
)
def test_malformed_prompts_are_refused(segmenter, stacked, prompt):
    with pytest.raises(PromptError):
        segmenter.segment(stacked.frame, (prompt,))
