# SPDX-License-Identifier: Apache-2.0
"""The scene for planners: moveit_msgs/CollisionObject, geometry once, then poses.

An object is added with its convex parts once it has a mesh, moved (no geometry) only when its
pose clearly changed, added again (which replaces it) only when its hull clearly changed, and
removed when it is gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sam3d_ros.core.types import FloatArray, ObjectState, Scene, SceneObject
from sam3d_ros.geometry.transforms import inverse, rotation_angle, transform
from sam3d_ros.messages.config import OutputConfig
from sam3d_ros.messages.headers import header_message, pose_message
from sam3d_ros.messages.results.meshes import mesh_message
from sam3d_ros.messages.results.products import Hulls, MeshProducts
from sam3d_ros.messages.types import MessageTypes

ADD, REMOVE, APPEND, MOVE = 0, 1, 2, 3

TYPE = 'moveit_msgs/msg/CollisionObject'


@dataclass(frozen=True, slots=True, eq=False)
class _Told:
    hulls: Hulls
    T_fixed_obj: FloatArray


class CollisionState:
    """What the planner was told, and what it must be told next.

    :param types: makes the messages.
    :param config: names of objects, and what counts as moved.
    """

    def __init__(self, types: MessageTypes, config: OutputConfig) -> None:
        self._types = types
        self._config = config
        self._told: dict[int, _Told] = {}

    def update(self, scene: Scene, products: Mapping[int, MeshProducts]) -> list[Any]:
        """Return the CollisionObject messages that bring a planner up to date, by id.

        :param scene: all known objects.
        :param products: what is derived from the meshes, by id.
        """
        known = {
            item.id: item
            for item in scene.objects
            if item.state != ObjectState.TENTATIVE and len(item.mesh.faces)
        }
        messages = [
            self._new(scene, object_id, REMOVE)
            for object_id in self._told
            if object_id not in known
        ]
        self._told = {id_: told for id_, told in self._told.items() if id_ in known}
        for item in known.values():
            hulls = products[item.id].hulls
            told = self._told.get(item.id)
            if told is None or told.hulls is not hulls:
                messages.append(self._add(scene, item, hulls))
            elif self._moved(told.T_fixed_obj, item.T_fixed_obj):
                messages.append(self._new(scene, item.id, MOVE, item.T_fixed_obj))
            else:
                continue
            self._told[item.id] = _Told(hulls, item.T_fixed_obj)
        return messages

    def all_known(self, scene: Scene, products: Mapping[int, MeshProducts]) -> list[Any]:
        """Return an ADD for every object, for a planner that was not listening before.

        :param scene: all known objects.
        :param products: what is derived from the meshes, by id.
        """
        self._told = {}
        return self.update(scene, products)

    def _moved(self, T_old: FloatArray, T_new: FloatArray) -> bool:
        T_old_new = inverse(T_old) @ T_new
        moved_m = float(np.linalg.norm(T_old_new[:3, 3]))
        return moved_m > self._config.move_m or rotation_angle(T_old_new) > self._config.move_rad

    def _add(self, scene: Scene, item: SceneObject, hulls: Hulls) -> Any:
        types = self._types
        identity = pose_message(types, np.eye(4))
        top = item.box_center_m + [0.0, 0.0, item.size_m[2] / 2]
        return self._new(
            scene,
            item.id,
            ADD,
            item.T_fixed_obj,
            type=types.new('object_recognition_msgs/msg/ObjectType', key=item.label),
            meshes=[mesh_message(types, part.corners_m, part.faces) for part in hulls.parts],
            mesh_poses=[identity] * len(hulls.parts),
            subframe_names=['center', 'top'],
            subframe_poses=[
                pose_message(types, transform(np.eye(3), place))
                for place in (item.box_center_m, top)
            ],
        )

    def _new(
        self,
        scene: Scene,
        object_id: int,
        operation: int,
        T: FloatArray | None = None,
        **fields: Any,
    ) -> Any:
        return self._types.new(
            TYPE,
            header=header_message(self._types, scene.stamp_ns, scene.fixed_frame),
            id=f'{self._config.frame_prefix}{object_id}',
            pose=pose_message(self._types, np.eye(4) if T is None else T),
            operation=operation,
            **fields,
        )
