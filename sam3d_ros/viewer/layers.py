# SPDX-License-Identifier: Apache-2.0
"""The scene in 3D: what a moment shows as nodes of viser, of which only what changed is sent."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from viser import ViserServer

from sam3d_ros.core.people import BONES, Person
from sam3d_ros.core.solids import Gaussians
from sam3d_ros.core.types import (
    ByteArray,
    FaceLabel,
    FloatArray,
    Mesh,
    ObjectState,
    SceneObject,
)
from sam3d_ros.export.glb import encode_glb
from sam3d_ros.geometry.shapes.gaussians import covariances
from sam3d_ros.geometry.transforms import apply, quaternion, transform
from sam3d_ros.messages.results.colors import (
    CONTRADICTED_RGB,
    OBSERVED_RGB,
    OCCLUDED_RGB,
    id_color,
)
from sam3d_ros.messages.results.markers import box_edges
from sam3d_ros.messages.results.people import along
from sam3d_ros.viewer.moments import Moment, View

COLORINGS = ('as seen', 'evidence', 'confidence', 'object')
"""What the colours of meshes can mean."""
EVIDENCE_RGB = {
    FaceLabel.OBSERVED: OBSERVED_RGB,
    FaceLabel.OCCLUDED: OCCLUDED_RGB,
    FaceLabel.CONTRADICTED: CONTRADICTED_RGB,
}
SIGMAS = 3.0
"""Ellipsoids hold so many sigmas of the positions."""
LOW_RGB, HIGH_RGB = np.array([0.85, 0.30, 0.20]), np.array([0.10, 0.55, 0.45])
GREY = (128, 134, 142)
_MOST_SPLATS = 200_000
_LEAST_UPRIGHT = 0.2


@dataclass(slots=True)
class Show:
    """What the page shows.

    :param coloring: one of :data:`COLORINGS`.
    :param selected: id of the chosen object, 0 = none.
    """

    points: bool = True
    meshes: bool = True
    boxes: bool = True
    names: bool = True
    covariance: bool = False
    people: bool = True
    coloring: str = COLORINGS[0]
    selected: int = 0


class SceneLayers:
    """Keeps the nodes of the 3D scene as a moment and the options want them.

    Nodes are ``/objects/ID/...``, ``/people/ID/...``, ``/cameras/ID/...``.

    :param server: of the page.
    :param on_click: called with the id of an object that was clicked.
    """

    def __init__(self, server: ViserServer, on_click: Callable[[int], None]) -> None:
        self._scene = server.scene
        self._on_click = on_click
        self._shown: dict[str, tuple[tuple[Any, ...], Any]] = {}
        self._wanted: set[str] = set()

    def update(self, moment: Moment, views: Collection[View], show: Show) -> None:
        """Show a moment; nodes that are as they were are not sent again.

        :param moment: what is shown.
        :param views: what each camera saw.
        :param show: how.
        """
        self._wanted = set()
        meshed = tuple(it.id for it in moment.scene.objects if len(it.mesh.faces))
        for view in views:
            name = f'/cameras/{view.camera_id or "camera"}'
            self._camera(name, view)
            if show.points:
                made_of = (view.points_m, meshed)
                self._node(f'{name}/pointmap', made_of, self._points, view, meshed)
            if len(views) > 1:
                label = self._node(f'{name}/name', (), self._scene.add_label, view.camera_id)
                self._place(label, view.T_fixed_cam)
        for item in moment.scene.objects:
            self._object(item, show)
        for person in moment.people.items if show.people else ():
            self._person(person)
        for name in [name for name in self._shown if name not in self._wanted]:
            self._shown.pop(name)[1].remove()

    def splats(self, gaussians: Gaussians) -> None:
        """Show Gaussians, fixed frame, whatever the moment."""
        step = 1 + len(gaussians) // _MOST_SPLATS
        self._scene.add_gaussian_splats(
            '/gaussians',
            gaussians.means_m[::step],
            covariances(gaussians)[::step],
            gaussians.colors[::step],
            gaussians.opacities[::step, None],
        )

    def _node(
        self,
        name: str,
        content: tuple[Any, ...],
        make: Callable[..., Any],
        *arguments: Any,
        **options: Any,
    ) -> Any:
        """Return a node, made anew only where its content is another.

        :param content: what it is made from; arrays and meshes count as another when they are
            other objects.
        :param make: takes the name, the arguments and the options.
        """
        self._wanted.add(name)
        known = self._shown.get(name)
        if known is None or not all(
            a is b or (not isinstance(a, np.ndarray | Mesh) and a == b)
            for a, b in zip(known[0], content, strict=True)
        ):
            if known is not None:
                known[1].remove()
            self._shown[name] = known = (content, make(name, *arguments, **options))
        return known[1]

    def _place(self, node: Any, T: FloatArray) -> None:
        x, y, z, w = quaternion(T)
        turned = np.array([w, x, y, z])
        if not np.allclose(node.position, T[:3, 3], atol=1e-5):
            node.position = T[:3, 3]
        if not np.allclose(node.wxyz, turned, atol=1e-5):
            node.wxyz = turned

    def _camera(self, name: str, view: View) -> None:
        fov = view.fov_rad
        aspect = view.camera.width / view.camera.height
        frustum = self._node(
            f'{name}/frustum',
            (fov, aspect),
            self._scene.add_camera_frustum,
            fov,
            aspect,
            scale=0.08,
            thickness=1.5,
            thickness_units='screen',
            color=GREY,
            cast_shadow=False,
        )
        self._place(frustum, view.T_fixed_cam)

    def _points(self, name: str, view: View, meshed: tuple[int, ...]) -> Any:
        """Make the pointmap where no mesh stands for it."""
        u, v = view.pixels.T
        free = ~np.isin(view.ids()[v, u], meshed)
        points, colors = view.points_m[free], view.colors[free]
        away = np.linalg.norm(points - view.T_fixed_cam[:3, 3], axis=1)
        step = int(np.median(np.diff(np.unique(u)))) if len(np.unique(u)) > 1 else 1
        range_m = float(np.median(away)) if len(away) else 1.0
        return self._scene.add_point_cloud(
            name,
            points,
            colors,
            point_size=step * range_m / view.camera.fx,
            point_shape='rounded',
            point_shading='flat',
        )

    def _object(self, item: SceneObject, show: Show) -> None:
        name, scene = f'/objects/{item.id}', self._scene
        is_selected = item.id == show.selected
        is_seen = item.state == ObjectState.VISIBLE
        if show.meshes and len(item.mesh.faces):
            made_of = (item.mesh, show.coloring)
            mesh = self._node(f'{name}/mesh', made_of, self._mesh, item, show.coloring)
            self._place(mesh, item.T_fixed_obj)
        elif show.meshes and len(item.mesh.vertices_m):
            points = self._node(
                f'{name}/points',
                (item.mesh,),
                scene.add_point_cloud,
                item.mesh.vertices_m,
                item.mesh.colors,
                point_size=0.004,
                point_shape='circle',
            )
            self._place(points, item.T_fixed_obj)
        edges = box_edges(item)
        if show.boxes or is_selected:
            box = self._node(
                f'{name}/box',
                (edges.round(4).tobytes(), is_selected, is_seen),
                scene.add_line_segments,
                edges.reshape(-1, 2, 3).astype(np.float32),
                _bytes(id_color(item.id)) if is_seen or is_selected else GREY,
                thickness=4.0 if is_selected else 1.5,
                thickness_units='screen',
            )
            self._place(box, item.T_fixed_obj)
        if show.names or is_selected:
            text = title(item)
            label = self._node(
                f'{name}/name', (text,), scene.add_label, text,
                font_screen_scale=0.9, anchor='bottom-center',
            )  # fmt: skip
            corners = _corners(item)
            top = (corners.min(axis=0) + corners.max(axis=0)) / 2
            top[2] = corners[:, 2].max() + 0.01
            self._place(label, transform(np.eye(3), top))
        if show.covariance:
            values, axes = np.linalg.eigh(item.covariance[:3, :3])
            axes = axes * np.linalg.det(axes)  # a rotation, no reflection
            radii = SIGMAS * np.sqrt(np.maximum(values, 1e-10))
            ellipsoid = self._node(
                f'{name}/covariance',
                (radii.round(5).tobytes(),),
                scene.add_icosphere,
                1.0,
                (120, 60, 200),
                scale=tuple(radii.tolist()),
                opacity=0.45,
                cast_shadow=False,
            )
            middle = item.T_fixed_obj @ np.append(item.box_center_m, 1.0)
            self._place(ellipsoid, transform(axes, middle[:3]))

    def _mesh(self, name: str, item: SceneObject, coloring: str) -> Any:
        shown = colored(item.mesh, coloring, item.id)
        data = encode_glb([(str(item.id), shown, np.eye(4))])
        node = self._scene.add_glb(name, data, receive_shadow=0.15)
        node.on_click(lambda _: self._on_click(item.id))
        return node

    def _person(self, person: Person) -> None:
        name, scene, rgb = f'/people/{person.id}', self._scene, _bytes(id_color(person.id))
        body = person.body
        if body is not None:
            self._node(
                f'{name}/body', (body.vertices_m,), scene.add_mesh_simple,
                body.vertices_m, body.faces, color=rgb, opacity=0.6,
            )  # fmt: skip
        for number, capsule in enumerate(person.capsules if body is None else ()):
            length_m = max(1e-3, float(np.linalg.norm(capsule.end_m - capsule.start_m)))
            node = self._node(
                f'{name}/capsules/{number}',
                (round(length_m, 2), round(capsule.radius_m, 3)),
                scene.add_cylinder,
                capsule.radius_m,
                length_m,
                rgb,
                opacity=0.22,
                cast_shadow=False,
            )
            self._place(node, along(capsule))
        if person.skeleton is not None:
            ends = person.skeleton.points_m[np.array(BONES)].astype(np.float32)
            self._node(
                f'{name}/skeleton', (person.skeleton.points_m,), scene.add_line_segments,
                ends, rgb, thickness=5.0, thickness_units='screen',
            )  # fmt: skip
        text = f'{person.label} {person.id}'
        label = self._node(f'{name}/name', (text,), scene.add_label, text)
        self._place(label, transform(np.eye(3), person.position_m))


def _bytes(rgb: FloatArray) -> tuple[int, int, int]:
    red, green, blue = (round(255 * float(value)) for value in rgb)
    return red, green, blue


def title(item: SceneObject) -> str:
    """Return what an object is called: its name and id."""
    return f'{item.label or "object"} {item.id}'


def colored(mesh: Mesh, coloring: str, object_id: int) -> Mesh:
    """Return a mesh whose colours mean what was asked for; each face has vertices of its own.

    :param mesh: with faces.
    :param coloring: one of :data:`COLORINGS`.
    :param object_id: whose colour ``object`` means.
    """
    if coloring == 'as seen':
        return mesh
    count = len(mesh.faces)
    if coloring == 'evidence':
        table = np.array([EVIDENCE_RGB[label] for label in FaceLabel])
        rgb: FloatArray = table[mesh.face_labels]
    elif coloring == 'confidence':
        rgb = LOW_RGB + mesh.face_confidence[:, None] * (HIGH_RGB - LOW_RGB)
    else:
        rgb = np.tile(id_color(object_id), (count, 1))
    colors: ByteArray = np.repeat(np.rint(255 * rgb), 3, axis=0).astype(np.uint8)
    return Mesh(
        vertices_m=mesh.vertices_m[mesh.faces].reshape(-1, 3),
        faces=np.arange(3 * count, dtype=np.int32).reshape(-1, 3),
        colors=colors,
        face_labels=mesh.face_labels,
        face_confidence=mesh.face_confidence,
    )


def overview(
    moment: Moment, points_m: FloatArray | None = None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return position, point looked at and up, (3,) each, fixed frame: a camera on the objects.

    It stands on the sensor's side, to the left and above, and looks at those in sight, or at all
    where none is; without any, at people, at other points, or at what the sensor sees.

    :param moment: what is shown.
    :param points_m: (N, 3) other points, fixed frame; None = there are none.
    """
    scene, view = moment.scene, moment.view
    known = [item for item in scene.objects if len(item.mesh.vertices_m)]
    in_sight = [item for item in known if item.state == ObjectState.VISIBLE]
    places = [_corners(item) for item in in_sight or known] or [
        np.stack([limb.start_m, limb.end_m])
        for person in moment.people.items
        for limb in person.capsules
    ]
    if not places and points_m is not None:
        places = [np.quantile(points_m, (0.02, 0.98), axis=0)]
    up = np.array([0.0, 0.0, 1.0]) if scene.up is None else scene.up
    if view is not None and scene.up is None and -view.T_fixed_cam[2, 1] < _LEAST_UPRIGHT:
        up = -view.T_fixed_cam[:3, 1]  # the fixed frame is the camera's own
    if places:
        points = np.concatenate(places)
        middle = (points.min(axis=0) + points.max(axis=0)) / 2
        size_m = float(np.linalg.norm(points.max(axis=0) - points.min(axis=0)))
    elif view is not None and len(view.points_m):
        middle = np.median(view.points_m, axis=0).astype(np.float64)
        size_m = float(np.linalg.norm(middle - view.T_fixed_cam[:3, 3]))
    else:
        middle, size_m = np.zeros(3), 1.0
    back = (view.T_fixed_cam[:3, 3] if view is not None else middle + [1.0, 0.0, 0.5]) - middle
    back = back - up * (back @ up)
    length = float(np.linalg.norm(back))
    back = back / length if length > 1e-6 else np.array([1.0, 0.0, 0.0])
    towards = 0.9 * back + 0.22 * np.cross(back, up) + 0.4 * up
    return middle + max(0.75 * size_m, 0.35) * towards / np.linalg.norm(towards), middle, up


def _corners(item: SceneObject) -> FloatArray:
    return apply(item.T_fixed_obj, box_edges(item))
