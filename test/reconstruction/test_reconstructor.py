# SPDX-License-Identifier: Apache-2.0
"""The stage as a whole: shapes agree with every ray, one frame for life, poses follow."""

from dataclasses import replace

import numpy as np
import pytest

from sam3d_ros.core.types import FaceLabel
from sam3d_ros.geometry.transforms import apply, rotation_angle
from sam3d_ros.reconstruction.completion import completer
from sam3d_ros.reconstruction.completion.completer import Completed
from sam3d_ros.reconstruction.completion.geometric import GeometricCompletion
from sam3d_ros.reconstruction.completion.lane import CompletionHere
from sam3d_ros.reconstruction.config import ReconstructionConfig
from sam3d_ros.reconstruction.evidence.evidence import build_evidence
from sam3d_ros.reconstruction.evidence.occupancy import inside_mesh
from sam3d_ros.reconstruction.reconstructor import ObjectReconstructor
from sam3d_ros.reconstruction.views import crop_view

CONFIG = replace(ReconstructionConfig(), backend='geometric')
EYES = [(-0.5, y, 0.35) for y in (0.0, 0.05, 0.10, 0.15)]


def run(scenes, solids, eyes=EYES, config=CONFIG):
    stage = ObjectReconstructor(config)
    results = []
    for number, eye in enumerate(eyes):
        frame, instances = scenes.see(solids, eye, noise_seed=number, stamp_ns=number)
        results.append((frame, stage.reconstruct(frame, scenes.tracked(instances, number + 1))))
    return results


@pytest.fixture(scope='module')
def solids(scenes):
    return [
        scenes.Box((0.0, -0.08, 0.05), (0.07, 0.11, 0.10)),
        scenes.Ball((0.0, 0.08, 0.04), 0.04),
    ]


@pytest.fixture(scope='module')
def results(scenes, solids):
    return run(scenes, solids)


def solid_iou(solid, mesh, T_fixed_obj):
    o3d = pytest.importorskip('open3d')
    vertices = apply(T_fixed_obj, mesh.vertices_m.astype(np.float64)).astype(np.float32)
    low, high = vertices.min(axis=0) - 0.04, vertices.max(axis=0) + 0.04
    axes = [np.arange(a, b, 0.004, np.float32) for a, b in zip(low, high, strict=True)]
    points = np.stack(np.meshgrid(*axes, indexing='ij'), axis=-1)
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(vertices, mesh.faces.astype(np.uint32))
    inside = scene.compute_occupancy(points).numpy() > 0.5
    truth = solid.inside(points)
    return (inside & truth).sum() / (inside | truth).sum()


def test_every_seen_track_has_a_reconstruction_every_frame(results):
    for _, out in results:
        assert [item.track_id for item in out.items] == [1, 2]
        assert all(item.backends == ('geometric',) for item in out.items)


def test_simple_solids_are_completed(results, solids):
    frame, out = results[-1]
    for solid, item in zip(solids, out.items, strict=True):
        assert solid_iou(solid, item.mesh, frame.T_fixed_cam @ item.T_cam_obj) > 0.7


def test_meshes_are_closed_outward_and_in_budget(results):
    for _, out in results:
        for item in out.items:
            faces = item.mesh.faces
            edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
            forward = {tuple(edge) for edge in edges.tolist()}
            assert len(forward) == len(edges) and all((b, a) in forward for a, b in forward)
            a, b, c = (item.mesh.vertices_m[faces[:, k]] for k in range(3))
            assert np.einsum('fc,fc->', a, np.cross(b, c)) > 0
            assert len(faces) <= CONFIG.max_faces


def test_results_agree_with_the_evidence(results):
    for _, out in results:
        for item in out.items:
            assert item.score.observed_inliers > 0.9
            assert item.score.free_volume < 0.01
            assert item.score.silhouette_iou > 0.85


