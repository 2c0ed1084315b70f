# SPDX-License-Identifier: Apache-2.0
"""scene.json: the known objects as text, with the paths of their meshes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.solids import Symmetry
from sam3d_ros.core.types import (
    Answers,
    FloatArray,
    Mesh,
    ObjectState,
    Provenance,
    Scene,
    SceneObject,
    Surface,
)
from sam3d_ros.export.ply import read_ply
from sam3d_ros.geometry.relations import relations
from sam3d_ros.geometry.transforms import from_quaternion, quaternion

FILE = 'scene.json'
VERSION = 1
"""Counted up when a field means something else than before; fields are only added otherwise.
Files without a version are older, and read as they are."""


def write_scene_json(folder: Path, scene: Scene, meshes: Mapping[int, str]) -> None:
    """Write ``folder/scene.json``.

    :param meshes: path of each object's mesh, relative to ``folder``, by id.
    """
    lines = ',\n'.join(json.dumps(_item(item, meshes[item.id])) for item in scene.objects)
    up = 'null' if scene.up is None else json.dumps(_numbers(scene.up))
    head = f'{{"frame": {json.dumps(scene.fixed_frame)}, "stamp_ns": {scene.stamp_ns}'
    related = [
        {
            'subject': str(item.subject),
            'relation': item.kind.name.lower(),
            'other': str(item.other),
        }
        for item in relations(scene)
    ]
    camera = 'null' if scene.T_fixed_cam is None else json.dumps(_pose(scene.T_fixed_cam))
    tail = f'"relations": {json.dumps(related)}, "up": {up}, "camera": {camera}'
    tail += f', "version": {VERSION}'
    (folder / FILE).write_text(f'{head}, "objects": [\n{lines}\n], {tail}}}\n')


def _item(item: SceneObject, mesh: str) -> dict[str, Any]:
    return {
        'id': str(item.id),
        'state': item.state.name.lower(),
        'state_reason': item.state_reason,
        'label': item.label,
        'label_score': float(item.label_score),
        'labels': [[name, round(share, 4)] for name, share in item.labels],
        'colors': [[name, round(share, 4)] for name, share in item.colors],
        'appearance': list(item.appearance),
        'score': float(item.score),
        'pose': {
            **_pose(item.T_fixed_obj),
            'covariance': _numbers(item.covariance),
        },
        'size': _numbers(item.size_m),
        'box_center': _numbers(item.box_center_m),
        'scale_sigma': float(item.scale_sigma),
        'mesh': mesh,
        **_canonical(item.mesh),
        'observed_fraction': float(item.observed_fraction),
        'backend': item.provenance.backend,
        'last_seen_ns': int(item.last_seen_ns),
        'moved_ns': int(item.moved_ns),
        'held': item.held,
        'contact': item.contact,
        **_answers(item.mesh, mesh),
        **({'locked': True} if item.locked else {}),
    }


def _canonical(mesh: Mesh) -> dict[str, Any]:
    """What is known of a mesh's symmetry, and which way up it belongs."""
    known: dict[str, Any] = {}
    if mesh.symmetry is not None:
        known['symmetry'] = {
            'kind': mesh.symmetry.kind,
            'fold': mesh.symmetry.fold,
            'axis': _numbers(mesh.symmetry.axis),
            'origin': _numbers(mesh.symmetry.origin_m),
        }
    if mesh.up is not None:
        known['up'] = _numbers(mesh.up)
    return known


def answer_surfaces(mesh: Mesh) -> dict[str, Surface]:
    """Return by name what else an object may look like; names are parts of files' names."""
    answers = mesh.answers
    if answers is None:
        return {}
    others = {f'answer_{k}': one for k, one in enumerate(answers.others, start=1)}
    return {**others, 'inner': answers.inner, 'outer': answers.outer}


def answer_file(mesh: Path, name: str) -> Path:
    """Return the file of a surface beside that of the mesh it is another answer to.

    :param mesh: file of the mesh.
    :param name: of the surface, see :func:`answer_surfaces`.
    """
    return mesh.with_name(f'{mesh.stem}_{name}.ply')


def _answers(mesh: Mesh, path: str) -> dict[str, Any]:
    if mesh.answers is None:
        return {}
    files = {name: answer_file(Path(path), name).as_posix() for name in answer_surfaces(mesh)}
    others = [
        {'mesh': files[f'answer_{k}'], 'score': round(float(one.score), 4)}
        for k, one in enumerate(mesh.answers.others, start=1)
    ]
    return {'answers': others, 'inner_hull': files['inner'], 'outer_hull': files['outer']}


