# SPDX-License-Identifier: Apache-2.0
"""Solids at known places, painted, as objects of a scene."""

import numpy as np
import trimesh

from sam3d_ros.core.types import Mesh, ObjectState, Provenance, Scene, SceneObject

UP = np.array([0.0, 0.0, 1.0])
RED, BLUE, WHITE = (200, 30, 30), (30, 60, 180), (235, 235, 235)


def thing(number, solid, place, color=WHITE, label='', **fields):
    while np.linalg.norm(np.ptp(solid.vertices[solid.faces], axis=1), axis=1).max() > 0.02:
        solid = solid.subdivide()
    vertices, faces = np.asarray(solid.vertices, np.float32), np.asarray(solid.faces, np.int32)
    labels = np.zeros(len(faces), np.uint8)
    colors = np.tile(np.array(color, np.uint8), (len(vertices), 1))
    mesh = Mesh(vertices, faces, colors, labels, labels.astype(np.float32))
    T = np.eye(4)
    T[:3, 3] = place
    return SceneObject(
        number, ObjectState.VISIBLE, label, 1.0, T, np.eye(6), np.ptp(vertices, axis=0),
        np.zeros(3), 0.1, mesh, 0.5, Provenance('test'), 0, 0, 3, 0, **fields,
    )  # fmt: skip


def box(*size):
    return trimesh.creation.box(size)


def ball(radius):
    return trimesh.creation.icosphere(3, radius)


def can(radius, height):
    return trimesh.creation.cylinder(radius, height, sections=48)


def seen(*objects, eye=(-1.0, 0.0, 0.8)):
    """Return a scene that a camera looks at along x: its right is -y."""
    ahead = -np.asarray(eye) / np.linalg.norm(eye)
    right = np.cross(ahead, UP)
    right /= np.linalg.norm(right)
    T = np.eye(4)
    T[:3, :3] = np.stack([right, np.cross(ahead, right), ahead], axis=1)
    T[:3, 3] = eye
    return Scene(0, 'world', objects, up=UP, T_fixed_cam=T)
