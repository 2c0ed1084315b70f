# SPDX-License-Identifier: Apache-2.0
"""The scene as visualization_msgs/MarkerArray: one namespace a layer, one id an object.

Every array is the complete state, for viewers that join late, and is made only when something to
be seen has changed: markers lie in the objects' TF frames (``frame_locked``), so a pose that
changes moves them without a new array. What went is deleted by name, never by lifetime.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sam3d_ros.core.errors import ConfigurationError
from sam3d_ros.core.types import FaceLabel, FloatArray, ObjectState, Scene, SceneObject
from sam3d_ros.messages.config import OutputConfig
from sam3d_ros.messages.headers import header_message, pose_message, vector_message
from sam3d_ros.messages.results.colors import OBSERVED_RGB, OCCLUDED_RGB, id_color
from sam3d_ros.messages.results.products import MeshProducts
from sam3d_ros.messages.types import MessageTypes

LAYERS = ('mesh', 'observed', 'hallucinated', 'bbox', 'label', 'axes', 'covariance')

SPHERE, LINE_LIST, TEXT_VIEW_FACING, MESH_RESOURCE, TRIANGLE_LIST = 2, 5, 9, 10, 11
ADD, DELETE, DELETEALL = 0, 2, 3

_DELETE_REPEATS = 3
_LINE_M = 0.002
_TEXT_M = 0.025
_THINNEST_M = 1e-4


class MarkerState:
    """What the viewers know, and what they must be told next.

    :param types: makes the messages.
    :param config: how meshes reach viewers, and what counts as moved.
    :param same_host: whether every viewer can open this machine's files (mode ``auto``).
    :raises ConfigurationError: when files are to be shown and no folder is set for them.
    """

    def __init__(
        self, types: MessageTypes, config: OutputConfig, *, same_host: bool = False
    ) -> None:
        self._types = types
        self._config = config
        files = config.marker_mode == 'mesh_resource'
        if files and not config.mesh_folder:
            raise ConfigurationError(
                'outputs.marker_mode = mesh_resource without outputs.mesh_folder',
                wanted='a folder for the mesh files',
                remedy='Set outputs.mesh_folder, or outputs.marker_mode to triangle_list.',
            )
        self._use_files = files or (config.marker_mode == 'auto' and same_host)
        self._signature: tuple[Any, ...] | None = None
        self._shown: dict[tuple[str, int], int] = {}
        self._gone: dict[tuple[str, int], int] = {}
        self._started = False

    def update(
        self,
        scene: Scene,
        products: Mapping[int, MeshProducts],
        files: Mapping[int, Path] | None = None,
    ) -> Any | None:
        """Return the MarkerArray of a scene, or None when it would show nothing new.

        :param products: of every object, by id.
        :param files: where an object's mesh was written, by id; absolute paths.
        """
        files = files or {}
        shown = [item for item in scene.objects if item.state != ObjectState.TENTATIVE]
        signature = tuple(
            (
                item.id,
                products[item.id].hash,
                _text(item),
                _opacity(item),
                files.get(item.id),
                _spread(item),
            )
            for item in shown
        )
        if signature == self._signature and not self._gone:
            return None
        self._signature = signature
        markers = [
            marker
            for item in shown
            for marker in self._object(scene, item, products[item.id], files.get(item.id))
        ]
        return self._types.new(
            'visualization_msgs/msg/MarkerArray', markers=self._deletions(scene, markers) + markers
        )

    def _deletions(self, scene: Scene, markers: list[Any]) -> list[Any]:
        """Return what must go first, and remember what is shown now.

        A deletion is said in a few arrays: of a latched topic a busy viewer may miss one.
        """
        now = {(marker.ns, marker.id): marker.type for marker in markers}
        # RViz keeps the old drawing when a marker changes its type.
        retyped = [key for key, kind in now.items() if self._shown.get(key, kind) != kind]
        self._gone |= {key: _DELETE_REPEATS for key in self._shown if key not in now}
        self._gone = {key: left for key, left in self._gone.items() if left and key not in now}
        self._shown = now
        deletions = [
            self._new(scene, 0, '', DELETEALL) for _ in range(bool(markers and not self._started))
        ]
        self._started |= bool(markers)
        for layer, object_id in [*retyped, *self._gone]:
            deletions.append(self._new(scene, object_id, layer, DELETE))
        self._gone = {key: left - 1 for key, left in self._gone.items() if left > 1}
        return deletions

    def _object(
        self, scene: Scene, item: SceneObject, products: MeshProducts, file: Path | None
    ) -> Iterator[Any]:
        mesh = products.drawn
        if len(mesh.faces):
            yield self._mesh(scene, item, products, file)
        observed = mesh.face_labels == FaceLabel.OBSERVED
        for layer, chosen, rgb in (
            ('observed', observed, OBSERVED_RGB),
            ('hallucinated', ~observed, OCCLUDED_RGB),
        ):
            if chosen.any():
                points = products.triangles[chosen].reshape(-1, 3)
                color = self._color(np.array(rgb), 1.0)
                yield self._new(
                    scene, item.id, layer, type=TRIANGLE_LIST, points=points, color=color
                )
        yield self._box(scene, item)
        yield self._label(scene, item)
        yield self._axes(scene, item)
        yield self._ellipsoid(scene, item)

    def _mesh(
        self, scene: Scene, item: SceneObject, products: MeshProducts, file: Path | None
    ) -> Any:
        if self._use_files and file is not None:
            # Transparent black leaves the file's own colours as they are.
            return self._new(
                scene,
                item.id,
                'mesh',
                type=MESH_RESOURCE,
                mesh_resource=file.as_uri(),
                mesh_use_embedded_materials=True,
                color=self._color(np.zeros(3), 0.0),
            )
        return self._new(
            scene,
            item.id,
            'mesh',
            type=TRIANGLE_LIST,
            points=products.triangles.reshape(-1, 3),
            colors=products.shaded,
            color=self._color(np.ones(3), 1.0),
        )

    def _box(self, scene: Scene, item: SceneObject) -> Any:
        return self._new(
            scene,
            item.id,
            'bbox',
            type=LINE_LIST,
            scale=self._cube(_LINE_M),
            points=box_edges(item),
            color=self._color(id_color(item.id), 1.0),
        )

    def _label(self, scene: Scene, item: SceneObject) -> Any:
        T_obj_text = np.eye(4)
        T_obj_text[:3, 3] = item.box_center_m + [0.0, 0.0, item.size_m[2] / 2 + _TEXT_M]
        return self._new(
            scene,
            item.id,
            'label',
            type=TEXT_VIEW_FACING,
            scale=self._cube(_TEXT_M),
            pose=pose_message(self._types, T_obj_text),
            text=_text(item),
            color=self._color(np.ones(3), _opacity(item)),
        )

    def _axes(self, scene: Scene, item: SceneObject) -> Any:
        ends = np.zeros((3, 2, 3))
        ends[:, 1] = 0.6 * float(item.size_m.max()) * np.eye(3)
        return self._new(
            scene,
            item.id,
            'axes',
            type=LINE_LIST,
            scale=self._cube(_LINE_M),
            points=ends.reshape(-1, 3),
            colors=np.concatenate([np.repeat(np.eye(3), 2, axis=0), np.ones((6, 1))], axis=1),
            color=self._color(np.ones(3), 1.0),
        )

    def _ellipsoid(self, scene: Scene, item: SceneObject) -> Any:
        """Return two sigma of the position, around the object's origin."""
        variances, axes = np.linalg.eigh(_covariance_obj(item))
        T_obj_ellipsoid = np.eye(4)
        T_obj_ellipsoid[:3, :3] = axes * np.sign(np.linalg.det(axes))
        diameters_m = np.maximum(4 * np.sqrt(np.maximum(variances, 0.0)), _THINNEST_M)
        return self._new(
            scene,
            item.id,
            'covariance',
            type=SPHERE,
            scale=vector_message(self._types, diameters_m),
            pose=pose_message(self._types, T_obj_ellipsoid),
            color=self._color(id_color(item.id), 0.35),
        )

    def _new(
        self, scene: Scene, object_id: int, layer: str, action: int = ADD, **fields: Any
    ) -> Any:
        """Return a marker in the object's frame; at its origin unless ``fields`` say otherwise."""
        frame = f'{self._config.frame_prefix}{object_id}'
        if action == DELETEALL:
            frame = scene.fixed_frame
        known = {
            'pose': pose_message(self._types, np.eye(4)),
            'scale': self._cube(1.0),
            'frame_locked': True,
        }
        return self._types.new(
            'visualization_msgs/msg/Marker',
            header=header_message(self._types, scene.stamp_ns, frame),
            ns=layer,
            id=object_id,
            action=action,
            **(known | fields),
        )

    def _cube(self, edge_m: float) -> Any:
        return vector_message(self._types, np.full(3, edge_m))

    def _color(self, rgb: FloatArray, alpha: float) -> Any:
        r, g, b = (float(value) for value in rgb)
        return self._types.new('std_msgs/msg/ColorRGBA', r=r, g=g, b=b, a=alpha)


