# SPDX-License-Identifier: Apache-2.0
"""The truth beside a recording: meshes, poses, masks and occlusion, written and read.

``truth.json`` names suite, seed, frames and objects, ``truth.npz`` holds the arrays per frame,
``meshes/*.ply`` the objects in their own frames.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh

from sam3d_ros.core.errors import RecordingError
from sam3d_ros.core.types import BoolArray, ByteArray, Camera, FloatArray
from sam3d_ros.world.solid import Solid

VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class FrameTruth:
    """What is true of one frame.

    :param stamp_ns: the frame's stamp.
    :param T_fixed_cam: (4, 4) float64, optical frame to fixed frame.
    :param T_fixed_obj: (N, 4, 4) float64, object frames to fixed frame.
    :param present: (N,) bool, False = the object is not in the world now.
    :param instances: (H, W) uint8, 1-based index of the object seen, 0 = none.
    :param amodal: (N, H, W) bool, each object's mask as if it stood alone.
    :param occlusion: (N,) float64, share of the amodal mask that is hidden; NaN when the object
        is not in the picture.
    """

    stamp_ns: int
    T_fixed_cam: FloatArray
    T_fixed_obj: FloatArray
    present: BoolArray
    instances: ByteArray
    amodal: BoolArray
    occlusion: FloatArray

    def object_of(self, mask: BoolArray) -> int | None:
        """Return the index of the object whose visible pixels a mask is, None = of none.

        :param mask: (H, W) bool, which agrees with them by an IoU of one half or more.
        """
        inside = np.bincount(self.instances[mask], minlength=len(self.amodal) + 1)[1:]
        visible = np.bincount(self.instances.ravel(), minlength=len(self.amodal) + 1)[1:]
        union = np.count_nonzero(mask) + visible - inside
        found = np.flatnonzero((inside > 0) & (2 * inside >= union))
        return int(found[0]) if len(found) else None


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What is true of a recording.

    :param source: where its objects came from, in words.
    :param support_z_m: height of the surface that the objects stand on, fixed frame.
    :param objects: object k of every frame; meshes in the object frame.
    """

    suite: str
    seed: int
    source: str
    fixed_frame: str
    support_z_m: float
    camera: Camera
    objects: tuple[Solid, ...]
    frames: tuple[FrameTruth, ...]


def occlusion(instances: ByteArray, amodal: BoolArray) -> FloatArray:
    """Return (N,) share of each (N, H, W) amodal mask that the id image does not show.

    :param instances: (H, W) uint8 id image.
    """
    whole = amodal.sum(axis=(1, 2)).astype(np.float64)
    seen = np.bincount(instances.reshape(-1), minlength=len(amodal) + 1)[1 : len(amodal) + 1]
    hidden: FloatArray = np.where(whole > 0, 1.0 - seen / np.maximum(whole, 1), np.nan)
    return hidden


def write_truth(truth: Truth, folder: Path) -> None:
    """Write the truth into an existing folder; the bytes depend on the truth alone."""
    (folder / 'meshes').mkdir()
    for solid in truth.objects:
        (folder / _mesh_file(solid)).write_bytes(_ply(solid))
    document = {
        'version': VERSION,
        'suite': truth.suite,
        'seed': truth.seed,
        'source': truth.source,
        'frame': truth.fixed_frame,
        'support_z_m': truth.support_z_m,
        'width': truth.camera.width,
        'height': truth.camera.height,
        'objects': [
            {'name': solid.name, 'family': solid.family, 'mesh': _mesh_file(solid)}
            for solid in truth.objects
        ],
    }
    text = json.dumps(document, indent=1) + '\n'
    (folder / 'truth.json').write_text(text, encoding='utf-8')
    frames = truth.frames
    packed = [
        np.packbits(f.amodal.reshape(len(f.amodal), f.instances.size), axis=1) for f in frames
    ]
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        K=truth.camera.K,
        stamp_ns=np.array([frame.stamp_ns for frame in frames], np.int64),
        T_fixed_cam=np.stack([frame.T_fixed_cam for frame in frames]),
        T_fixed_obj=np.stack([frame.T_fixed_obj for frame in frames]),
        present=np.stack([frame.present for frame in frames]),
        instances=np.stack([frame.instances for frame in frames]),
        amodal_packed=np.stack(packed),
        occlusion=np.stack([frame.occlusion for frame in frames]),
    )
    (folder / 'truth.npz').write_bytes(buffer.getvalue())


def read_truth(folder: Path) -> Truth:
    """Return the truth that :func:`write_truth` wrote.

    :raises RecordingError: when there is none, or it is of another version.
    """
    file = folder / 'truth.json'
    if not file.is_file():
        raise RecordingError(f'no truth.json in {folder}', wanted='a folder made by `sam3d world`')
    document = json.loads(file.read_text(encoding='utf-8'))
    if document['version'] != VERSION:
        raise RecordingError(f'{file} has version {document["version"]}', wanted=f'{VERSION}')
    with np.load(folder / 'truth.npz') as stored:
        arrays = {name: stored[name] for name in stored.files}
    camera = Camera(document['width'], document['height'], arrays['K'])
    shape, pixels = (-1, camera.height, camera.width), camera.height * camera.width
    frames = tuple(
        FrameTruth(
            int(arrays['stamp_ns'][k]),
            arrays['T_fixed_cam'][k],
            arrays['T_fixed_obj'][k],
            arrays['present'][k],
            arrays['instances'][k],
            np.unpackbits(packed, axis=1, count=pixels).reshape(shape).view(bool),
            arrays['occlusion'][k],
        )
        for k, packed in enumerate(arrays['amodal_packed'])
    )
    return Truth(
        document['suite'],
        document['seed'],
        document['source'],
        document['frame'],
        document['support_z_m'],
        camera,
        tuple(_solid(folder, item) for item in document['objects']),
        frames,
    )


def _mesh_file(solid: Solid) -> str:
    return f'meshes/{solid.name}.ply'


def _ply(solid: Solid) -> bytes:
    mesh = trimesh.Trimesh(
        solid.vertices_m, solid.faces, vertex_colors=solid.colors, process=False
    )
    return bytes(mesh.export(file_type='ply'))


def _solid(folder: Path, item: dict[str, str]) -> Solid:
    mesh = trimesh.load(folder / item['mesh'], force='mesh', process=False)
    return Solid(
        item['name'],
        np.asarray(mesh.vertices, np.float32),
        np.asarray(mesh.faces, np.int32),
        np.asarray(mesh.visual.vertex_colors, np.uint8)[:, :3],
        item['family'],
    )
