# SPDX-License-Identifier: Apache-2.0
"""The types that travel between stages: frame -> instances -> tracks -> reconstructions -> scene.

Conventions, stated once:

* optical axes (x right, y down, z forward), metres, radians, nanoseconds;
* ``T_a_b`` is a (4, 4) float64 matrix that maps coordinates in frame b to frame a;
* quaternions are x, y, z, w wherever they appear outside this package;
* covariances are (6, 6), order x, y, z, rotation about x, y, z (REP 103), in the parent frame;
* arrays are never written to after they were put into one of these objects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from sam3d_ros.core.sensors import STRUCTURED_LIGHT, SensorModel
from sam3d_ros.core.solids import Gaussians, Symmetry

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
ByteArray = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]
IndexArray = npt.NDArray[np.int32]
BoxPx = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """A rectified pinhole camera.

    Pixel (u, v) is the centre of column u, row v; distortion is removed before a frame is made.

    :param width: columns, px.
    :param height: rows, px.
    :param K: (3, 3) float64 intrinsics, px; skew is zero.
    """

    width: int
    height: int
    K: FloatArray

    @property
    def fx(self) -> float:
        """Focal length along columns, px."""
        return float(self.K[0, 0])

    @property
    def fy(self) -> float:
        """Focal length along rows, px."""
        return float(self.K[1, 1])

    @property
    def cx(self) -> float:
        """Principal point column, px."""
        return float(self.K[0, 2])

    @property
    def cy(self) -> float:
        """Principal point row, px."""
        return float(self.K[1, 2])


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One synchronised observation.

    :param stamp_ns: source stamp, nanoseconds.
    :param frame_id: optical frame of the camera.
    :param camera: the rectified pinhole model of ``rgb`` and ``pointmap``.
    :param rgb: (H, W, 3) uint8, RGB order.
    :param pointmap: (H, W, 3) float32, metres, optical axes, NaN in all three = no return.
    :param fixed_frame: name of the fixed frame; equals ``frame_id`` when nothing says where it is.
    :param T_fixed_cam: (4, 4) float64, optical frame to fixed frame at ``stamp_ns``.
    :param up_cam: (3,) float64 unit vector against gravity, optical frame; None = no TF tells it.
    :param sensor: what the errors of the pointmap look like.
    :param camera_id: name of the camera among several; empty for the only one.
    :param measured: (H, W) bool, False where it is inferred and proves no free space; None = all.
    :param range_sigma_m: (H, W) float32 metres, one-sigma error of each; None = by ``sensor``.
    :param pose_covariance: (6, 6) of ``T_fixed_cam`` by own odometry, fixed axes; None = by TF.
    :param grippers: by TF frame: (4, 4) gripper to fixed frame, of those that TF knows then.
    """

    stamp_ns: int
    frame_id: str
    camera: Camera
    rgb: ByteArray
    pointmap: Float32Array
    fixed_frame: str
    T_fixed_cam: FloatArray
    up_cam: FloatArray | None = None
    sensor: SensorModel = STRUCTURED_LIGHT
    camera_id: str = ''
    measured: BoolArray | None = None
    range_sigma_m: Float32Array | None = None
    pose_covariance: FloatArray | None = None
    grippers: Mapping[str, FloatArray] = field(default_factory=dict)

    @property
    def depth_m(self) -> Float32Array:
        """(H, W) float32 view of z, metres, NaN = no return."""
        depth: Float32Array = self.pointmap[..., 2]
        return depth

    @property
    def camera_name(self) -> str:
        """What tells its camera from others: ``camera_id``, else ``frame_id``."""
        return self.camera_id or self.frame_id

    @property
    def sigma_m(self) -> Float32Array:
        """(H, W) float32 one-sigma error of each range seen straight on, metres, NaN = none."""
        if self.range_sigma_m is not None:
            return self.range_sigma_m
        return self.sensor.axial_sigma(self.depth_m)


@dataclass(frozen=True, slots=True)
class PointPrompt:
    """Points on one object: ``points_px`` ((u, v), ...) and ``labels`` (1 = on it, 0 = off it).

    ``before``: (h, w) logits of the answer that the last one corrects, of any size.
    """

    points_px: tuple[tuple[float, float], ...]
    labels: tuple[int, ...]
    before: Float32Array | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class BoxPrompt:
    """A box around one object: left, top, right, bottom, px, right and bottom exclusive."""

    box_px: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class MaskPrompt:
    """A rough mask of one object: (H, W) bool at the frame's size."""

    mask: BoolArray


@dataclass(frozen=True, slots=True)
class TextPrompt:
    """A noun phrase: every object it names."""

    text: str


@dataclass(frozen=True, slots=True, eq=False)
class ExemplarPrompt:
    """Every object like those that are shown; a box without area is a click.

    :param box_px: around one: left, top, right, bottom, px, of this frame, or of ``frame``.
    :param frame: that shows it; None = the one that is looked at.
    :param text: a noun phrase that they answer to as well; empty = none.
    :param more_px: boxes around further ones, of the same frame.
    :param not_px: boxes around what is not meant.
    """

    box_px: BoxPx
    frame: Frame | None = None
    text: str = ''
    more_px: tuple[BoxPx, ...] = ()
    not_px: tuple[BoxPx, ...] = ()


