# SPDX-License-Identifier: Apache-2.0
"""The shipped networks answer as the ones that they were made from; photographs show people."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from sam3d_ros.core.people import INDEX
from sam3d_ros.core.pretrained.inference import open_session
from sam3d_ros.core.pretrained.weights import find_weights, models_folder, verified_file
from sam3d_ros.geometry.masks import box_iou
from sam3d_ros.people.blazepose.detector import Detection, Square, anchors, blended
from sam3d_ros.people.blazepose.landmarks import BodyNetworks, HandNetworks
from sam3d_ros.people.looking import find_in_photograph
from sam3d_ros.training.people.convert import EVERY, NETWORKS, smooth_noise

VECTORS = Path(__file__).parent / 'vectors.npz'
SHARE_BYTES = 18e6
"""What the design lets the weights of people weigh."""


@pytest.fixture(scope='module')
def networks() -> BodyNetworks:
    return BodyNetworks()


@pytest.mark.parametrize('name', NETWORKS)
def test_answers_are_those_of_the_interpreter(name: str) -> None:
    session = open_session(verified_file(name.replace('_', '-')), threads=1)
    shape = np.array(session.get_inputs()[0].shape)
    names = [output.name for output in session.get_outputs()]
    answers = dict(zip(names, session.run(names, {'image': smooth_noise(shape)}), strict=True))
    with np.load(VECTORS) as recorded:
        for key in names:
            wanted = recorded[f'{name}.{key}']
            found = answers[key][:, ::EVERY] if answers[key].ndim == 3 else answers[key]
            scale = max(1.0, float(np.abs(wanted).max()))
            assert np.abs(found - wanted).max() < 1e-3 * scale, key


def test_weights_of_people_keep_to_their_share() -> None:
    files = [find_weights(name.replace('_', '-')) for name in NETWORKS]
    assert sum((models_folder() / item.file).stat().st_size for item in files) < SHARE_BYTES


def test_anchors_are_as_many_as_the_network_answers() -> None:
    assert len(anchors(224, ((8, 2), (16, 2), (32, 6)))) == 2254
    assert len(anchors(192, ((8, 2), (16, 6)))) == 2016


def test_boxes_of_one_person_are_blended_and_others_kept() -> None:
    def at(left: float, score: float) -> Detection:
        return Detection(score, np.array([left, 0, left + 10, 10.0]), np.full((4, 2), left))

    found = blended([at(0, 0.5), at(1, 1.0), at(30, 0.7)])
    assert [item.score for item in found] == [1.0, 0.7]
    assert found[0].points_px[0, 0] == pytest.approx(2 / 3)
    assert box_iou(found[0].box_px, found[1].box_px) == 0


def test_a_turned_square_shows_its_content_upright() -> None:
    rgb = np.zeros((100, 100, 3), np.uint8)
    rgb[48:53, 70:75] = 255  # to the right of the middle
    shown = Square((50.0, 50.0), 80.0, np.pi / 2).picture(rgb, 80)[0, ..., 0]
    row, column = np.argwhere(shown > 0.5).mean(axis=0)
    assert row < 25 and abs(column - 40) < 3  # up in the square


def test_an_even_picture_shows_nobody(networks: BodyNetworks) -> None:
    assert find_in_photograph(networks, np.full((480, 640, 3), 128, np.uint8)) == []


@pytest.fixture(scope='module')
def people_folder(shared_data: Path) -> Path:
    folder = shared_data / 'people'
    if not folder.is_dir():
        pytest.skip(f'no photographs of people in {folder}')
    return folder


def photograph(file: Path) -> np.ndarray:
    return cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)


def test_joints_of_photographs(networks: BodyNetworks, people_folder: Path) -> None:
    index = json.loads((people_folder / 'index.json').read_text())
    for image in index['images']:
        found = find_in_photograph(networks, photograph(people_folder / image['file']))
        assert len(found) == len(image['people']), image['file']
        for person, (_, landmarks) in zip(image['people'], found, strict=True):
            truth = np.array(person['keypoints'], np.float64)
            ours = landmarks.points_px[[INDEX[name] for name in index['joints']]]
            at = {name: truth[k, :2] for k, name in enumerate(index['joints'])}
            shoulders, hips = (
                (at[f'left_{part}'] + at[f'right_{part}']) / 2 for part in ('shoulder', 'hip')
            )
            near = np.linalg.norm(ours - truth[:, :2], axis=1) < 0.2 * np.linalg.norm(
                shoulders - hips
            )
            assert near[truth[:, 2] > 0].mean() >= 0.85


def test_hands_of_photographs(people_folder: Path) -> None:
    hands = HandNetworks().hands(photograph(people_folder / 'hand.jpg'))
    assert [hand.is_right for hand in hands] == [False]
    thumb, little = hands[0].points_px[4], hands[0].points_px[20]
    assert thumb[1] < little[1] - 100  # thumb up


def test_a_mirrored_person_is_found_with_sides_swapped(
    networks: BodyNetworks, people_folder: Path
) -> None:
    rgb = photograph(people_folder / 'person_sitting.jpg')
    ((_, plain),) = find_in_photograph(networks, rgb)
    ((_, mirrored),) = find_in_photograph(networks, np.ascontiguousarray(rgb[:, ::-1]))
    for side, other in (('left', 'right'), ('right', 'left')):
        back = mirrored.points_px[INDEX[f'{other}_wrist']] * [-1, 1] + [rgb.shape[1] - 1, 0]
        assert np.linalg.norm(back - plain.points_px[INDEX[f'{side}_wrist']]) < 60
