# SPDX-License-Identifier: Apache-2.0
"""Recordings: readable by any tool, the same bytes every time, with truth that reads back."""

import hashlib

import numpy as np
import pytest
from rosbags.rosbag2 import Reader

from sam3d_ros.core.errors import ConfigurationError, RecordingError
from sam3d_ros.messages.sensors.images import depth_metres, to_rgb
from sam3d_ros.messages.transforms import transforms_from
from sam3d_ros.messages.typestore import typestore
from sam3d_ros.world.episode import with_removed, with_rings
from sam3d_ros.world.recording import COLOR, DEPTH, LIDAR_POINTS, RECORDING, write_episode
from sam3d_ros.world.rendering.sensors import depth_sensor
from sam3d_ros.world.samples import LIDAR_FRAME, LINK_FRAME, OPTICAL_FRAME, samples
from sam3d_ros.world.suites import make_episode
from sam3d_ros.world.truth import read_truth

SMALL = (160, 120)


def messages(folder):
    """Return (topic, log time, message) of a recording in order."""
    with Reader(folder / RECORDING) as reader:
        return [
            (connection.topic, stamp, typestore().deserialize_cdr(data, connection.msgtype))
            for connection, stamp, data in reader.messages()
        ]


def digests(folder):
    files = sorted(path for path in folder.rglob('*') if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def test_same_seed_same_bytes_and_another_seed_others(tmp_path):
    for name, seed in [('a', 1), ('b', 1), ('c', 2)]:
        write_episode(make_episode('spaced', seed, frames=2, size_px=SMALL), tmp_path / name)
    first, again, other = (digests(tmp_path / name) for name in 'abc')
    assert first == again
    assert first['recording/recording.mcap'] != other['recording/recording.mcap']


@pytest.mark.parametrize(('encoding', 'tolerance'), [('16UC1', 5.01e-4), ('32FC1', 0.0)])
def test_images_and_poses_are_those_of_the_samples(tmp_path, encoding, tolerance):
    episode = make_episode('single', 3, frames=2, size_px=SMALL)
    write_episode(episode, tmp_path / 'r', encoding)
    recorded = messages(tmp_path / 'r')
    colors = [m for topic, _, m in recorded if topic == COLOR.name]
    depths = [m for topic, _, m in recorded if topic == DEPTH.name]
    transforms = [m for topic, _, m in recorded if topic.startswith('/tf')]
    edges = [e for m in transforms for e in transforms_from(m)[0]]
    static = next(e.T_parent_child for e in edges if e.child == OPTICAL_FRAME)
    moving = [e.T_parent_child @ static for e in edges if e.child == LINK_FRAME]
    for index, sample in enumerate(samples(episode)):
        assert np.array_equal(to_rgb(colors[index]), sample.rgb)
        assert depths[index].encoding == encoding
        depth = depth_metres(depths[index])
        assert np.array_equal(np.isnan(depth), np.isnan(sample.depth_m))
        assert np.nanmax(np.abs(depth - sample.depth_m)) <= tolerance
        assert np.allclose(moving[index], sample.truth.T_fixed_cam, atol=1e-12)
        stamp = colors[index].header.stamp
        assert stamp.sec * 10**9 + stamp.nanosec == sample.truth.stamp_ns
        assert colors[index].header.frame_id == OPTICAL_FRAME


def test_every_image_has_its_calibration_beside_it(tmp_path):
    episode = make_episode('single', 3, frames=1, size_px=SMALL)
    write_episode(episode, tmp_path / 'r')
    recorded = messages(tmp_path / 'r')
    infos = [m for topic, _, m in recorded if topic.endswith('/camera_info')]
    assert len(infos) == 2
    for info in infos:
        assert np.allclose(info.k.reshape(3, 3), episode.camera.K)
        assert (info.width, info.height) == SMALL
    times = [stamp for _, stamp, _ in recorded]
    assert times == sorted(times)


def test_a_world_without_objects_reads_back_too(tmp_path):
    write_episode(make_episode('empty_table', 1, frames=2, size_px=SMALL), tmp_path / 'r')
    truth = read_truth(tmp_path / 'r')
    assert truth.objects == () and truth.frames[1].amodal.shape == (0, 120, 160)
    assert not truth.frames[1].instances.any()


def test_truth_reads_back_as_drawn(tmp_path):
    episode = with_removed(make_episode('stacked', 2, frames=3, size_px=SMALL), 1, 2)
    written = write_episode(episode, tmp_path / 'r')
    truth = read_truth(tmp_path / 'r')
    assert (truth.suite, truth.seed, truth.source) == ('stacked', 2, 'procedural solids')
    assert np.array_equal(truth.camera.K, episode.camera.K)
    for solid, original in zip(truth.objects, episode.objects, strict=True):
        assert (solid.name, solid.family) == (original.name, original.family)
        assert np.array_equal(solid.vertices_m, original.vertices_m)
        assert np.array_equal(solid.faces, original.faces)
        assert np.array_equal(solid.colors, original.colors)
    for found, drawn in zip(truth.frames, written.frames, strict=True):
        assert found.stamp_ns == drawn.stamp_ns
        for name in ('T_fixed_cam', 'T_fixed_obj', 'present', 'instances', 'amodal'):
            assert np.array_equal(getattr(found, name), getattr(drawn, name)), name
        assert np.array_equal(found.occlusion, drawn.occlusion, equal_nan=True)
    assert not truth.frames[2].present[1] and np.isnan(truth.frames[2].occlusion[1])
    assert not (truth.frames[2].instances == 2).any() and truth.frames[1].amodal[1].any()


def test_lidar_points_lie_on_the_world_once_each_is_moved_by_its_own_pose(tmp_path):
    episode = with_rings(make_episode('lidar', 1, frames=2, size_px=SMALL), 16)
    write_episode(episode, tmp_path / 'r')
    recorded = messages(tmp_path / 'r')
    clouds = [m for topic, _, m in recorded if topic == LIDAR_POINTS.name]
    assert len(clouds) == 2 and not any(topic == DEPTH.name for topic, _, _ in recorded)
    cloud = clouds[0]
    assert cloud.header.frame_id == LIDAR_FRAME
    assert [field.name for field in cloud.fields] == ['x', 'y', 'z', 'intensity', 'ring', 'time']
    packed = np.dtype(
        [(n, '<f4') for n in 'xyz'] + [('i', '<f4'), ('ring', '<u2'), ('time', '<f4')]
    )
    points = cloud.data.view(packed)
    assert points.size == cloud.width and points['ring'].max() == 15
    assert points['time'].min() >= 0 and points['time'].max() < 0.1
    transforms = [m for topic, _, m in recorded if topic.startswith('/tf')]
    edges = [e for m in transforms for e in transforms_from(m)[0]]
    mount = next(e.T_parent_child for e in edges if e.child == LIDAR_FRAME)
    first = min((e for e in edges if e.child == LINK_FRAME), key=lambda e: e.stamp_ns)
    stamp_ns = cloud.header.stamp.sec * 10**9 + cloud.header.stamp.nanosec
    assert first.stamp_ns <= stamp_ns
    held = points[points['time'] < 0.05]
    local = np.column_stack([held['x'], held['y'], held['z']]).astype(float)
    T = first.T_parent_child @ mount
    heights = local @ T[2, :3] + T[2, 3]
    assert np.abs(heights).min() < 0.01 and np.percentile(np.abs(heights), 20) < 0.02, 'the floor'


def test_occlusion_is_hidden_share_and_ideal_depth_is_exact():
    episode = make_episode('clutter', 0, frames=1, size_px=SMALL, sensor=depth_sensor('ideal'))
    sample = next(samples(episode))
    truth = sample.truth
    for index, mask in enumerate(truth.amodal):
        hidden = 1 - (truth.instances == index + 1).sum() / mask.sum()
        assert truth.occlusion[index] == pytest.approx(hidden)
    frame = sample.frame()
    assert np.array_equal(frame.depth_m, sample.rendering.depth_m, equal_nan=True)
    assert np.allclose(frame.T_fixed_cam[:3, :3] @ frame.up_cam, [0, 0, 1])


def test_bad_requests_say_what_is_wrong(tmp_path):
    episode = make_episode('single', 0, frames=1, size_px=SMALL)
    with pytest.raises(ConfigurationError, match='8UC1'):
        write_episode(episode, tmp_path / 'r', '8UC1')
    (tmp_path / 'full').mkdir()
    (tmp_path / 'full' / 'x').touch()
    with pytest.raises(RecordingError, match='not empty'):
        write_episode(episode, tmp_path / 'full')
    with pytest.raises(RecordingError, match=r'truth\.json'):
        read_truth(tmp_path)