Prompt = PointPrompt | BoxPrompt | MaskPrompt | TextPrompt | ExemplarPrompt


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """A support plane in the optical frame: ``normal @ p + offset_m = 0``.

    :param normal: (3,) float64, unit, pointing to the free side (up, for a table).
    :param offset_m: signed distance of the optical centre from the plane, metres (> 0 above it).
    """

    normal: FloatArray
    offset_m: float


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """One mask in one frame.

    :param mask: (H, W) bool, visible pixels of the object.
    :param score: 0..1, how sure the backend is that this is one whole object.
    :param box_px: left, top, right, bottom of the mask, px, right and bottom exclusive.
    :param source: backend and prompt that made it, e.g. ``geometric:all`` or ``sam2:point``.
    :param label: noun phrase, or empty.
    :param support: index into ``Instances.supports`` of the plane it stands on, or -1.
    :param logits: (h, w) float32 of the mask as its backend takes them back for a correction.
    :param apart: somebody said that it is an object by itself: it is not put together with others.
    """

    mask: BoolArray
    score: float
    box_px: tuple[int, int, int, int]
    source: str
    label: str = ''
    support: int = -1
    logits: Float32Array | None = None
    apart: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Concept:
    """Of a phrase or an exemplar: probability that there is one, and (H, W) all pixels of such."""

    presence: float
    region: BoolArray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Instances:
    """Segmentation of one frame: masks do not overlap unless a prompt asked for alternatives."""

    stamp_ns: int
    items: tuple[Instance, ...] = ()
    supports: tuple[Plane, ...] = ()
    concepts: tuple[Concept, ...] = ()


class TrackState(IntEnum):
    """Whether a track has been seen often enough to be believed."""

    TENTATIVE = 0
    CONFIRMED = 1


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """The same thing over frames.

    :param id: counted up from 1, never reused until the scene is cleared.
    :param hits: frames in which it was seen, this one included.
    :param first_seen_ns: stamp of its birth.
    :param last_seen_ns: stamp of the last frame it was seen in.
    :param missed: frames processed since its birth in which it was not seen.
    :param instance: index into ``Tracks.instances.items``, or -1 when not seen in this frame.
    """

    id: int
    state: TrackState
    hits: int
    first_seen_ns: int
    last_seen_ns: int
    missed: int
    instance: int = -1


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """All living tracks after one frame, and the instances they refer to.

    ``absent`` holds the ids that ended with this frame because free space was seen in their place.
    """

    stamp_ns: int
    instances: Instances
    items: tuple[Track, ...] = ()
    absent: tuple[int, ...] = ()


class FaceLabel(IntEnum):
    """What the evidence says about a face of a published mesh."""

    OBSERVED = 0
    OCCLUDED = 1
    CONTRADICTED = 2


