# SPDX-License-Identifier: Apache-2.0
"""TripoSR's path with a tiny random model: image to triplane to mesh, put where the object is."""

import dataclasses

import numpy as np
import pytest

from sam3d_ros.core.errors import BackendError
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.reconstruction.completion.completer import Completer, Job
from sam3d_ros.reconstruction.config import ReconstructionConfig
from sam3d_ros.reconstruction.evidence.evidence import build_evidence
from sam3d_ros.reconstruction.generators.placing import place
from sam3d_ros.reconstruction.generators.triposr import (
    R_GRID_MESH,
    TripoSRCompletion,
    foreground,
    outward,
)
from sam3d_ros.reconstruction.reconstructor import ObjectReconstructor
from sam3d_ros.reconstruction.views import crop_view

trimesh = pytest.importorskip('trimesh', reason='made-up meshes (extra: bench)')

CENTRE, SIZE = np.array([0.0, 0.0, 0.06]), np.array([0.06, 0.1, 0.12])


@pytest.fixture(scope='module')
def view(scenes):
    frame, instances = scenes.see([scenes.Box(tuple(CENTRE), tuple(SIZE))], noise_seed=1)
    return crop_view(frame, instances, 0, with_frame=True)


def without_range(view, kept=40):
    """Return a view of the same thing, made of glass: hardly any of its pixels has a return."""
    pointmap = view.pointmap.copy()
    own = np.argwhere(view.own)
    lost = np.ones(len(own), bool)
    lost[np.linspace(0, len(own) - 1, kept).astype(int)] = False
    pointmap[tuple(own[lost].T)] = np.nan
    return dataclasses.replace(view, pointmap=pointmap)


@pytest.mark.parametrize('with_range', [True, False])
def test_a_true_shape_in_any_unit_is_put_where_it_stands(view, with_range):
    config = ReconstructionConfig().evidence
    shown = view if with_range else without_range(view, kept=5)
    evidence = build_evidence([view if with_range else without_range(view)], config)
    mesh = trimesh.creation.box(SIZE).subdivide().subdivide().subdivide()
    vertices = 7.0 * np.asarray(mesh.vertices) @ R_GRID_MESH
    S = place(vertices, np.asarray(mesh.faces, np.int32), evidence, shown, [R_GRID_MESH])
    placed = apply(evidence.grid.T_ref_grid @ S, vertices)
    truth = np.asarray(mesh.vertices) + CENTRE
    away = np.linalg.norm(placed - truth, axis=1).mean()
    assert away < (0.004 if with_range else 0.012)


def test_nothing_to_know_the_size_by_is_said(view):
    evidence = build_evidence([view], ReconstructionConfig().evidence)
    blind = dataclasses.replace(without_range(view, kept=2), support=None)
    mesh = trimesh.creation.box(SIZE)
    with pytest.raises(BackendError, match='what it stands on'):
        place(np.asarray(mesh.vertices), np.asarray(mesh.faces), evidence, blind, [R_GRID_MESH])


def test_the_image_is_the_object_on_grey(view):
    image = foreground(view)
    assert image.shape == (512, 512, 3) and image.dtype == np.float32
    own = np.abs(image - 0.5).max(axis=2) > 0.05
    rows, columns = np.nonzero(own)
    sides = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert max(sides) == pytest.approx(0.85 * 512, abs=8)
    assert (rows.min() + rows.max()) / 2 == pytest.approx(255.5, abs=3)
    seen = view.rgb[view.mask].mean(axis=0) / 255
    np.testing.assert_allclose(image[256, 256], seen, atol=0.02)


def test_faces_are_turned_outward():
    mesh = trimesh.creation.icosphere(1)
    vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces)
    for given in (faces, faces[:, ::-1]):
        turned = outward({'vertices': vertices, 'faces': given})
        assert trimesh.Trimesh(vertices, turned, process=False).volume > 0


def test_the_whole_path_runs_with_a_tiny_random_model(view, triposr):
    pytest.importorskip('torch', reason='the model is one of torch (extra: sam)')
    pytest.importorskip('open3d', reason='signed distances come from Open3D (extra: viewer)')
    completer = Completer(triposr)
    evidence = build_evidence([view], triposr.evidence)
    (completion,) = completer.load('triposr').complete([evidence])
    surface = completion.surface
    assert len(surface.faces) > 500 and len(np.unique(surface.colors, axis=0)) > 10
    mesh = trimesh.Trimesh(surface.vertices, surface.faces)
    assert mesh.is_watertight and mesh.volume > 0
    middle = apply(evidence.grid.T_ref_grid, mesh.vertices).mean(axis=0)
    assert np.linalg.norm(middle - CENTRE) < 0.04
    # A dented ball is no box: the evidence finds it wanting, and another backend takes over.
    completed = completer.complete([Job(1, (view,), 'triposr')])[0]
    completer.close()
    assert completed.backends[:1] != () and 'triposr' in completed.backends
    assert completed.shape is not None


def test_missing_installation_is_named():
    with pytest.raises(BackendError, match=r'reconstruction\.triposr\.python'):
        TripoSRCompletion(ReconstructionConfig())


def test_only_things_without_depth_go_to_it_by_option(scenes, view):
    frame, instances = scenes.see(
        [scenes.Box((0.0, 0.12, 0.05), (0.08, 0.08, 0.1)), scenes.Ball((0.0, -0.12, 0.05), 0.05)]
    )
    pointmap = frame.pointmap.copy()
    glass = instances.items[1].mask & (np.arange(frame.camera.width)[None] % 7 > 0)
    pointmap[glass] = np.nan
    frame = dataclasses.replace(frame, pointmap=pointmap)

    class Lane:
        jobs = ()

        def ask(self, jobs):
            self.jobs = tuple(jobs)

        def finished(self):
            made = Completer(ReconstructionConfig()).complete(
                [dataclasses.replace(job, backend='geometric') for job in self.jobs]
            )
            return [
                dataclasses.replace(item, backends=(job.backend,))
                for item, job in zip(made, self.jobs, strict=True)
            ]

        def keep(self, track_ids):
            pass

    asked = {}
    for backend in ('', 'triposr'):
        config = dataclasses.replace(ReconstructionConfig(), without_depth=backend)
        lane = Lane()
        made = ObjectReconstructor(config, lane)
        for _ in range(2):
            made.reconstruct(frame, scenes.tracked(instances))
            asked.setdefault(backend, []).extend((job.track_id, job.backend) for job in lane.jobs)
    assert set(asked['']) == {(1, 'volume'), (2, 'volume')}
    # At first volume answers for both.
    assert set(asked['triposr']) == {(1, 'volume'), (2, 'volume'), (2, 'triposr')}
