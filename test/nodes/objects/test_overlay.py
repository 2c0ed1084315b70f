# SPDX-License-Identifier: Apache-2.0
import numpy as np

from sam3d_ros.core.types import Instance, Instances, Track, Tracks, TrackState
from sam3d_ros.messages.topics import OVERLAY
from sam3d_ros.messages.typestore import typestore
from sam3d_ros.nodes.objects.overlay import overlay, overlay_bytes


def test_only_tracked_pixels_are_coloured_and_each_track_in_its_own(boxes_world) -> None:
    frame, index = boxes_world((0.9, 0.0, 0.7), [((0, 0, 0.05), (0.1, 0.1, 0.1), (9, 9, 9))])
    mask = index == 0
    instances = Instances(0, (Instance(mask, 1.0, (0, 0, 1, 1), 'test'),))
    images = [overlay(frame, Tracks(0, instances, (track(number, 0),))) for number in (1, 2)]
    for image in images:
        np.testing.assert_array_equal(image[~mask], frame.rgb[~mask])
        assert (image[mask] != frame.rgb[mask]).any(axis=1).all()
    assert (images[0][mask] != images[1][mask]).any()
    unseen = overlay(frame, Tracks(0, instances, (track(1, -1),)))
    np.testing.assert_array_equal(unseen, frame.rgb)


def test_the_message_is_an_rgb8_image_with_the_header_of_the_frame(boxes_world) -> None:
    frame, _ = boxes_world((0.9, 0.0, 0.7), (), stamp_ns=5_000_000_007)
    data = overlay_bytes(frame, Tracks(frame.stamp_ns, Instances(frame.stamp_ns)))
    message = typestore().deserialize_cdr(data, OVERLAY.type)
    assert (message.encoding, message.width, message.height) == ('rgb8', 160, 120)
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == (5, 7)
    np.testing.assert_array_equal(message.data.reshape(120, 160, 3), frame.rgb)


def track(number: int, instance: int) -> Track:
    return Track(number, TrackState.CONFIRMED, 3, 0, 0, 0, instance)