def test_labels_know_the_seen_side_from_the_hidden_side(results):
    frame, out = results[0]
    mesh = out.items[1].mesh
    T = frame.T_fixed_cam @ out.items[1].T_cam_obj
    centres = apply(T, mesh.vertices_m.astype(np.float64))[mesh.faces].mean(axis=1)
    front = centres[:, 0] < -0.015
    back = centres[:, 0] > 0.02
    assert (mesh.face_labels[front] == FaceLabel.OBSERVED).mean() > 0.7
    assert (mesh.face_labels[back] == FaceLabel.OBSERVED).mean() < 0.05
    assert (mesh.face_labels == FaceLabel.CONTRADICTED).mean() < 0.02
    assert mesh.face_confidence[front].mean() > mesh.face_confidence[back].mean()


def test_colors_come_from_the_image(results):
    for _, out in results:
        for item, color in zip(out.items, ((200, 40, 40), (40, 200, 40)), strict=True):
            shade = item.mesh.colors.sum(axis=1) / sum(color)
            painted = np.abs(item.mesh.colors - shade[:, None] * color).max(axis=1) < 1.5
            assert painted.mean() > 0.98
            assert 0.4 < shade.min() <= shade.max() < 1.01
            # Its front, its top and what no view shows but does not look down.
            assert (shade > 0.99).mean() > 0.55


def test_the_object_frame_never_changes_after_confirmation(results):
    poses = [frame.T_fixed_cam @ out.items[0].T_cam_obj for frame, out in results[2:]]
    for pose in poses[1:]:
        assert np.linalg.norm(pose[:3, 3] - poses[0][:3, 3]) < 0.002
        assert rotation_angle(np.linalg.inv(poses[0]) @ pose) < 0.01


def test_a_static_object_keeps_its_mesh_and_does_not_jitter(scenes, solids):
    results = run(scenes, solids, [EYES[0]] * 6)
    meshes = [out.items[0].mesh for _, out in results]
    assert all(mesh is meshes[0] for mesh in meshes)
    places = np.array([(f.T_fixed_cam @ out.items[0].T_cam_obj)[:3, 3] for f, out in results])
    assert np.ptp(places, axis=0).max() < 0.0015


def test_a_moved_object_is_followed(scenes, solids):
    stage = ObjectReconstructor(CONFIG)
    for number in range(3):
        frame, instances = scenes.see(solids, noise_seed=number)
        first = stage.reconstruct(frame, scenes.tracked(instances, number + 1))
    moved = scenes.Box((0.06, -0.13, 0.05), (0.07, 0.11, 0.10))
    refined = []
    for number in range(3):
        frame, instances = scenes.see([moved, solids[1]], noise_seed=10 + number)
        last = stage.reconstruct(frame, scenes.tracked(instances, 4 + number))
        refined.append(last.items[0].refined)
    shift = frame.T_fixed_cam @ last.items[0].T_cam_obj - frame.T_fixed_cam @ (
        first.items[0].T_cam_obj
    )
    np.testing.assert_allclose(shift[:3, 3], [0.06, -0.05, 0.0], atol=0.005)
    assert refined[0]


def test_same_input_same_output(scenes, solids, results):
    for (_, first), (_, second) in zip(results, run(scenes, solids), strict=True):
        for a, b in zip(first.items, second.items, strict=True):
            np.testing.assert_array_equal(a.mesh.vertices_m, b.mesh.vertices_m)
            np.testing.assert_array_equal(a.T_cam_obj, b.T_cam_obj)


def test_a_batch_equals_one_by_one(scenes, solids):
    frame, instances = scenes.see(solids, noise_seed=0)
    tracks = scenes.tracked(instances)
    both = ObjectReconstructor(CONFIG).reconstruct(frame, tracks)
    for number in range(2):
        alone = type(tracks)(tracks.stamp_ns, tracks.instances, tracks.items[number : number + 1])
        item = ObjectReconstructor(CONFIG).reconstruct(frame, alone).items[0]
        np.testing.assert_array_equal(item.mesh.vertices_m, both.items[number].mesh.vertices_m)


