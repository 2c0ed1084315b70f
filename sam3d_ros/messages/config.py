# SPDX-License-Identifier: Apache-2.0
"""Options of what is published about the scene."""

from dataclasses import dataclass

from sam3d_ros.core.config import option


@dataclass(frozen=True, slots=True)
class OutputConfig:
    """Options of markers, frames and collision objects."""

    frame_prefix: str = option(
        'object_', 'Prefix of the TF frames of objects and of the ids of collision objects.'
    )
    mesh_folder: str = option(
        '',
        'Folder for a mesh file of every object, for planners and viewers on this machine; '
        'empty = no files.',
        read_only=True,
    )
    marker_mode: str = option(
        'auto',
        'How meshes reach RViz: triangle_list (in the message), mesh_resource (a file of '
        'mesh_folder that the viewer opens), auto (a file when there is one and the graph is '
        'confined to this machine).',
        choices=('auto', 'mesh_resource', 'triangle_list'),
    )
    list_period_s: float = option(
        1.0,
        'Shortest time between two lists of objects in which poses alone differ, and between two '
        'arrays of markers in which shapes alone do, seconds; TF and detections come with every '
        'frame.',
        minimum=0.0,
        maximum=60.0,
    )
    marker_faces: int = option(
        5000, 'Most triangles of an object in a triangle list.', minimum=100, maximum=20000
    )
    move_m: float = option(
        0.002,
        'A collision object is moved when its pose changed by more than this, metres.',
        minimum=0.0,
        maximum=0.1,
    )
    people_speed_m_s: float = option(
        1.6,
        'Collision objects and keep-out points of people grow by what this speed reaches until '
        'the next frame, m/s; perception, not a safety function.',
        minimum=0.0,
        maximum=10.0,
    )
    move_rad: float = option(
        0.0087,
        'A collision object is moved when its pose turned by more than this, radians.',
        minimum=0.0,
        maximum=0.5,
    )


@dataclass(frozen=True, slots=True)
class TfConfig:
    """Which objects get a TF frame."""

    publish: bool = option(True, 'publish a TF frame for every confirmed object', read_only=True)
    max_frames: int = option(
        100, 'most object frames, those of the lowest ids', minimum=0, maximum=1000, read_only=True
    )
