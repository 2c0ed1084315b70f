# SPDX-License-Identifier: Apache-2.0
"""Options of the nodes themselves, beside those of the stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from sam3d_ros.bags.scan import SLOP_S
from sam3d_ros.core.config import option


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """Options that every stage node has."""

    REMOVED: ClassVar[Mapping[str, str]] = {
        'link_depth': 'results of a frame do not meet again after several nodes: one makes them.'
    }

    autostart: bool = option(
        True,
        'configure and activate at start; false = wait for lifecycle requests',
        read_only=True,
    )


@dataclass(frozen=True, slots=True)
class InputConfig:
    """What pointmap_node listens to, and how long it waits for what belongs together."""

    source: str = option(
        'auto',
        'where range comes from: depth = a depth image, points = a cloud (LiDAR), auto = the '
        'better of those that come, another one while it is silent; color = colour alone, for '
        'pointmaps.range that infers',
        choices=('auto', 'depth', 'points', 'color'),
        read_only=True,
    )
    more_depth: str = option(
        '',
        'topics of depth images of further cameras, their camera_info beside them, several '
        'separated by commas: fused with pointmaps.range = fused, else they stand by',
        read_only=True,
    )
    more_points: str = option('', 'topics of further clouds, as more_depth', read_only=True)
    rgb: str = option(
        '',
        'topic of the colour image, {camera} in it = pointmaps.camera_id; empty = the relative '
        'name rgb/image_rect_color, for remapping',
        read_only=True,
    )
    info: str = option(
        '', 'topic of its CameraInfo; empty = the relative name rgb/camera_info', read_only=True
    )
    depth: str = option(
        '',
        'topic of the depth image; empty = the relative name depth_registered/image_rect',
        read_only=True,
    )
    depth_info: str = option(
        '',
        'topic of its CameraInfo; empty = the relative name depth_registered/camera_info',
        read_only=True,
    )
    points: str = option(
        '', 'topic of the cloud of a LiDAR; empty = the relative name points', read_only=True
    )
    color_transport: str = option(
        'raw',
        'image transport of the colour image',
        choices=('raw', 'compressed'),
        read_only=True,
    )
    depth_transport: str = option(
        'raw',
        'image transport of the depth image',
        choices=('raw', 'compressedDepth'),
        read_only=True,
    )
    slop_s: float = option(
        SLOP_S,
        'largest difference of the stamps of colour and range, seconds',
        minimum=0.001,
        maximum=1.0,
        read_only=True,
    )
    queue_size: int = option(
        10,
        'messages kept of each input while the other is on its way',
        minimum=1,
        maximum=100,
        read_only=True,
    )
    tf_wait_s: float = option(
        1.0,
        'how long an image waits for the TF of its stamp; and how long the first images wait for '
        'TF to say what the camera moves in, before the root known by then is the fixed frame',
        minimum=0.0,
        maximum=10.0,
        read_only=True,
    )


@dataclass(frozen=True, slots=True)
class ReplayConfig:
    """What replay_node publishes, and how fast."""

    recording: str = option(
        '', 'rosbag2 folder, .mcap or .db3 file, or ROS 1 .bag', read_only=True
    )
    rate: float = option(
        1.0, 'speed, as a multiple of real time', minimum=0.01, maximum=100.0, read_only=True
    )
    loop: int = option(
        1, 'how often it is played; 0 = until stopped', minimum=0, maximum=1000000, read_only=True
    )
    start_s: float = option(
        0.0, 'where to start, seconds from the beginning', minimum=0.0, maximum=1e6, read_only=True
    )
    clock: bool = option(False, 'publish /clock', read_only=True)
    reliability: str = option(
        'recorded',
        'quality of service of images and clouds: as recorded, or one for all topics',
        choices=('recorded', 'reliable', 'best_effort'),
        read_only=True,
    )
    stamps: str = option(
        'header',
        'stamps in the headers: header = as recorded; receive = when they were received; auto = '
        'received where they are zero',
        choices=('header', 'receive', 'auto'),
        read_only=True,
    )
    stamp_offset: str = option(
        '',
        'what is added to the header stamps of topics, TOPIC=SECONDS, separated by commas',
        read_only=True,
    )
    frame_override: str = option(
        '',
        'frames in the headers of topics, TOPIC=FRAME, separated by commas',
        read_only=True,
    )
    wait_s: float = option(
        5.0,
        'longest wait for subscribers before the first message, seconds',
        minimum=0.0,
        maximum=600.0,
        read_only=True,
    )
    pace: str = option(
        '',
        'topic of results, e.g. /sam3d/scene/detections: one image is on its way at a '
        'time, so that nothing is dropped; empty = play at the given rate whatever happens',
        read_only=True,
    )
    pace_timeout_s: float = option(
        5.0,
        'longest wait for one result, seconds',
        minimum=0.1,
        maximum=600.0,
        read_only=True,
    )
