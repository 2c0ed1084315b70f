# SPDX-License-Identifier: Apache-2.0
"""Bench of texture: colours of what no view has shown, against the truth of made-up worlds.

What is hidden gets the colour of its mirror image where the views show that, else the nearest;
beside it stand the nearest alone and the mean of what was seen. What a network that predicts
colours could gain is told by two ways that know the truth: the best single colour for all that is
hidden of an object, and ours in the true brightness of each point, which is a matter of light.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from sam3d_ros.bench.harness import BenchOptions, Measurement, Picture, Table, Value
from sam3d_ros.bench.worlds import MIN_MASK_PX, SEEN_WITHIN_M, object_source
from sam3d_ros.core.types import (
    BoolArray,
    ByteArray,
    FloatArray,
    Instance,
    Instances,
    Plane,
)
from sam3d_ros.geometry.masks import mask_box
from sam3d_ros.geometry.shapes.meshes import vertex_normals
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.geometry.visibility import judge
from sam3d_ros.reconstruction.appearance.appearance import coloured
from sam3d_ros.reconstruction.completion.completer import Completer, Job
from sam3d_ros.reconstruction.evidence.evidence import build_evidence
from sam3d_ros.reconstruction.surface.labels import centres_and_normals
from sam3d_ros.reconstruction.surface.nearest import nearest_feet
from sam3d_ros.reconstruction.views import crop_view
from sam3d_ros.world.episode import Episode
from sam3d_ros.world.rendering.light import Light, Shadow
from sam3d_ros.world.rendering.surface import Surface
from sam3d_ros.world.samples import Sample, samples
from sam3d_ros.world.suites import make_episode

COUNTS = {'spaced': (8, 1)}
"""Episodes of each suite: full, quick."""
FRAMES = 3
POINTS = 3000
WORST_PICTURED = 10
WAYS = {
    'own': 'ours: mirrored, else nearest',
    'nearest': 'nearest alone',
    'mean': 'the mean of what was seen',
    'told': 'told the truth: the best single colour',
    'bright': 'told the truth: ours as bright as it is',
}


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """Points on one true object.

    :param points: (P, 3) fixed frame.
    :param colors: (P, 3) float64 RGB in the light that is on them, 0..255.
    :param seen: (P,) whether some frame has shown them.
    """

    points: FloatArray
    colors: FloatArray
    seen: BoolArray


def run(options: BenchOptions) -> Measurement:
    """Colour the meshes of the configured backend from a few views, true masks given."""
    values: dict[str, Value] = {}
    rows: list[tuple[str, ...]] = []
    gallery: list[tuple[float, Picture]] = []
    completer = Completer(options.config.reconstruction)
    for suite in options.chosen(COUNTS):
        full, quick = COUNTS[suite]
        errors: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
        for seed in range(options.seed, options.seed + (quick if options.quick else full)):
            episode = make_episode(
                suite, seed, object_source(options), frames=FRAMES, looks='plain'
            )
            for name, truth, shown in _coloured(episode, completer, options):
                off = {way: np.abs(shown[way] - truth.colors).mean(axis=1) for way in WAYS}
                if truth.seen.all() or not truth.seen.any():
                    continue
                for way, error in off.items():
                    errors[way].append((error[truth.seen].mean(), error[~truth.seen].mean()))
                hidden = float(off['own'][~truth.seen].mean())
                caption = f'{suite} {seed}: {name}; truth, ours, from both sides along x; hidden '
                caption += f'points off by {hidden:.0f} of 255'
                gallery.append((-hidden, Picture(caption, _drawn(truth, shown['own']))))
        for way, label in WAYS.items():
            seen, hidden = np.mean(errors[way] or [(np.nan, np.nan)], axis=0)
            values |= {f'{suite}_{way}_seen': float(seen), f'{suite}_{way}_hidden': float(hidden)}
            rows.append((f'{suite}, {label}', f'{seen:.1f}', f'{hidden:.1f}'))
        values[f'{suite}_objects'] = len(errors['own'])
    gallery.sort(key=lambda item: item[0])
    table = Table('mean error of colours, of 255, true masks', ('', 'seen', 'hidden'), tuple(rows))
    pictures = tuple(picture for _, picture in gallery[:WORST_PICTURED])
    return Measurement('texture', values, (table,), pictures)


def _coloured(
    episode: Episode, completer: Completer, options: BenchOptions
) -> Iterator[tuple[str, Look, dict[str, FloatArray]]]:
    """Yield name, truth and what each way gives its points, of the objects of an episode."""
    drawn = tuple(samples(episode))
    config = options.config.reconstruction
    for index, solid in enumerate(episode.objects):
        views = []
        for sample in drawn:
            mask = sample.truth.instances == index + 1
            box = mask_box(mask)
            if box is None or mask.sum() < MIN_MASK_PX:
                continue
            frame = sample.frame()
            T = frame.T_fixed_cam
            support = Plane(T[2, :3].copy(), float(T[2, 3] - episode.support_z_m))
            items = (Instance(mask, 1.0, box, 'truth', support=0),)
            views.append(crop_view(frame, Instances(frame.stamp_ns, items, (support,)), 0))
        if not views:
            continue
        (made,) = completer.complete([Job(index, tuple(views), config.completer)])
        if made.shape is None:
            continue
        truth = true_look(episode, drawn, index)
        evidence = build_evidence(views, config.evidence)
        T_grid_ref = inverse(evidence.grid.T_ref_grid)
        mesh = made.shape.mesh
        vertices = apply(T_grid_ref, mesh.vertices_m.astype(np.float64)).astype(np.float32)
        appearance, _ = coloured(vertices, vertex_normals(vertices, mesh.faces), evidence)
        feet = nearest_feet(
            apply(T_grid_ref, truth.points).astype(np.float32), vertices, mesh.faces
        )
        corners = vertices[mesh.faces[feet.faces]]
        places = np.einsum('pc,pcx->px', feet.weights, corners).astype(np.float32)
        normals = centres_and_normals(vertices, mesh.faces)[1][feet.faces]
        shown = {
            'own': appearance.colors(places, normals).astype(np.float64),
            'nearest': replace(appearance, mirror=None).colors(places, normals).astype(float),
        }
        seen = shown['own'][truth.seen] if truth.seen.any() else shown['own']
        shown['mean'] = np.where(truth.seen[:, None], shown['own'], seen.mean(axis=0))
        best = np.median(truth.colors[~truth.seen], axis=0) if not truth.seen.all() else seen[0]
        shown['told'] = np.where(truth.seen[:, None], shown['own'], best)
        brightness = truth.colors.sum(axis=1) / np.maximum(shown['own'].sum(axis=1), 1.0)
        bright = np.clip(shown['own'] * brightness[:, None], 0.0, 255.0)
        shown['bright'] = np.where(truth.seen[:, None], shown['own'], bright)
        yield solid.name, truth, shown


def true_look(episode: Episode, drawn: tuple[Sample, ...], index: int) -> Look:
    """Return points on one object with their true colours in the episode's light.

    :param drawn: the frames.
    :param index: of the object.
    """
    light = episode.light
    assert isinstance(light, Light), 'plain looks have one lamp and what comes from all sides'
    rng = np.random.default_rng(0)
    solid, last = episode.objects[index], drawn[-1].truth
    corners = solid.vertices_m[solid.faces]
    sides = corners[:, 1:] - corners[:, :1]
    area = np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1)
    face = rng.choice(len(area), POINTS, p=area / area.sum()).astype(np.int32)
    weights = rng.dirichlet(np.ones(3), POINTS).astype(np.float32)
    places = np.einsum('pc,pcx->px', weights, corners[face])
    points = apply(last.T_fixed_obj[index], places.astype(np.float64))
    surfaces = [Surface([item]) for item in episode.objects]
    turned = last.T_fixed_obj[index][:3, :3].T
    colors = light.shade(
        surfaces[index].colors(face, weights[:, 1:])[None],
        (surfaces[index].normals(face, weights[:, 1:]) @ turned)[None].astype(np.float32),
        np.ones((1, POINTS), np.float32),
        points[None].astype(np.float32),
        np.eye(4),
        Shadow(light, surfaces, last.T_fixed_obj, last.present),
    )[0]
    seen = np.zeros(POINTS, bool)
    for sample in drawn:
        points_cam = apply(inverse(sample.truth.T_fixed_cam), points)
        verdict = judge(points_cam, sample.camera, sample.rendering.depth_m, SEEN_WITHIN_M)
        own = sample.truth.instances[verdict.rows, verdict.columns] == index + 1
        seen |= verdict.confirmed & own
    return Look(points, colors.astype(np.float64), seen)


def _drawn(truth: Look, shown: FloatArray) -> ByteArray:
    """Truth and result as points in one row: along x and against it, the nearest on top."""
    low, high = truth.points.min(axis=0), truth.points.max(axis=0)
    size = 240
    at = ((truth.points - low) / float((high - low).max()) * (size - 12) + 4).astype(int)
    panels = []
    for colors in (truth.colors, shown):
        for sign in (1.0, -1.0):
            panel = np.full((size, size, 3), 245, np.uint8)
            for k in np.argsort(sign * truth.points[:, 0]):
                row, column = size - 8 - at[k, 2], at[k, 1]
                panel[row : row + 4, column : column + 4] = np.clip(colors[k], 0, 255)
            panels.append(panel)
    return np.concatenate(panels, axis=1)
