# SPDX-License-Identifier: Apache-2.0
"""What others do with the visible points of one object, run beside ours on the same input.

All points are (N, 3) float64, metres, in the world frame.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from sam3d_ros.bench.metrics.scoring import PosedMesh
from sam3d_ros.core.types import FloatArray

VOXEL_M = 0.004
CLUSTER_EPS_M = 0.02
CLUSTER_MIN_POINTS = 10


def main_cluster(points: FloatArray) -> FloatArray:
    """Return the largest DBSCAN cluster of a voxel grid over the points, as the tutorial does.

    Even a true mask holds stray points of a real sensor; one of them would spoil a hull.
    """
    import open3d as o3d

    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points))
    cloud = cloud.voxel_down_sample(VOXEL_M)
    kept = np.asarray(cloud.points)
    if len(kept) == 0:
        return kept
    labels = np.asarray(cloud.cluster_dbscan(CLUSTER_EPS_M, CLUSTER_MIN_POINTS))
    sizes = np.bincount(labels[labels >= 0], minlength=1)
    return kept[labels == np.argmax(sizes)]


def convex_hull(points: FloatArray, support_z_m: float, eye: FloatArray) -> PosedMesh | None:
    """Return the convex hull of the visible points, or None when they are flat.

    :param support_z_m: height of the support, fixed frame.
    :param eye: (3,) place of the camera, fixed frame.
    """
    try:
        hull = ConvexHull(points)
    except QhullError:
        return None
    used, index = np.unique(hull.simplices, return_inverse=True)
    faces = index.reshape(hull.simplices.shape)
    corners = points[used][faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    inward = np.einsum('ij,ij->i', normals, hull.equations[:, :3]) < 0
    faces[inward] = faces[inward][:, ::-1]
    return PosedMesh(points[used], faces.astype(np.int32))


def extruded_hull(points: FloatArray, support_z_m: float, eye: FloatArray) -> PosedMesh | None:
    """Return the hull of the visible points and of their shadow on the support.

    This is what the Open3D tutorial's clusters become in a pick-and-place demonstration.

    :param support_z_m: height of the support, fixed frame.
    :param eye: (3,) place of the camera, fixed frame.
    """
    shadow = points.copy()
    shadow[:, 2] = support_z_m
    return convex_hull(np.concatenate([points, shadow]), support_z_m, eye)


def bounding_box(points: FloatArray, support_z_m: float, eye: FloatArray) -> PosedMesh | None:
    """Return the axis-aligned box of the visible points.

    :param support_z_m: height of the support, fixed frame.
    :param eye: (3,) place of the camera, fixed frame.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
    return convex_hull(low + corners * np.maximum(high - low, 1e-4), support_z_m, eye)


def poisson(points: FloatArray, support_z_m: float, eye: FloatArray) -> PosedMesh | None:
    """Return Open3D's screened Poisson surface of the visible points (Kazhdan and Hoppe 2013).

    :param support_z_m: height of the support, fixed frame.
    :param eye: (3,) place of the camera, fixed frame.
    """
    import open3d as o3d

    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points))
    if len(cloud.points) < CLUSTER_MIN_POINTS:
        return None
    cloud.estimate_normals(o3d.geometry.KDTreeSearchParamHybrid(radius=0.015, max_nn=30))
    cloud.orient_normals_towards_camera_location(eye)
    mesh, _ = o3d.geometry.TriangleMesh.create_from_point_cloud_poisson(
        cloud, depth=6, n_threads=1
    )
    # The method closes the unseen side anywhere; the tutorial crops to the cloud's box.
    mesh = mesh.crop(cloud.get_axis_aligned_bounding_box().scale(1.1, cloud.get_center()))
    if len(mesh.triangles) == 0:
        return None
    return PosedMesh(np.asarray(mesh.vertices), np.asarray(mesh.triangles, np.int32))


PeerShape = Callable[[FloatArray, float, FloatArray], PosedMesh | None]

PEERS: dict[str, PeerShape] = {
    'tutorial': extruded_hull,
    'hull': convex_hull,
    'box': bounding_box,
    'poisson': poisson,
}
"""Name to function of (points, height of the support, camera centre); None = no surface."""