def _with_answers(folder: Path, item: Mapping[str, Any], mesh: Mesh) -> Mesh:
    """The mesh with what else the object may look like, where the file says so."""
    if 'outer_hull' not in item:
        return mesh

    def surface(path: str, score: float = 0.0) -> Surface:
        read = read_ply(folder / path)
        return Surface(read.vertices_m, read.faces, score)

    others = tuple(surface(one['mesh'], float(one['score'])) for one in item['answers'])
    hulls = (surface(item[name]) for name in ('inner_hull', 'outer_hull'))
    return replace(mesh, answers=Answers(others, *hulls))


def _pose(T: FloatArray) -> dict[str, list[float]]:
    return {'position': _numbers(T[:3, 3]), 'orientation': _numbers(quaternion(T))}


def _numbers(values: FloatArray) -> list[float]:
    flat: list[float] = np.asarray(values, np.float64).reshape(-1).tolist()
    return flat


def read_scene_json(folder: Path) -> Scene:
    """Return the scene in ``folder/scene.json`` with its meshes.

    What the file does not say (first sight, hits, weights, seed) comes back as the least that
    it says: first seen when last seen, one hit.

    :raises InputError: when the file or a mesh is missing or malformed.
    """
    path = folder / FILE
    try:
        tree = json.loads(path.read_text())
        version = int(tree['version']) if 'version' in tree else 0
        if version > VERSION:
            raise InputError(
                f'{path} of version {version}',
                wanted=f'version {VERSION} or older',
                remedy='A newer release wrote it: load it there.',
            )
        objects = tuple(_object(folder, item) for item in tree['objects'])
        up = np.array(tree['up'], np.float64) if tree.get('up') else None
        camera = _matrix(tree['camera']) if tree.get('camera') else None
        stamp_ns, frame = int(tree['stamp_ns']), str(tree['frame'])
        return Scene(stamp_ns, frame, objects, up=up, T_fixed_cam=camera)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f'{path} cannot be read: {type(error).__name__}: {error}', wanted='a saved scene'
        ) from error


def _matrix(pose: Mapping[str, Any]) -> FloatArray:
    return from_quaternion(np.array(pose['orientation']), np.array(pose['position']))


def _pairs(item: Mapping[str, Any], key: str) -> tuple[tuple[str, float], ...]:
    return tuple((str(name), float(share)) for name, share in item.get(key, ()))


def _symmetry(item: Mapping[str, Any]) -> Symmetry | None:
    known = item.get('symmetry')
    if known is None:
        return None
    axis, origin_m = (np.array(known[key], np.float64) for key in ('axis', 'origin'))
    return Symmetry(str(known['kind']), int(known['fold']), axis, origin_m)


def _object(folder: Path, item: Mapping[str, Any]) -> SceneObject:
    pose = item['pose']
    mesh = replace(read_ply(folder / item['mesh']), symmetry=_symmetry(item))
    if 'up' in item:
        mesh = replace(mesh, up=np.array(item['up'], np.float64))
    mesh = _with_answers(folder, item, mesh)
    return SceneObject(
        id=int(item['id']),
        state=ObjectState[item['state'].upper()],
        label=str(item['label']),
        score=float(item['score']),
        T_fixed_obj=_matrix(pose),
        covariance=np.array(pose['covariance'], np.float64).reshape(6, 6),
        size_m=np.array(item['size'], np.float64),
        box_center_m=np.array(item['box_center'], np.float64),
        scale_sigma=float(item['scale_sigma']),
        mesh=mesh,
        observed_fraction=float(item['observed_fraction']),
        provenance=Provenance(str(item['backend'])),
        first_seen_ns=int(item['last_seen_ns']),
        last_seen_ns=int(item['last_seen_ns']),
        hits=1,
        missed=0,
        state_reason=str(item.get('state_reason', '')),
        moved_ns=int(item.get('moved_ns', 0)),
        held=str(item.get('held', '')),
        contact=str(item.get('contact', '')),
        locked=bool(item.get('locked', False)),
        label_score=float(item.get('label_score', 0.0)),
        labels=_pairs(item, 'labels'),
        colors=_pairs(item, 'colors'),
        appearance=tuple(map(float, item.get('appearance', ()))),
    )
