# SPDX-License-Identifier: Apache-2.0
"""rclpy's classes and rosbags' classes hold the same message."""

import numpy as np
import pytest

from sam3d_ros.messages.cdr import encode
from sam3d_ros.messages.types import ClassTypes, StoreTypes
from sam3d_ros.messages.typestore import new_typestore, sam3d_msgs_folder, typestore


def build(types):
    """Return a marker with every kind of field filled."""
    return types.new(
        'visualization_msgs/msg/Marker',
        ns='layer',
        id=np.int64(3),
        frame_locked=True,
        points=np.arange(9.0).reshape(3, 3),
        colors=np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4),
        color=types.new('std_msgs/msg/ColorRGBA', r=0.5),
        texture=types.new('sensor_msgs/msg/CompressedImage', data=np.arange(5, dtype=np.uint8)),
    )


def test_both_kinds_of_classes_encode_alike():
    pytest.importorskip('visualization_msgs')
    generated, stored = build(ClassTypes()), build(StoreTypes())
    typename = 'visualization_msgs/msg/Marker'
    stored.pose.orientation.w = generated.pose.orientation.w
    assert encode(generated, typename) == encode(stored, typename)


def test_arrays_and_bytes_in_generated_classes():
    pytest.importorskip('sensor_msgs')
    info = ClassTypes().new('sensor_msgs/msg/CameraInfo', k=np.eye(3), d=np.arange(5.0))
    assert list(info.k) == list(np.eye(3).reshape(-1))
    assert list(info.d) == [0.0, 1.0, 2.0, 3.0, 4.0]
    status = ClassTypes().new('diagnostic_msgs/msg/DiagnosticStatus', level=2)
    assert status.level == b'\x02'
    stored = StoreTypes().new('diagnostic_msgs/msg/DiagnosticStatus', level=2)
    typename = 'diagnostic_msgs/msg/DiagnosticStatus'
    assert encode(status, typename) == encode(stored, typename)


def test_every_known_type_can_be_made_empty_and_encoded():
    store = typestore()
    types = StoreTypes()
    for typename in store.fielddefs:
        message = types.new(typename)
        assert encode(message, typename) == bytes(store.serialize_cdr(message, typename))


def test_type_hash_is_that_of_upstream():
    # From the header of a recording made with upstream's tf2_msgs.
    digest = 'e369d0f05a23ae52508854b66f6aa0437f3449d652e8cbf22d5abe85d020f087'
    assert typestore().hash_rihs01('tf2_msgs/msg/TFMessage') == f'RIHS01_{digest}'


def test_definitions_are_found(root, monkeypatch):
    assert sam3d_msgs_folder() == root / 'msgs'
    assert 'sam3d_msgs/msg/SceneObject' in new_typestore().fielddefs
    monkeypatch.setattr('sam3d_ros.messages.typestore.__file__', '/nowhere/a/b/c.py')
    monkeypatch.setenv('AMENT_PREFIX_PATH', '/nowhere')
    monkeypatch.setattr('sys.prefix', '/nowhere')
    with pytest.raises(Exception, match='sam3d setup'):
        sam3d_msgs_folder()
