# SPDX-License-Identifier: Apache-2.0
"""A recording (rosbag2, MCAP or ROS 1 bag) to objects; no ROS needed."""

import sys

from sam3d_ros import Session, read_recording


def main(recording: str) -> None:
    """Print what is known after the last frame."""
    session = Session.from_config()
    for frame in read_recording(recording):
        scene = session.step(frame).scene
    for item in scene.objects:
        x, y, z = item.T_fixed_obj[:3, 3]
        size = ' x '.join(f'{100 * edge:.1f}' for edge in item.size_m)
        faces = len(item.mesh.faces)
        print(
            f'{item.id}: {item.state.name.lower()}, {size} cm, {faces} faces, '
            f'at {x:.3f} {y:.3f} {z:.3f} in {scene.fixed_frame}'
        )


if __name__ == '__main__':
    main(*sys.argv[1:])
