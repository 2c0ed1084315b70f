# SPDX-License-Identifier: Apache-2.0
"""Options of tracking."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from sam3d_ros.core.config import group, option
from sam3d_ros.core.pretrained.inference import device_option


@dataclass(frozen=True, slots=True)
class VideoConfig:
    """Options of tracking by a video model, after the loop of SAM 3."""

    checkpoint: str = option(
        '', 'folder, or cached hub id; empty = the default of the backend', read_only=True
    )
    device: str = device_option()
    half_precision: bool = option(
        True, 'on a GPU, see images in bfloat16; the CPU computes in float32', read_only=True
    )
    match_iou: float = option(
        0.5,
        'Least IoU of a detection and a followed mask to be the same object.',
        minimum=0.0,
        maximum=1.0,
    )
    new_iou: float = option(
        0.1,
        'A detection is a new object if its IoU with every followed mask is less.',
        minimum=0.0,
        maximum=1.0,
    )
    min_agreement: float = option(
        0.5,
        'Least IoU of a followed mask with where the surface of its object is seen; the memory '
        'begins anew where one agrees less.',
        minimum=0.0,
        maximum=1.0,
    )
    keep_alive_s: float = option(
        3.0,
        'A followed mask that no detection matches is shown for so many seconds more: SAM 3 has '
        '30 frames. Detections that match give the time back, second by second.',
        minimum=0.0,
        maximum=600.0,
    )
    overlap_iou: float = option(
        0.7,
        'Of two followed masks with this IoU, the one that was hidden last is left out, as in '
        'SAM 3.',
        minimum=0.0,
        maximum=1.0,
    )
    prompt_every: int = option(
        16,
        'Frames after which the memory begins anew from the masks of a frame at the latest.',
        minimum=1,
        maximum=1000,
    )


@dataclass(frozen=True, slots=True)
class PortraitConfig:
    """Options of knowing things again by pictures of them."""

    enabled: bool = option(
        True,
        'Compare pictures of what comes back elsewhere with those of what is missing, by an '
        'encoder and by XFeat; else sizes and colours alone decide.',
        read_only=True,
    )
    device: str = device_option()
    colors: float = option(
        0.7,
        'Least likeness of colours; from here to tracking.alike, as when another side is seen, '
        'the encoder has to be sure.',
        minimum=0.0,
        maximum=1.0,
    )
    same: float = option(
        0.88,
        'Least cosine of the features of two pictures of one thing, where local features do not '
        'match.',
        minimum=0.0,
        maximum=1.0,
    )
    unlike: float = option(
        0.6,
        'Cosine below which two pictures are of different things, whatever matches.',
        minimum=0.0,
        maximum=1.0,
    )
    alone: float = option(
        0.97,
        'Likeness of colours from which pictures refuse nothing, where only one thing is missing '
        'that may be this one, and this is the only one that it may be: another side may look '
        'unlike. Above 1: pictures always decide.',
        minimum=0.0,
        maximum=2.0,
    )
    matches: float = option(
        0.25,
        'Least share of the places of a picture that must match, in between.',
        minimum=0.0,
        maximum=1.0,
    )
    margin: float = option(
        0.1,
        'A thing is known again only if no other is as alike, by this much of cosine and share '
        'together.',
        minimum=0.0,
        maximum=2.0,
    )


@dataclass(frozen=True, slots=True)
class TrackingConfig:
    """Options of tracking by overlap in the fixed frame."""

    REMOVED: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ('tolerance_m', 'tolerance_per_z2'),
        'pointmaps.sensor names the model of the sensor, which says how near a return must be.',
    )

    backend: str = option(
        'overlap',
        'entry point in the group sam3d_ros.tracking: overlap (surface points in space); with the '
        'memory of a video model beside it sam2_video, sam3_video, edgetam_video',
        read_only=True,
    )
    confirm_hits: int = option(
        3,
        'Frames in which a track must be seen to be confirmed: within confirm_s, or in a row.',
        minimum=1,
        maximum=30,
    )
    confirm_s: float = option(
        1.0,
        'Time in which a track must be seen in confirm_hits frames to be confirmed, seconds.',
        minimum=0.0,
        maximum=60.0,
    )
    hot_start_s: float = option(
        1.5,
        'A track that is not confirmed is judged by its latest frames, so many seconds: SAM 3 has '
        '15 frames.',
        minimum=0.0,
        maximum=60.0,
    )
    hot_start_missed: float = option(
        0.53,
        'A track that is not confirmed ends when so large a share of the frames that could have '
        'shown it does not: SAM 3 has 8 of 15.',
        minimum=0.1,
        maximum=1.0,
    )
    min_overlap: float = option(
        0.3,
        'Least overlap (geometric mean of both coverages) for a mask to continue a track.',
        minimum=0.05,
        maximum=0.95,
    )
    tentative_misses: int = option(
        3, 'Missed frames after which an unconfirmed track is dropped.', minimum=1, maximum=100
    )
    absent_frames: int = option(
        3,
        'Frames in which free space or another track must disprove a track, net of those that '
        'confirm it, before it ends.',
        minimum=1,
        maximum=100,
    )
    absent_share: float = option(
        0.7,
        'Share of the points in view that must be seen through to disprove a track.',
        minimum=0.5,
        maximum=1.0,
    )
    alike: float = option(
        0.85,
        'Least likeness of colours (0..1) by which an object that was put elsewhere is known '
        'again; 1 = never.',
        minimum=0.0,
        maximum=1.0,
    )
    alike_margin: float = option(
        0.03,
        'Without pictures, an object is known again only if no other is as alike, by this much.',
        minimum=0.0,
        maximum=1.0,
    )
    keep_absent: int = option(
        50,
        'Objects that are gone, and as many that another one has swallowed, which would be known '
        'again, the latest; 0 = none.',
        minimum=0,
        maximum=10000,
    )
    reach_m: float = option(
        0.1,
        'Farthest a moving object may travel between two frames and still keep its id, metres.',
        minimum=0.0,
        maximum=1.0,
    )
    mend: bool = option(
        True,
        'Put together what a frame shows in pieces of an object that others have shown whole.',
    )
    ask_again: bool = option(
        False,
        'Ask the segmenter for known objects that are in view and in no mask of the frame, by '
        'three points of their masks in 3D; an answer whose IoU with those is below 0.5 does not '
        'count. Objects in view are seen more often; so are mistakes.',
    )
    portraits: PortraitConfig = group(PortraitConfig)
    video: VideoConfig = group(VideoConfig)
