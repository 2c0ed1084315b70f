# SPDX-License-Identifier: Apache-2.0
"""How poses keep up with a camera, live: when they are on the wire, and whether they are true.

The nodes run as ``sam3d up`` starts them. Poses are timed from the image's CameraInfo, as in
:mod:`.latency`, and compared with the truth of their stamps.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sam3d_ros.bench.harness import BenchOptions
from sam3d_ros.bench.live import latency
from sam3d_ros.bench.metrics import metrics_layout as layout
from sam3d_ros.bench.metrics.scoring import MATCH_IOU, PosedMesh
from sam3d_ros.core.errors import BackendError
from sam3d_ros.core.types import Float32Array, FloatArray, IndexArray
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.messages import topics
from sam3d_ros.messages.results.scene import scene_from
from sam3d_ros.messages.transforms import transform_from
from sam3d_ros.messages.typestore import typestore
from sam3d_ros.world.truth import Truth, read_truth

WARM_UP_S = 10.0
"""So much of a live run is left out at its start, or half of a shorter one."""
ANSWERED = 7 / 8
"""A frame is answered when so many of the true objects that were found have a pose of its stamp;
ghosts answer nothing."""
IN_SIGHT = 0.9
"""A true object counts when some frame has less of it hidden than this share."""
NEAR_M = 0.01
"""A pose is steady when it is this near to where its object, which stands still, settles; right
when it puts the surface this near to the true one, in the mean of both ways."""
EVERY = 12
"""Of the points of a surface, so many for one that is compared."""


@dataclass(slots=True)
class ObjectPoses:
    """Reads the poses of objects in /tf messages; the first one of each at a stamp counts.

    :param by_stamp: stamp (ns) to the name of each object's frame and its (4, 4) pose.
    :param told_s: stamp to the name of each and when it arrived, steady clock.
    """

    by_stamp: dict[int, dict[str, FloatArray]] = field(default_factory=dict)
    told_s: dict[int, dict[str, float]] = field(default_factory=dict)

    def __call__(self, data: bytes) -> int | None:
        """Return the stamp of a message with objects, else None."""
        message = typestore().deserialize_cdr(data, topics.TF.type)
        now_s = time.monotonic()
        poses, stamp_ns = {}, None
        for item in message.transforms:  # type: ignore[attr-defined]
            if item.child_frame_id.startswith(latency.OBJECT_PREFIX):
                edge = transform_from(item)
                poses[edge.child], stamp_ns = edge.T_parent_child, edge.stamp_ns
        if stamp_ns is not None:
            self.by_stamp[stamp_ns] = poses | self.by_stamp.get(stamp_ns, {})
            known = self.told_s.get(stamp_ns, {})
            self.told_s[stamp_ns] = dict.fromkeys(poses, now_s) | known
        return stamp_ns


@dataclass(frozen=True, slots=True)
class Live:
    """How poses kept up with a camera.

    :param hz: images a second.
    :param objects: true objects that the images show.
    :param found: how many of them had a pose and a mesh at the end.
    :param answered: share of the images that enough of these have a pose of.
    :param poses_hz: answers a second.
    :param p50_s: median of image to poses, seconds.
    :param p95_s: its 95th percentile.
    :param steady: share of the poses that are where their object settles.
    :param right: share of the poses that put their object's final mesh where the truth is.
    """

    hz: float
    objects: int
    found: int
    answered: float
    poses_hz: float
    p50_s: float
    p95_s: float
    steady: float
    right: float


def live(world: Path, hz: float, options: BenchOptions) -> Live:
    """Return how poses keep up with the images of a world.

    :param world: folder of the written episode.
    :param hz: its images a second.
    :param options: configuration under test.
    :raises BackendError: when no image was answered.
    """
    from sam3d_ros.nodes.links import stamp_of
    from sam3d_ros.ros.arrivals import Reader

    poses = ObjectPoses()
    lists: dict[int, bytes] = {}

    def keep(data: bytes) -> int:
        lists[0] = data
        return stamp_of(data)

    readers: dict[topics.Topic, Reader] = {
        latency.SENT: stamp_of,
        topics.TF: poses,
        latency.resolved(topics.OBJECTS): keep,
    }
    with latency.watched_graph(options, readers) as (processes, arrivals):
        processes.start('replay', latency.replay_command(world, 1.0))
        latency.wait(lambda: processes.exit_code('replay') == 0, processes, latency.PLAY_TIMEOUT_S)
        sent_s = arrivals.times_s(latency.SENT.name)
        if not poses.told_s or not lists:
            raise BackendError('no image was answered', remedy=latency.logs(processes))
    listed = scene_from(typestore().deserialize_cdr(lists[0], topics.OBJECTS.type))
    meshes = {
        f'{latency.OBJECT_PREFIX}{item.id}': _mesh(item.mesh.vertices_m, item.mesh.faces)
        for item in listed.objects
        if len(item.mesh.faces)
    }
    return figures(hz, sent_s, poses.told_s, poses.by_stamp, meshes, read_truth(world))


def figures(
    hz: float,
    sent_s: Mapping[int, float],
    told_s: Mapping[int, Mapping[str, float]],
    poses: Mapping[int, Mapping[str, FloatArray]],
    meshes: Mapping[str, PosedMesh],
    truth: Truth,
) -> Live:
    """Return the figures of one live run.

    :param hz: images a second.
    :param sent_s: stamp (ns) to when its image was sent.
    :param told_s: stamp to when the pose of each object arrived.
    :param poses: stamp to the (4, 4) poses of the objects that had one, by their frame's name.
    :param meshes: of the objects at the end, each in its own frame.
    :param truth: of the world.
    """
    first, last = min(sent_s.values()), max(sent_s.values())
    start = first + min(WARM_UP_S, 0.5 * (last - first))
    timed = sorted(stamp for stamp, at in sent_s.items() if at >= start)
    in_sight = (np.stack([frame.occlusion for frame in truth.frames]) < IN_SIGHT).any(axis=0)
    true_of = _matched(poses, meshes, truth)
    enough = max(ANSWERED * len(true_of), 1)
    waited = {}
    for stamp in timed:
        came_s = sorted(at for name, at in told_s.get(stamp, {}).items() if name in true_of)
        if len(came_s) >= enough:
            # As soon as enough of them have one.
            waited[stamp] = came_s[int(np.ceil(enough)) - 1] - sent_s[stamp]
    answered, waits = list(waited), list(waited.values()) or [float('nan')]
    seen = [(stamp, name) for stamp in answered for name in poses[stamp].keys() & true_of.keys()]
    return Live(
        hz=hz,
        objects=int(in_sight.sum()),
        found=len(true_of),
        answered=len(answered) / len(timed),
        poses_hz=len(answered) / max(last - start, 1e-9),
        p50_s=float(np.quantile(waits, 0.5)),
        p95_s=float(np.quantile(waits, 0.95)),
        steady=_share_near(_off_settled(seen, poses)),
        right=_share_near(_off_truth(seen, poses, meshes, true_of, truth)),
    )


def _matched(
    poses: Mapping[int, Mapping[str, FloatArray]], meshes: Mapping[str, PosedMesh], truth: Truth
) -> dict[str, int]:
    """Return by an object's name which true object it is at the end: the one whose box it has."""
    last = {name: T for stamp in sorted(poses) for name, T in poses[stamp].items()}
    names = sorted(meshes.keys() & last.keys())
    if not names:
        return {}
    bounds = _bounds((last[name], meshes[name]) for name in names)
    true = [_mesh(solid.vertices_m, solid.faces) for solid in truth.objects]
    true_bounds = _bounds(zip(truth.frames[-1].T_fixed_obj, true, strict=True))
    pairs = layout.match(layout.pairwise_box_iou(bounds, true_bounds), MATCH_IOU)
    return {names[row]: column for row, column in pairs}


