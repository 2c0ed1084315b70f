# SPDX-License-Identifier: Apache-2.0
"""Made-up meshes, tracks and scenes that the tests of this folder share."""

import numpy as np
from scipy.spatial import ConvexHull
from scipy.spatial.transform import Rotation

from sam3d_ros.core.types import (
    EvidenceScore,
    Instance,
    Instances,
    Mesh,
    ObjectState,
    Plane,
    Provenance,
    Reconstruction,
    Reconstructions,
    Scene,
    SceneObject,
    Track,
    Tracks,
    TrackState,
)

STAMP_NS = 1_700_000_000_123_456_789


def ball(seed: int = 0, corners: int = 60, size_m: float = 0.05) -> Mesh:
    """Return a closed convex mesh of random corners on an ellipsoid."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(corners, 3))
    points *= [size_m, 0.7 * size_m, 0.5 * size_m] / np.linalg.norm(points, axis=1, keepdims=True)
    hull = ConvexHull(points)
    triangles = points[hull.simplices]
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    inward = np.einsum('ij,ij->i', normals, hull.equations[:, :3]) < 0
    faces = hull.simplices.astype(np.int32)
    faces[inward] = faces[inward][:, ::-1]
    return Mesh(
        points.astype(np.float32),
        faces,
        rng.integers(0, 256, (corners, 3), np.uint8),
        rng.integers(0, 2, len(faces)).astype(np.uint8),
        rng.random(len(faces)).astype(np.float32),
    )


def points_of(mesh: Mesh) -> Mesh:
    """Return what is known of an object before its surface is."""
    none = mesh.face_labels[:0]
    return Mesh(mesh.vertices_m, mesh.faces[:0], mesh.colors, none, none.astype(np.float32))


def pose(seed: int) -> np.ndarray:
    """Return a random rigid transform."""
    rng = np.random.default_rng(seed)
    T = np.eye(4)
    T[:3, :3] = Rotation.random(random_state=seed).as_matrix()
    T[:3, 3] = rng.normal(size=3)
    return T


def scene_object(
    number: int, state: ObjectState = ObjectState.VISIBLE, mesh: Mesh | None = None
) -> SceneObject:
    """Return an object with a ball for a mesh."""
    mesh = mesh or ball(number)
    low, high = mesh.vertices_m.min(axis=0), mesh.vertices_m.max(axis=0)
    covariance = np.diag(np.arange(1.0, 7.0)) * 1e-6
    return SceneObject(
        id=number,
        state=state,
        label='cup' if number % 2 else '',
        score=0.75,
        T_fixed_obj=pose(number),
        covariance=covariance,
        size_m=(high - low).astype(np.float64),
        box_center_m=((high + low) / 2).astype(np.float64),
        scale_sigma=0.25,
        mesh=mesh,
        observed_fraction=0.5,
        provenance=Provenance('geometric', 'ab' * 32, 3),
        first_seen_ns=STAMP_NS - 10**9,
        last_seen_ns=STAMP_NS,
        hits=4,
        missed=1,
        state_reason='seen',
        moved_ns=STAMP_NS - 2 * 10**9,
        contact='moved 1.2 mm onto its support',
        label_score=0.5,
        labels=(('cup', 0.5), ('bowl', 0.25)),
        colors=(('red', 0.75),),
    )


def scene(*objects: SceneObject, stamp_ns: int = STAMP_NS) -> Scene:
    """Return a scene in the frame ``world``."""
    return Scene(stamp_ns, 'world', objects)


def tracks(height: int = 12, width: int = 16) -> Tracks:
    """Return three tracks: two seen, one hidden; one instance without a track."""
    masks = np.zeros((3, height, width), bool)
    masks[0, 1:4, 2:5] = masks[1, 5:9, 6:12] = masks[2, 9:11, 0:3] = True
    boxes = ((2, 1, 5, 4), (6, 5, 12, 9), (0, 9, 3, 11))
    instances = tuple(
        Instance(mask, 0.5 + 0.125 * at, box, 'geometric:all', 'cup' if at else '', at - 1)
        for at, (mask, box) in enumerate(zip(masks, boxes, strict=True))
    )
    planes = (Plane(np.array([0.0, -0.6, -0.8]), 0.75), Plane(np.array([0.0, -1.0, 0.0]), 0.5))
    confirmed = TrackState.CONFIRMED
    items = (
        Track(4, confirmed, 5, STAMP_NS - 10**9, STAMP_NS, 0, 1),
        Track(5, TrackState.TENTATIVE, 1, STAMP_NS, STAMP_NS, 0, 0),
        Track(2, confirmed, 9, STAMP_NS - 2 * 10**9, STAMP_NS - 10**9, 7, -1),
    )
    return Tracks(STAMP_NS, Instances(STAMP_NS, instances, planes), items)


def reconstructions() -> Reconstructions:
    """Return two reconstructions whose numbers float32 holds exactly."""
    items = tuple(
        Reconstruction(
            track_id=number,
            mesh=ball(number),
            T_cam_obj=pose(number),
            covariance=np.diag(np.arange(1.0, 7.0)) * 1e-6,
            scale_sigma=0.25,
            observed_fraction=0.5,
            confidence=0.75,
            score=EvidenceScore(0.875, 0.0, 0.5),
            provenance=Provenance('geometric', '', 1),
            refined=number == 4,
            backends=('hull', 'geometric'),
        )
        for number in (4, 5)
    )
    return Reconstructions(STAMP_NS, items)
