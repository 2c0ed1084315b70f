# SPDX-License-Identifier: Apache-2.0
"""Episodes of the world as cases of a bench: frames, posed truth, what no frame has shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sam3d_ros.bench.harness import BenchOptions
from sam3d_ros.bench.metrics.scoring import PosedMesh, Reference
from sam3d_ros.core.sensors import STRUCTURED_LIGHT
from sam3d_ros.core.types import BoolArray, Frame, Instance, Instances, Plane, Prompt
from sam3d_ros.geometry.masks import mask_box
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.geometry.visibility import judge
from sam3d_ros.pointmaps.sensor_noise.noise import RangeNoise
from sam3d_ros.world.episode import Episode
from sam3d_ros.world.rendering.sensors import depth_sensor
from sam3d_ros.world.samples import Sample, samples
from sam3d_ros.world.sources import ObjectSource, ScanSource
from sam3d_ros.world.suites import make_episode

SEEN_WITHIN_M = 0.003
"""A point of the truth counts as seen when an ideal camera saw its object this near to it."""

MIN_MASK_PX = 50


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One episode, drawn.

    :param names: of the objects.
    :param truth: objects at the last frame, fixed frame, and what no frame has shown of them.
    """

    name: str
    names: tuple[str, ...]
    samples: tuple[Sample, ...]
    frames: tuple[Frame, ...]
    truth: tuple[Reference, ...]
    support_z_m: float


def object_source(options: BenchOptions) -> ObjectSource | None:
    """Return the scans that are for scoring only, or None = procedural solids."""
    return None if options.objects is None else ScanSource(options.objects, 'test')


def bare(episode: Episode) -> Episode:
    """Return an episode with nothing around its objects but floor, wall and table."""
    slabs = tuple(item for item in episode.surroundings if item.family == 'surroundings')
    return replace(episode, surroundings=slabs)


def episode_of(
    suite: str,
    seed: int,
    source: ObjectSource | None,
    sensor: str,
    frames: int | None = None,
    sweep_deg: float | None = None,
) -> Episode:
    """Return an episode of a suite as a range camera of this name sees it.

    With ``white``, the noise that pixels do not share, colours are plain too: so were all worlds
    when that was the only noise, and figures of then can be repeated.

    :param seed: of the episode.
    :param source: where the objects come from; None = procedural solids.
    :param sensor: name of the range camera.
    :param frames: how many; None = the suite's.
    :param sweep_deg: arc of the orbit; None = the suite's.
    """
    looks = 'plain' if sensor == 'white' else 'photo'
    camera = depth_sensor(sensor)
    return make_episode(
        suite, seed, source, frames=frames, sweep_deg=sweep_deg, sensor=camera, looks=looks
    )


def as_measured(drawn: Iterable[Sample]) -> Iterator[Frame]:
    """Yield frames whose sensor model is what the camera has shown of its errors so far."""
    noise = RangeNoise(STRUCTURED_LIGHT)
    for sample in drawn:
        frame = sample.frame()
        noise.update(frame.depth_m, frame.camera.K)
        yield replace(frame, sensor=noise.model)


def cases(
    suite: str,
    count: int,
    options: BenchOptions,
    frames: int | None = None,
    sweep_deg: float | None = None,
) -> Iterator[Case]:
    """Yield ``count`` episodes of a suite, made of scans where the options name a folder.

    :param frames: of each; None = the suite's.
    :param sweep_deg: arc of the orbit; None = the suite's.
    """
    source = object_source(options)
    for seed in range(options.seed, options.seed + count):
        yield case_of(episode_of(suite, seed, source, options.sensor, frames, sweep_deg))


def case_of(episode: Episode) -> Case:
    """Return an episode as a case: drawn, with its frames and its truth."""
    drawn = tuple(samples(episode))
    last = drawn[-1].truth
    chosen = [k for k in range(len(episode.objects)) if last.present[k]]
    truth = [
        PosedMesh(
            apply(last.T_fixed_obj[k], episode.objects[k].vertices_m.astype(np.float64)),
            episode.objects[k].faces,
        )
        for k in chosen
    ]
    return Case(
        name=f'{episode.suite} {episode.seed}',
        names=tuple(episode.objects[k].name for k in chosen),
        samples=drawn,
        frames=tuple(as_measured(drawn)),
        truth=tuple(
            Reference(mesh, _unseen(mesh, k, drawn)) for mesh, k in zip(truth, chosen, strict=True)
        ),
        support_z_m=episode.support_z_m,
    )


def _unseen(mesh: PosedMesh, index: int, drawn: Sequence[Sample]) -> BoolArray:
    points = mesh.samples()
    seen = np.zeros(len(points), bool)
    for sample in drawn:
        points_cam = apply(inverse(sample.truth.T_fixed_cam), points)
        verdict = judge(points_cam, sample.camera, sample.rendering.depth_m, SEEN_WITHIN_M)
        own = sample.truth.instances[verdict.rows, verdict.columns] == index + 1
        seen |= verdict.confirmed & own
    return ~seen


class TruthSegmenter:
    """A segmenter that gives the true masks of a case's frames, by stamp."""

    def __init__(self, case: Case) -> None:
        self._samples = {sample.truth.stamp_ns: sample for sample in case.samples}
        self._support_z_m = case.support_z_m

    def segment(self, frame: Frame, prompts: Sequence[Prompt] = ()) -> Instances:
        """Return the visible mask of every object, and the true support."""
        image = self._samples[frame.stamp_ns].truth.instances
        R, t = frame.T_fixed_cam[:3, :3], frame.T_fixed_cam[:3, 3]
        support = Plane(R[2].copy(), float(t[2] - self._support_z_m))
        items = []
        for value in np.unique(image[image > 0]):
            mask = image == value
            box = mask_box(mask)
            if box is not None and mask.sum() >= MIN_MASK_PX:
                items.append(Instance(mask, 1.0, box, f'truth:{value}', support=0))
        return Instances(frame.stamp_ns, tuple(items), (support,))