def _mesh(vertices_m: FloatArray | Float32Array, faces: IndexArray) -> PosedMesh:
    return PosedMesh(vertices_m.astype(np.float64), faces)


def _bounds(posed: Iterable[tuple[FloatArray, PosedMesh]]) -> FloatArray:
    return np.stack([PosedMesh(apply(T, it.vertices_m), it.faces).bounds() for T, it in posed])


def _off_settled(
    seen: Sequence[tuple[int, str]], poses: Mapping[int, Mapping[str, FloatArray]]
) -> list[float]:
    """Return how far each seen pose is from the median of its object's places, metres."""
    places: dict[str, list[FloatArray]] = {}
    for stamp, name in seen:
        places.setdefault(name, []).append(poses[stamp][name][:3, 3])
    settled = {name: np.median(at, axis=0) for name, at in places.items()}
    return [float(np.linalg.norm(at - settled[name])) for name in places for at in places[name]]


def _off_truth(
    seen: Sequence[tuple[int, str]],
    poses: Mapping[int, Mapping[str, FloatArray]],
    meshes: Mapping[str, PosedMesh],
    true_of: Mapping[str, int],
    truth: Truth,
) -> list[float]:
    """Return how far each seen pose puts its object's surface from the true one, metres."""
    frames = {frame.stamp_ns: frame for frame in truth.frames}
    found = {name: meshes[name].samples()[::EVERY] for name in true_of}
    true = [_mesh(it.vertices_m, it.faces).samples()[::EVERY] for it in truth.objects]
    return [
        layout.add_s(
            apply(poses[stamp][name], found[name]),
            apply(frames[stamp].T_fixed_obj[true_of[name]], true[true_of[name]]),
            diameter_m=1.0,
        )
        for stamp, name in seen
    ]


def _share_near(off_m: Sequence[float]) -> float:
    return float((np.array(off_m) < NEAR_M).mean()) if off_m else float('nan')
