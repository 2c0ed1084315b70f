# SPDX-License-Identifier: Apache-2.0
"""Everything a sensor can do wrong: a sentence that names the topic, and no object lost."""

import pytest
from rcl_interfaces.msg import Log, Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.qos import DurabilityPolicy, QoSProfile

from sam3d_ros.messages import topics

pytestmark = pytest.mark.dds

ROSOUT = QoSProfile(depth=1000, durability=DurabilityPolicy.TRANSIENT_LOCAL)
WARN_WITHIN_S = 10.0
"""The nodes say it within 5 s; the rest is for a busy machine."""


class Said:
    """What the nodes of one graph log."""

    def __init__(self, ros, graph):
        self._lines: list[str] = []
        self._ros = ros
        self._prefix = graph.namespace.strip('/')
        self._subscription = ros.node.create_subscription(Log, '/rosout', self._take, ROSOUT)

    def _take(self, message: Log) -> None:
        if message.name.startswith(self._prefix):
            self._lines.append(f'{message.level} {message.msg}')

    def forget(self) -> None:
        self._lines.clear()

    def wait(self, *words: str) -> str:
        """Return the first line that has all words."""

        def found() -> list[str]:
            return [line for line in list(self._lines) if all(word in line for word in words)]

        self._ros.until(lambda: bool(found()), WARN_WITHIN_S)
        return found()[0]


@pytest.fixture(scope='module')
def graph(ros):
    return ros.graph('/bad')


@pytest.fixture(scope='module')
def objects(graph):
    return graph.listen(topics.OBJECTS)


@pytest.fixture(scope='module')
def said(ros, graph):
    return Said(ros, graph)


@pytest.fixture
def known(camera, objects, said, frames, play):
    """Return how many objects are known, and have been for some frames."""
    message = play(camera, objects, frames(3))
    assert len(message.objects) == 2
    said.forget()
    return 2


def damaged(image, kind):
    if kind == 'truncated':
        image.data = image.data[: image.data.size // 2]
    elif kind == 'step':
        image.step = image.step - 16
    elif kind == 'size':
        image.data = image.data[: image.data.size // 2]
        image.height //= 2
    elif kind == 'encoding':
        image.encoding = '8UC2' if image.encoding == 'rgb8' else 'rgb8'
    return image


@pytest.mark.parametrize('output', ['rgb', 'depth'])
@pytest.mark.parametrize('kind', ['truncated', 'step', 'encoding'])
def test_a_damaged_image_is_named_and_the_next_one_is_used(
    camera, objects, said, frames, play, known, output, kind
):
    (frame,) = frames(1)
    image = damaged(camera.messages(frame)[output], kind)
    camera.show(frame, **{output: image})
    topic = {'rgb': '/bad/rgb/image_rect_color', 'depth': '/bad/depth_registered/image_rect'}
    said.wait('40 ', topic[output], 'wanted')
    assert len(play(camera, objects, frames(1)).objects) == known


def test_depth_without_a_single_return_loses_no_object(camera, objects, said, frames, play, known):
    (frame,) = frames(1)
    nothing = camera.messages(frame)['depth']
    nothing.data = nothing.data * 0
    camera.show(frame, depth=nothing)
    blind = objects.wait(lambda m: m.header.stamp.nanosec == frame.stamp_ns % 1_000_000_000)
    assert len(blind.objects) == known
    assert len(play(camera, objects, frames(1)).objects) == known


def test_time_that_jumps_back_starts_anew_and_says_so(camera, objects, said, frames, play, known):
    shown = frames(10)
    play(camera, objects, shown[-1:])
    objects.clear()
    message = play(camera, objects, shown[:3])
    said.wait('back')
    assert len(message.objects) == known


def test_missing_inputs_are_named(ros, said, camera, frames, known):
    said.wait('no messages on', '/bad/rgb/image_rect_color', '/bad/depth_registered/image_rect')


def test_a_missing_camera_info_is_named(ros, frames):
    graph = ros.graph('/uninformed')
    said = Said(ros, graph)
    camera = graph.camera()
    for frame in frames(3, frame_id='uninformed_camera'):
        camera.show(frame, without=('rgb_info', 'depth_info'))
    line = said.wait('no messages on', '/uninformed/rgb/camera_info')
    assert line.startswith('30')
    graph.close()


def test_missing_tf_is_named_and_images_are_counted(ros, frames):
    graph = ros.graph('/lost', {'pointmaps.fixed_frame': 'map'})
    said = Said(ros, graph)
    camera = graph.camera()
    for frame in frames(3, frame_id='lost_camera'):
        camera.show(frame, without=('tf',))
    line = said.wait('dropped for want of TF', 'map')
    assert line.startswith('30')
    graph.close()


@pytest.mark.parametrize(
    ('name', 'value', 'reason'),
    [
        ('segmentation.geometric.min_height_m', -1.0, 'min_height_m'),
        ('tracking.confirm_hits', 5, 'only at start'),
    ],
)
def test_a_bad_parameter_is_rejected_with_the_reason(graph, name, value, reason):
    if isinstance(value, int):
        stored = ParameterValue(type=ParameterType.PARAMETER_INTEGER, integer_value=value)
    else:
        stored = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=value)
    answer = graph.call(
        SetParameters,
        'objects/set_parameters',
        parameters=[Parameter(name=name, value=stored)],
    )
    assert not answer.results[0].successful
    assert reason in answer.results[0].reason
