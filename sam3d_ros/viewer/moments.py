# SPDX-License-Identifier: Apache-2.0
"""What the page shows: moments, small enough that minutes of them fit into memory."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from sam3d_ros.core.people import People
from sam3d_ros.core.types import (
    ByteArray,
    Camera,
    Float32Array,
    FloatArray,
    Frame,
    IndexArray,
    Scene,
    Tracks,
)
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.session.result import NOBODY

MOST_POINTS = 40_000
"""Points of a pointmap that are shown."""
MOST_MOMENTS = 600
"""Beyond so many, every second of the older ones is let go."""
JPEG_QUALITY = 88
FRESH_NS = 1_000_000_000
"""What another camera saw is shown beside a moment when it is no older than this."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What one camera saw.

    :param jpeg: the colour image.
    :param ids_png: (H, W) uint16 image: the track each pixel shows, 0 = none.
    :param points_m: (N, 3) float32, fixed frame, metres; a grid of the pointmap.
    :param pixels: (N, 2) int32 column and row of each point, px.
    :param colors: (N, 3) uint8 RGB of each point.
    :param camera: the pinhole model of the image.
    :param T_fixed_cam: (4, 4) optical frame to fixed frame.
    :param camera_id: name of the camera; empty for the only one.
    :param stamp_ns: of the frame.
    :param step_px: columns of the camera's image to one of this.
    """

    jpeg: bytes
    ids_png: bytes
    points_m: Float32Array
    pixels: IndexArray
    colors: ByteArray
    camera: Camera
    T_fixed_cam: FloatArray
    camera_id: str = ''
    stamp_ns: int = 0
    step_px: int = 1

    @property
    def fov_rad(self) -> float:
        """How much the image shows from top to bottom, radians."""
        return 2 * float(np.arctan(self.camera.height / (2 * self.camera.fy)))

    def ids(self) -> IndexArray:
        """Return the (H, W) int32 track of each pixel, 0 = none."""
        decoded = cv2.imdecode(np.frombuffer(self.ids_png, np.uint8), cv2.IMREAD_UNCHANGED)
        return np.asarray(decoded, np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """What was known at one stamp.

    :param scene: all objects.
    :param people: everybody in front of the cameras.
    :param view: what a camera saw; None where only the scene is known.
    """

    stamp_ns: int
    scene: Scene
    people: People = NOBODY
    view: View | None = None


def view_of(frame: Frame, tracks: Tracks, step_px: int = 1) -> View:
    """Return what a camera saw.

    :param frame: the observation.
    :param tracks: all living tracks after it.
    :param step_px: the frame has every ``step_px``-th column and row of the camera's image.
    """
    height, width = frame.depth_m.shape
    step = max(1, int(np.ceil(np.sqrt(height * width / MOST_POINTS))))
    v, u = np.mgrid[step // 2 : height : step, step // 2 : width : step].reshape(2, -1)
    points = frame.pointmap[v, u]
    seen = np.isfinite(points[:, 2])
    u, v, points = u[seen], v[seen], points[seen].astype(np.float64)
    bgr = cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2BGR)
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    return View(
        jpeg=cv2.imencode('.jpg', bgr, quality)[1].tobytes(),
        ids_png=cv2.imencode('.png', id_image(frame, tracks), [cv2.IMWRITE_PNG_COMPRESSION, 1])[
            1
        ].tobytes(),
        points_m=apply(frame.T_fixed_cam, points).astype(np.float32),
        pixels=np.column_stack([u, v]).astype(np.int32),
        colors=frame.rgb[v, u],
        camera=frame.camera,
        T_fixed_cam=frame.T_fixed_cam,
        camera_id=frame.camera_id,
        stamp_ns=frame.stamp_ns,
        step_px=step_px,
    )


def id_image(frame: Frame, tracks: Tracks) -> npt.NDArray[np.uint16]:
    """Return the track each pixel of a frame shows, (H, W) uint16, 0 = none.

    :param frame: the observation.
    :param tracks: all living tracks after it.
    """
    ids = np.zeros(frame.depth_m.shape, np.uint16)
    for track in tracks.items:
        if track.instance >= 0:
            ids[tracks.instances.items[track.instance].mask] = track.id % 65536
    return ids


class Timeline:
    """Moments in the order of stamps; anybody may read while one thread adds.

    :param most: it keeps about so many, the older ones more sparsely.
    """

    def __init__(self, most: int = MOST_MOMENTS) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._moments: list[Moment] = []
        self.changes = 0
        """Counts what was added or changed, so that readers see it."""

    def __len__(self) -> int:
        return len(self._moments)

    def add(self, moment: Moment) -> None:
        """Add a later moment; one before the last means that time began anew."""
        with self._lock:
            if self._moments and moment.stamp_ns < self._moments[-1].stamp_ns:
                self._moments.clear()
            self._moments.append(moment)
            if len(self._moments) > self._most:
                half = len(self._moments) // 2
                self._moments = self._moments[:half:2] + self._moments[half:]
            self.changes += 1

    def put(self, scene: Scene) -> None:
        """Take a newer scene into the last moment: something changed between two frames."""
        with self._lock:
            last = self._moments[-1] if self._moments else Moment(scene.stamp_ns, scene)
            self._moments[-1:] = [replace(last, scene=scene)]
            self.changes += 1

    def at(self, index: int) -> Moment | None:
        """Return a moment by number, the last for -1; None when there is none."""
        with self._lock:
            return self._moments[min(index, len(self._moments) - 1)] if self._moments else None

    def views(self, index: int) -> dict[str, View]:
        """Return by camera what each saw last, at a moment or up to :data:`FRESH_NS` before.

        :param index: of the moment, as :meth:`at` takes it.
        """
        views: dict[str, View] = {}
        with self._lock:
            last = min(index, len(self._moments) - 1) % max(1, len(self._moments))
            upto = self._moments[: last + 1]
            for moment in reversed(upto):
                if upto[-1].stamp_ns - moment.stamp_ns > FRESH_NS:
                    break
                if moment.view is not None:
                    views.setdefault(moment.view.camera_id, moment.view)
        return dict(sorted(views.items()))

    def start_ns(self) -> int:
        """Return the stamp of the first moment, 0 when there is none."""
        with self._lock:
            return self._moments[0].stamp_ns if self._moments else 0