@dataclass(frozen=True, slots=True, eq=False)
class Texture:
    """A colour image laid over a mesh.

    :param image: (h, w, 3) uint8 RGB.
    :param uv: (F, 3, 2) float32 place of each face's corners in the image, 0..1 as in glTF.
    """

    image: ByteArray
    uv: Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class ConvexPart:
    """A convex polyhedron: (V, 3) float64 corners in metres, (F, 3) int32 faces, outward."""

    corners_m: FloatArray
    faces: IndexArray


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """A closed surface and how well it agrees with what was seen.

    :param vertices_m: (V, 3) float32, metres, object frame.
    :param faces: (F, 3) int32, counter-clockwise seen from outside; none = nothing.
    :param score: share of observed points that it meets and IoU of silhouettes, less the share of
        its volume that was seen through; 0 where it was not compared.
    """

    vertices_m: Float32Array
    faces: IndexArray
    score: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What else an object may look like, as far as can be told.

    :param others: other completions than the mesh, those that agree best with what was seen first.
    :param inner: hull of what is all but surely the object; without faces where that is nothing.
    :param outer: hull of what may be the object; about 90 % of the true surface lies between both.
    """

    others: tuple[Surface, ...]
    inner: Surface
    outer: Surface


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """A triangle mesh; without faces, the points that were seen of an object so far.

    :param vertices_m: (V, 3) float32, metres, object frame.
    :param faces: (F, 3) int32, counter-clockwise seen from outside.
    :param colors: (V, 3) uint8 RGB.
    :param face_labels: (F,) uint8 of :class:`FaceLabel`.
    :param face_confidence: (F,) float32, 0..1 probability that the true surface is within 5 mm,
        or two sigma of the sensor where that is more, of the face.
    :param texture: made for files, on demand; None elsewhere.
    :param parts: convex parts that cover it, object frame, where they were made with it.
    :param gaussians: its look, object frame, where its backend made them with it.
    :param symmetry: of the whole, object frame; None = nobody has asked.
    :param up: (3,) what is up when it stands as it belongs, object frame; None = nobody has asked.
    :param answers: what else it may look like; None where only one answer was asked for.
    """

    vertices_m: Float32Array
    faces: IndexArray
    colors: ByteArray
    face_labels: ByteArray
    face_confidence: Float32Array
    texture: Texture | None = None
    parts: Sequence[ConvexPart] | None = None
    gaussians: Gaussians | None = None
    symmetry: Symmetry | None = None
    up: FloatArray | None = None
    answers: Answers | None = None


@dataclass(frozen=True, slots=True)
class EvidenceScore:
    """How well a reconstruction agrees with what the sensor saw.

    :param observed_inliers: share of observed points within 2 sigma of the surface.
    :param free_volume: share of the reconstruction's volume that lies in seen-through space.
    :param silhouette_iou: IoU of the rendered silhouette and the mask, where nothing occludes.
    """

    observed_inliers: float
    free_volume: float
    silhouette_iou: float


@dataclass(frozen=True, slots=True)
class Provenance:
    """Which backend made a result, from which weights (sha256, empty = none) and seed."""

    backend: str
    weights_hash: str = ''
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Reconstruction:
    """Shape and layout of one track, as known after one frame.

    :param track_id: the track it belongs to.
    :param mesh: complete surface in the object frame; the same object as before when unchanged.
    :param T_cam_obj: (4, 4) float64 rigid layout; the metric scale is in the mesh already.
    :param covariance: (6, 6) float64 of the pose, in the optical frame.
    :param scale_sigma: relative one-sigma uncertainty of size.
    :param observed_fraction: share of the surface area that was observed.
    :param confidence: 0..1.
    :param refined: whether layout refinement changed (and improved) the pose.
    :param backends: what was tried, in order; the last one made the mesh.
    :param moved_ns: stamp of the frame that last showed it elsewhere than before; 0 = it rests.
    :param inferred: share of the ranges it was made from that were inferred, not measured.
    """

    track_id: int
    mesh: Mesh
    T_cam_obj: FloatArray
    covariance: FloatArray
    scale_sigma: float
    observed_fraction: float
    confidence: float
    score: EvidenceScore
    provenance: Provenance
    refined: bool = False
    backends: tuple[str, ...] = ()
    moved_ns: int = 0
    inferred: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Reconstructions:
    """Reconstructions of the tracks seen in one frame."""

    stamp_ns: int
    items: tuple[Reconstruction, ...] = ()


class ObjectState(IntEnum):
    """What is known about an object's presence."""

    TENTATIVE = 0
    VISIBLE = 1
    OCCLUDED = 2
    OUT_OF_VIEW = 3
    ABSENT = 4

    @property
    def words(self) -> str:
        """What people call it, e.g. ``out of view``."""
        return self.name.lower().replace('_', ' ')


@dataclass(frozen=True, slots=True, eq=False)
class SceneObject:
    """A track with its best reconstruction, in the fixed frame.

    :param T_fixed_obj: (4, 4) float64, object frame (the mesh's) to fixed frame.
    :param covariance: (6, 6) float64 of the pose, in the fixed frame.
    :param size_m: (3,) float64 extents of the mesh's box along the object axes.
    :param box_center_m: (3,) float64 centre of that box in the object frame.
    :param state_reason: why it has its state, in words.
    :param moved_ns: stamp of the frame that last showed it elsewhere than before; 0 = it rests.
    :param held: TF frame of the gripper that holds it and moves it; empty = none does.
    :param locked: whether its shape is to stay as it is, and nobody may remove it.
    :param contact: how it was moved and cut to stand on something, in nothing; empty = it was not.
    :param label: what it is called; empty = not known.
    :param label_score: probability of that name, 0..1; 0 where there is no name.
    :param labels: the likeliest names and their probabilities, the likeliest first.
    :param colors: colour names and the share of what was seen of it that goes by each, as under
        white light; empty = not known.
    :param appearance: 64 numbers of unit length of the encoder of names; empty = not known.
    """

    id: int
    state: ObjectState
    label: str
    score: float
    T_fixed_obj: FloatArray
    covariance: FloatArray
    size_m: FloatArray
    box_center_m: FloatArray
    scale_sigma: float
    mesh: Mesh
    observed_fraction: float
    provenance: Provenance
    first_seen_ns: int
    last_seen_ns: int
    hits: int
    missed: int
    state_reason: str = ''
    moved_ns: int = 0
    held: str = ''
    locked: bool = False
    contact: str = ''
    label_score: float = 0.0
    labels: tuple[tuple[str, float], ...] = ()
    colors: tuple[tuple[str, float], ...] = ()
    appearance: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """All objects known after one frame.

    ``removed`` holds the ids that left since the frame before (absent, removed by request);
    ``up`` is the (3,) direction against gravity in the fixed frame, and ``T_fixed_cam`` (4, 4)
    where the camera of the latest frame was; None = not known.
    """

    stamp_ns: int
    fixed_frame: str
    objects: tuple[SceneObject, ...] = ()
    removed: tuple[int, ...] = field(default=())
    up: FloatArray | None = None
    T_fixed_cam: FloatArray | None = None
