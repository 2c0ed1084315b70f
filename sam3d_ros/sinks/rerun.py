# SPDX-License-Identifier: Apache-2.0
"""Results as a recording for the Rerun viewer: images with masks, meshes, boxes, people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sam3d_ros.core.errors import BackendError
from sam3d_ros.core.types import FloatArray
from sam3d_ros.messages.results.colors import id_color
from sam3d_ros.session.result import FrameResult
from sam3d_ros.viewer.moments import id_image

APPLICATION = 'sam3d_ros'
TIMELINE = 'stamp'
EVERY = 4
"""Of the pointmap, every so many rows and columns."""


class RerunSink:
    """Writes every frame into one file; meshes only when they have changed.

    :param path: of the file, .rrd.
    :raises BackendError: when the package is not installed.
    """

    def __init__(self, path: Path) -> None:
        try:
            import rerun
        except ImportError as error:
            raise BackendError(
                f'Rerun cannot be imported: {error}',
                wanted='the package rerun-sdk',
                remedy='pip install "sam3d_ros[rerun]".',
            ) from error
        self._rerun: Any = rerun
        self._recording = rerun.RecordingStream(APPLICATION)
        self._recording.save(str(path))
        self._shapes: dict[int, object] = {}
        self._people: set[int] = set()

    def write(self, result: FrameResult) -> None:
        """Write the image, its masks, the pointmap and all objects of one frame."""
        rr, log, frame = self._rerun, self._recording.log, result.frame
        self._recording.set_time(TIMELINE, timestamp=np.datetime64(frame.stamp_ns, 'ns'))
        camera = f'scene/{frame.camera_name}'
        log(camera, _pose(rr, frame.T_fixed_cam))
        size = {'width': frame.camera.width, 'height': frame.camera.height}
        log(f'{camera}/image', rr.Pinhole(image_from_camera=frame.camera.K, **size))
        log(f'{camera}/image', rr.Image(frame.rgb))
        masks = id_image(frame, result.tracks)
        log(f'{camera}/image/masks', rr.SegmentationImage(masks, opacity=0.4))
        points = frame.pointmap[::EVERY, ::EVERY]
        shown = np.isfinite(points[..., 2])
        colors = frame.rgb[::EVERY, ::EVERY][shown]
        log(f'{camera}/pointmap', rr.Points3D(points[shown], colors=colors))
        known = {item.id for item in result.scene.objects}
        for gone in self._shapes.keys() - known:
            log(f'scene/objects/{gone}', rr.Clear(recursive=True))
            del self._shapes[gone]
        for item in result.scene.objects:
            at = f'scene/objects/{item.id}'
            log(at, _pose(rr, item.T_fixed_obj))
            half = [item.size_m / 2]
            text = f'{item.id} {item.label} {item.state.name.lower()}'
            box = rr.Boxes3D(
                half_sizes=half, centers=[item.box_center_m], labels=[text],
                colors=[(255 * id_color(item.id)).astype(np.uint8)],
            )  # fmt: skip
            log(f'{at}/box', box)
            if len(item.mesh.faces) and self._shapes.get(item.id) is not item.mesh:
                mesh = rr.Mesh3D(
                    vertex_positions=item.mesh.vertices_m, triangle_indices=item.mesh.faces,
                    vertex_colors=item.mesh.colors,
                )  # fmt: skip
                log(f'{at}/mesh', mesh)
            self._shapes[item.id] = item.mesh
        here = {person.id for person in result.people.items}
        for left in self._people - here:
            log(f'scene/people/{left}', rr.Clear(recursive=True))
        self._people = here
        for person in result.people.items:
            ends = [np.stack([capsule.start_m, capsule.end_m]) for capsule in person.capsules]
            radii = [capsule.radius_m for capsule in person.capsules]
            log(f'scene/people/{person.id}', rr.LineStrips3D(ends, radii=radii))

    def close(self) -> None:
        """Finish the file."""
        self._recording.disconnect()


def _pose(rr: Any, T: FloatArray) -> Any:
    return rr.Transform3D(translation=T[:3, 3], mat3x3=T[:3, :3])