def test_covariance_is_a_covariance(results):
    for _, out in results:
        for item in out.items:
            np.testing.assert_allclose(item.covariance, item.covariance.T, atol=1e-15)
            assert np.linalg.eigvalsh(item.covariance).min() > 0


def test_a_texture_is_made_for_the_latest_mesh_alone(scenes, solids):
    stage = ObjectReconstructor(CONFIG)
    frame, instances = scenes.see(solids, EYES[0], noise_seed=0)
    mesh = stage.reconstruct(frame, scenes.tracked(instances)).items[0].mesh
    source = stage.texture_source(1)
    assert source.mesh is mesh
    reds = source.texture().image.reshape(-1, 3).astype(int)
    assert np.abs(np.median(reds, axis=0) - [200, 40, 40]).max() < 10
    assert stage.texture_source(77) is None


def test_unseen_and_dead_tracks(scenes, solids):
    stage = ObjectReconstructor(CONFIG)
    frame, instances = scenes.see(solids)
    stage.reconstruct(frame, scenes.tracked(instances))
    empty = type(instances)(1, (), ())
    assert stage.reconstruct(frame, scenes.tracked(empty)).items == ()


def test_an_object_without_depth_is_left_out(scenes, solids):
    frame, instances = scenes.see(solids)
    frame.pointmap[instances.items[0].mask] = np.nan
    out = ObjectReconstructor(CONFIG).reconstruct(frame, scenes.tracked(instances))
    assert [item.track_id for item in out.items] == [2]


def test_published_volume_is_not_in_free_space(scenes, solids, results):
    frame, instances = scenes.see(solids, EYES[0], noise_seed=0)
    evidence = build_evidence([crop_view(frame, instances, 0)], CONFIG.evidence)
    first_frame, out = results[0]
    T = first_frame.T_fixed_cam @ out.items[0].T_cam_obj
    vertices = apply(T, out.items[0].mesh.vertices_m.astype(np.float64))
    T_grid_ref = np.linalg.inv(evidence.grid.T_ref_grid)
    in_grid = apply(T_grid_ref, vertices).astype(np.float32)
    inside = inside_mesh(in_grid, out.items[0].mesh.faces, evidence.grid)
    assert inside.sum() > 1000
    assert evidence.clear[inside].mean() < 0.01


class Scripted:
    """A backend that fails, or that copies the geometric one under another name."""

    def __init__(self, fails):
        self._fails = fails
        self._inner = GeometricCompletion(CONFIG)

    def complete(self, evidence):
        made = self._inner.complete(evidence)
        shift = np.float32(1.0 if self._fails else 0.0)
        return [
            replace(item, distance_m=item.distance_m + shift, backend='volume') for item in made
        ]


@pytest.fixture()
def scripted(monkeypatch):
    def use(fails):
        real = completer.make_backend
        monkeypatch.setattr(
            completer,
            'make_backend',
            lambda stage, name, config: (
                Scripted(fails) if name == 'volume' else real(stage, name, config)
            ),
        )

    return use


def test_a_result_that_fails_is_replaced_and_says_so(scenes, solids, scripted):
    scripted(fails=True)
    out = run(scenes, solids, EYES[:1], replace(CONFIG, backend='volume'))[0][1]
    assert all(item.backends == ('volume', 'geometric') for item in out.items)
    assert all(item.provenance.backend == 'geometric' for item in out.items)


def test_auto_shows_a_preview_then_the_better_result_in_the_same_frame(scenes, solids, scripted):
    scripted(fails=False)
    results = run(scenes, solids, [EYES[0]] * 2, replace(CONFIG, backend='auto'))
    (_, first), (_, second) = results
    assert [item.provenance.backend for item in first.items] == ['geometric'] * 2
    assert [item.provenance.backend for item in second.items] == ['volume'] * 2
    for before, after in zip(first.items, second.items, strict=True):
        assert np.linalg.norm((before.T_cam_obj - after.T_cam_obj)[:3, 3]) < 0.01


