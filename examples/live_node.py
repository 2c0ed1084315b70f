# SPDX-License-Identifier: Apache-2.0
"""A node of one's own beside ours: says which object comes, goes or is the nearest.

Run ``sam3d up`` and this with the same ROS_DOMAIN_ID, inside the project's environment.
"""

import rclpy
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from sam3d_msgs.msg import SceneObject, SceneObjectArray


class Watcher(Node):
    """Listens to the list of objects."""

    def __init__(self, namespace: str = '/sam3d') -> None:
        super().__init__('watcher')
        self.known: dict[str, SceneObject] = {}
        # The list is latched: who comes late hears the last one.
        qos = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.create_subscription(
            SceneObjectArray, f'{namespace}/scene/objects', self.on_objects, qos
        )

    def on_objects(self, message: SceneObjectArray) -> None:
        """Compare with the list before."""
        now = {item.id: item for item in message.objects if item.state != SceneObject.TENTATIVE}
        for object_id in sorted(now.keys() - self.known.keys()):
            place = now[object_id].pose.pose.position
            frame = message.header.frame_id
            self.get_logger().info(
                f'object {object_id} at {place.x:.2f} {place.y:.2f} {place.z:.2f} in {frame}'
            )
        for object_id in sorted(self.known.keys() - now.keys()):
            self.get_logger().info(f'object {object_id} is gone')
        self.known = now


def main() -> None:
    """Spin until Ctrl-C."""
    rclpy.init()
    try:
        rclpy.spin(Watcher())
    except KeyboardInterrupt:
        pass
    finally:
        rclpy.try_shutdown()


if __name__ == '__main__':
    main()
