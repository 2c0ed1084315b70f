# SPDX-License-Identifier: Apache-2.0
"""Options of the stage people."""

from __future__ import annotations

from dataclasses import dataclass

from sam3d_ros.core.config import group, option
from sam3d_ros.core.pretrained.inference import device_option
from sam3d_ros.people.sam3d_body.config import Sam3dBodyConfig


@dataclass(frozen=True, slots=True)
class PeopleConfig:
    """What looks for people, how often, and how far they are kept clear of."""

    use: str = option(
        'both',
        'what people are found by: both = depth and image, depth, image, none; perception, not a '
        'safety function',
        choices=('both', 'depth', 'image', 'none'),
        read_only=True,
    )
    device: str = device_option()
    threshold: float = option(
        0.5, 'detections of a lower score are no persons, 0..1', minimum=0.05, maximum=1.0
    )
    detect_every_s: float = option(
        1.0,
        'longest time between two looks at the whole image for new people, seconds; tall bodies '
        'that nobody has recognised are looked at sooner',
        minimum=0.0,
        maximum=60.0,
    )
    passes: int = option(
        1,
        'most network passes for one frame; a look, or the joints of one person, is a pass of 5 '
        'to 9 ms on one core, and what is left out waits for its turn',
        minimum=1,
        maximum=20,
    )
    max_people: int = option(10, 'most people that are followed', minimum=1, maximum=100)
    tall_m: float = option(
        0.7,
        'what reaches less high over the floor, and does not move, is no tall mover, metres',
        minimum=0.2,
        maximum=2.5,
    )
    range_m: float = option(
        6.0, 'people farther from the camera are left out, metres', minimum=0.5, maximum=50.0
    )
    keep_s: float = option(
        5.0,
        'somebody who comes back within this time keeps the id, seconds',
        minimum=0,
        maximum=600,
    )
    hands: bool = option(False, 'find the 21 joints of visible hands too, a pass of 9 ms and more')
    sam3d_body: Sam3dBodyConfig = group(Sam3dBodyConfig)
    body: bool = option(
        False, 'publish the fitted body of everyone with joints as a mesh; 3 ms for one look'
    )