def _text(item: SceneObject) -> str:
    words = [str(item.id), item.label]
    if item.state != ObjectState.VISIBLE:
        words.append(f'({item.state.words})')
    return ' '.join(word for word in words if word)


def _covariance_obj(item: SceneObject) -> FloatArray:
    """Return the (3, 3) covariance of the position, in the object's axes."""
    rotation = item.T_fixed_obj[:3, :3]
    return np.asarray(rotation.T @ item.covariance[:3, :3] @ rotation)


def _spread(item: SceneObject) -> tuple[int, ...]:
    """Return the sigmas along the object's axes in steps of 1.4, so that they rarely change."""
    variances = np.maximum(np.diag(_covariance_obj(item)), _THINNEST_M**2)
    return tuple(np.round(np.log2(variances)).astype(int).tolist())


def _opacity(item: SceneObject) -> float:
    """Return the score in steps of a tenth, so that a label does not flicker."""
    return float(np.clip(round(item.score, 1), 0.3, 1.0))


def box_edges(item: SceneObject) -> FloatArray:
    """Return the (24, 3) ends of the twelve edges of an object's box, object frame, metres."""
    return item.box_center_m + _EDGES * item.size_m


def _unit_edges() -> FloatArray:
    corners = np.indices((2, 2, 2)).reshape(3, -1).T
    ends = [
        (a, b)
        for number, a in enumerate(corners)
        for b in corners[number + 1 :]
        if np.abs(a - b).sum() == 1
    ]
    return np.array(ends, np.float64).reshape(-1, 3) - 0.5


_EDGES = _unit_edges()