def test_without_tf_a_moving_camera_sees_objects_move_and_follows(scenes, solids):
    stage = ObjectReconstructor(CONFIG)
    for number, eye in enumerate(EYES):
        frame, instances = scenes.see(solids, eye, noise_seed=number)
        blind = replace(frame, fixed_frame='camera', T_fixed_cam=np.eye(4), up_cam=None)
        out = stage.reconstruct(blind, scenes.tracked(instances, number + 1))
    for solid, item in zip(solids, out.items, strict=True):
        assert solid_iou(solid, item.mesh, frame.T_fixed_cam @ item.T_cam_obj) > 0.6


class Later:
    """A lane that completes when the test says so."""

    def __init__(self, fails=0):
        self._here = CompletionHere(CONFIG)
        self._fails = fails
        self.asked = []

    def ask(self, jobs):
        self.asked += jobs

    def finished(self):
        return self._here.finished()

    def keep(self, track_ids):
        self._here.keep(track_ids)

    def work(self):
        for _ in range(self._fails):
            self._here._finished += [Completed(job.track_id) for job in self.asked]
        if not self._fails:
            self._here.ask(self.asked)
        self.asked = []


def test_before_its_shape_an_object_has_a_pose_and_its_points(scenes, solids):
    lane = Later()
    stage = ObjectReconstructor(CONFIG, lane)
    poses = []
    for number in range(4):
        frame, instances = scenes.see(solids, noise_seed=number)
        out = stage.reconstruct(frame, scenes.tracked(instances, number + 1))
        poses.append([frame.T_fixed_cam @ item.T_cam_obj for item in out.items])
        if number == 2:
            lane.work()
        if number < 3:
            for solid, item in zip(solids, out.items, strict=True):
                assert len(item.mesh.faces) == 0 and item.backends == ()
                points = apply(frame.T_fixed_cam @ item.T_cam_obj, item.mesh.vertices_m)
                seen = solid.hit(np.array(EYES[0]), points - np.array(EYES[0]))
                np.testing.assert_allclose(seen, 1.0, atol=0.05)
                assert len(points) > 100
    for item, before, after in zip(out.items, poses[2], poses[3], strict=True):
        assert item.backends == ('geometric',) and len(item.mesh.faces) > 0
        # The frame was final before the mesh came, and stays.
        np.testing.assert_allclose(after, before, atol=0.002)
    assert len(lane.asked) == 0


def test_a_shape_that_is_finished_after_the_last_frame_is_not_lost(scenes, solids):
    lane = Later()
    stage = ObjectReconstructor(CONFIG, lane)
    frame, instances = scenes.see(solids, noise_seed=0)
    tracks = scenes.tracked(instances)
    before = stage.reconstruct(frame, tracks)
    assert stage.late(frame).items == ()
    lane.asked = lane.asked[1:]
    lane.work()
    (item,) = stage.late(frame).items
    assert item.track_id == 2 and item.backends == ('geometric',)
    np.testing.assert_array_equal(item.T_cam_obj, before.items[1].T_cam_obj)


def test_a_first_shape_that_failed_is_asked_for_again_a_few_times(scenes, solids):
    lane, asked = Later(fails=1), []
    stage = ObjectReconstructor(CONFIG, lane)
    for _ in range(12):
        frame, instances = scenes.see(solids, noise_seed=0)
        out = stage.reconstruct(frame, scenes.tracked(instances))
        asked.append(len(lane.asked))
        lane.work()
    assert asked == [2, 0, 2, 0, 2, 0, 2, 0, 0, 0, 0, 0]
    assert len(out.items) == 2


def asked_of(scenes, solids, stage, lane, eye=EYES[0]):
    """Backends that a frame asks for, after one that takes over; work is without weights."""
    frame, instances = scenes.see(solids, eye, noise_seed=0)
    for _ in range(2):
        stage.reconstruct(frame, scenes.tracked(instances))
    asked = [job.backend for job in lane.asked]
    lane.asked = [replace(job, backend='geometric') for job in lane.asked]
    return asked


