# SPDX-License-Identifier: Apache-2.0
"""Frames with boxes beside them: read, measured by two ways, pictured."""

import json

import cv2
import numpy as np
import pytest

pytest.importorskip('open3d', reason='the bench of segmentation needs the extra: bench')
pytest.importorskip('matplotlib', reason='reports need the extra: bench')

from sam3d_ros.bench.harness import BenchOptions
from sam3d_ros.bench.masks import segmentation
from sam3d_ros.bench.masks.boxes_segmentation import measure_boxes
from sam3d_ros.bench.masks.real_frames import read_box_frame
from sam3d_ros.bench.peers.peers_segmentation import open3d_tutorial
from sam3d_ros.core.errors import InputError

HEIGHT, WIDTH = 720, 1280
CUP = {
    'name': 'cup',
    'box': [300, 200, 500, 400],
    'point': [400, 300],
    'transparent': False,
    'on': 'table',
    'occluded': 'no',
}
LABELS = {'frame': 'desk', 'objects': [CUP], 'ignore': [[0, 0, 100, 100]]}


def write_frame(folder, name='desk', labels=LABELS, sensor='RealSense D435'):
    """Write a plane at 1 m with a step towards the camera where the cup is."""
    depth_mm = np.full((HEIGHT, WIDTH), 1000, np.uint16)
    depth_mm[200:400, 300:500] = 900
    depth_mm[:, :20] = 0
    depth_mm[600:, 1200:] = 60000  # a return from far away: the scene is no metre wide
    rgb = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    rgb[..., 0] = 200
    png = np.frombuffer(cv2.imencode('.png', rgb[..., ::-1])[1].tobytes(), np.uint8)
    K = np.array([[900.0, 0, 640], [0, 900, 360], [0, 0, 1]])
    path = folder / f'{name}.npz'
    np.savez(path, rgb_png=png, depth_mm=depth_mm, K=K, sensor=sensor)
    path.with_suffix('.json').write_text(json.dumps(labels))
    return path


def truth(frame):
    labels = np.zeros(frame.depth_m.shape, np.int32)
    labels[200:400, 300:500] = 4
    return labels


def nothing(frame):
    return np.zeros(frame.depth_m.shape, np.int32)


def test_frame_is_read_as_described(tmp_path):
    item = read_box_frame(write_frame(tmp_path))
    assert (item.name, item.sensor) == ('desk', 'RealSense D435')
    assert item.frame.rgb.shape == (HEIGHT, WIDTH, 3)
    assert item.frame.rgb[0, 0].tolist() == [200, 0, 0]
    assert item.frame.depth_m[300, 400] == pytest.approx(0.9)
    assert np.isnan(item.frame.depth_m[0, 0])
    assert item.labels.objects[0].box_px == (300, 200, 500, 400)
    assert item.labels.ignore == ((0, 0, 100, 100),)


@pytest.mark.parametrize(
    'labels',
    [
        [],
        {'objects': [CUP]},
        {'objects': [{**CUP, 'box': [5, 5, 5, 9]}], 'ignore': []},
        {'objects': [{**CUP, 'point': [WIDTH, 0]}], 'ignore': []},
    ],
)
def test_labels_of_another_kind_are_refused_by_name(tmp_path, labels):
    path = write_frame(tmp_path, labels=labels)
    with pytest.raises(InputError, match=r'desk\.json'):
        read_box_frame(path)


def test_figures_of_two_ways_per_sensor_and_a_picture_of_every_frame(tmp_path):
    paths = [write_frame(tmp_path), write_frame(tmp_path, 'shelf', sensor='Azure Kinect')]
    ways = {'truth': truth, 'nothing': nothing}
    measured = measure_boxes(map(read_box_frame, paths), ways, tmp_path / 'labels')
    values = measured.values
    assert (values['boxes_frames'], values['boxes_objects']) == (2, 2)
    assert values['boxes_recall'] == values['boxes_precision'] == 1.0
    assert values['boxes_azure_kinect_recall'] == 1.0
    assert values['boxes_peer_realsense_d435_recall'] == 0.0
    assert len(measured.tables[0].rows) == 6
    assert len(measured.tables[1].rows) == len(measured.pictures) == 2
    for picture in measured.pictures:
        assert picture.image.shape == (506, 900, 3)
        assert 'found 1 of 1' in picture.caption
    saved = cv2.imread(str(tmp_path / 'labels' / 'shelf.png'), cv2.IMREAD_UNCHANGED)
    assert saved.dtype == np.uint16
    assert saved.shape == (HEIGHT, WIDTH)
    assert saved[300, 400] == 4


def test_pictures_come_worst_first_and_tell_found_from_missed(tmp_path):
    paths = [write_frame(tmp_path, name) for name in ('seen', 'unseen')]
    frames = [read_box_frame(path) for path in paths]

    def half_blind(frame):
        return nothing(frame) if frame is frames[1].frame else truth(frame)

    measured = measure_boxes(frames, {'ours': half_blind, 'peer': nothing}, None)
    missed, found = measured.pictures
    assert missed.caption.startswith('unseen')
    scale = 900 / WIDTH
    side = round(300 * scale), round(300 * scale)  # on the left side of the cup's box
    assert missed.image[side].tolist() == [255, 0, 0]
    assert found.image[side].tolist() == [0, 220, 0]


def test_tutorial_finds_a_step_on_a_plane_beside_a_far_return(tmp_path):
    frame = read_box_frame(write_frame(tmp_path)).frame
    labels = open3d_tutorial(frame)
    value = labels[300, 400]
    assert value > 0
    assert (labels[210:390, 310:490] == value).all()
    assert (labels[450:550, 200:800] == 0).all()


def test_folder_of_both_kinds_makes_two_sets(tmp_path, monkeypatch):
    boxed = write_frame(tmp_path)
    with np.load(boxed) as stored:
        kept = {key: stored[key] for key in ('rgb_png', 'depth_mm', 'K')}
    inst = np.ones((HEIGHT, WIDTH), np.uint8)
    inst[200:400, 300:500] = 2
    np.savez(tmp_path / 'osd_like.npz', inst=inst, **kept)
    monkeypatch.setattr(segmentation, 'WORLD_FRAMES', {'clutter': (1, 1)})
    monkeypatch.setattr(segmentation, 'open3d_tutorial', truth)
    values = segmentation.run(BenchOptions(data=(tmp_path,), quick=True)).values
    assert (values['boxes_frames'], values['real_frames']) == (1, 1)
    assert values['boxes_peer_recall'] == values['real_peer_recall_iou50'] == 1.0