def test_a_result_that_fails_less_than_its_stand_in_is_not_asked_for_again(scenes, solids):
    lane, asked = Later(), []
    stage = ObjectReconstructor(replace(CONFIG, backend='auto'), lane)
    for _ in range(4):
        asked.append(asked_of(scenes, solids, stage, lane))
        lane.work()
        if 'volume' in asked[-1]:
            done = lane._here._finished
            done[:] = [replace(item, backends=('geometric', 'volume')) for item in done]
    assert asked == [['geometric'] * 2, ['volume'] * 2, [], []]


def test_a_preview_is_replaced_after_a_failure_and_after_a_restart(scenes, solids):
    config, lane = replace(CONFIG, backend='auto'), Later(fails=1)
    stage = ObjectReconstructor(config, lane)
    for fails in (1, 0):
        lane._fails = fails
        assert asked_of(scenes, solids, stage, lane) == ['geometric'] * 2
        lane.work()
    assert asked_of(scenes, solids, stage, lane) == ['volume'] * 2
    again = Later()
    restarted = ObjectReconstructor(config, again)
    restarted.restore(stage.state())
    assert asked_of(scenes, solids, restarted, again) == ['volume'] * 2


def test_of_the_views_of_an_object_one_holds_its_whole_frame(scenes, solids):
    lane = Later()
    stage = ObjectReconstructor(replace(CONFIG, without_depth='triposr'), lane)
    for eye in ((-0.5, 0.0, 0.35), (0.0, -0.5, 0.35), (-0.3, 0.0, 0.25)):
        assert asked_of(scenes, solids, stage, lane, eye) == ['geometric'] * 2
        for job in lane.asked:
            (whole,) = (view for view in job.views if view.frame is not None)
            assert whole.mask.sum() == max(view.mask.sum() for view in job.views)
        counts = [len(job.views) for job in lane.asked]
        lane.work()
    assert min(counts) > 1


def test_default_is_the_learned_backend(scenes, solids):
    results = run(scenes, solids, config=ReconstructionConfig())
    frame, out = results[-1]
    assert [item.provenance.backend for item in out.items] == ['volume', 'volume']
    assert all(len(item.provenance.weights_hash) == 64 for item in out.items)
    for solid, item in zip(solids, out.items, strict=True):
        assert solid_iou(solid, item.mesh, frame.T_fixed_cam @ item.T_cam_obj) > 0.7


def looked_at(scenes, stage, solid, numbers, eye=EYES[0]):
    """Show one solid in frames of these numbers, 0.1 s apart; return the last and its result."""
    for number in numbers:
        stamp_ns = number * 100_000_000
        frame, instances = scenes.see([solid], eye, noise_seed=number, stamp_ns=stamp_ns)
        out = stage.reconstruct(frame, scenes.tracked(instances, number + 1))
    return frame, out.items[0]


def test_what_was_put_elsewhere_and_turned_is_found_with_the_shape_it_had(scenes):
    stage = ObjectReconstructor(CONFIG)
    here = scenes.Box((0.0, -0.12, 0.05), (0.06, 0.12, 0.10))
    there = scenes.Box((0.0, 0.15, 0.05), (0.12, 0.06, 0.10))
    looked_at(scenes, stage, here, range(4))
    frame, item = looked_at(scenes, stage, there, range(4, 14))
    assert solid_iou(there, item.mesh, frame.T_fixed_cam @ item.T_cam_obj) > 0.7


def test_what_fits_nowhere_is_made_anew_under_its_id(scenes):
    stage = ObjectReconstructor(CONFIG)
    looked_at(scenes, stage, scenes.Box((0.0, -0.1, 0.02), (0.20, 0.05, 0.04)), range(4))
    other = scenes.Ball((0.0, 0.15, 0.06), 0.06)
    frame, item = looked_at(scenes, stage, other, range(4, 14))
    assert item.track_id == 1
    assert solid_iou(other, item.mesh, frame.T_fixed_cam @ item.T_cam_obj) > 0.7
