# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from sam3d_ros.core.errors import PromptError
from sam3d_ros.core.types import BoxPrompt, ExemplarPrompt, MaskPrompt, PointPrompt, TextPrompt
from sam3d_ros.messages import prompts
from sam3d_ros.messages.prompts import prompt_from, prompt_message, stamp_from
from sam3d_ros.messages.sensors.images import encode_image
from sam3d_ros.messages.types import StoreTypes
from sam3d_ros.messages.typestore import typestore

TYPES = StoreTypes()


def prompt(kind, **fields):
    """Return a Prompt message, empty but for its type and ``fields``."""
    empty = {
        'stamp': TYPES.new('builtin_interfaces/msg/Time', sec=0, nanosec=0),
        'points': [],
        'labels': [],
        'box': region(),
        'mask': None,
        'text': '',
    }
    return TYPES.new('sam3d_msgs/msg/Prompt', type=kind, **(empty | fields))


def region(x=0, y=0, width=0, height=0):
    return TYPES.new(
        'sensor_msgs/msg/RegionOfInterest',
        x_offset=x,
        y_offset=y,
        width=width,
        height=height,
        do_rectify=False,
    )


def test_points_without_labels_are_all_on_the_object():
    points = [TYPES.new('geometry_msgs/msg/Point', x=3.0, y=4.5, z=9.0)]
    assert prompts.prompt_from(prompt(prompts.POINTS, points=points)) == PointPrompt(
        ((3.0, 4.5),), (1,)
    )
    labelled = prompt(prompts.POINTS, points=points, labels=np.array([0], np.int32))
    assert prompts.prompt_from(labelled).labels == (0,)


def test_a_box_means_its_object_and_an_exemplar_all_like_it():
    box = region(10, 20, 30, 40)
    edges = (10.0, 20.0, 40.0, 60.0)
    assert prompts.prompt_from(prompt(prompts.BOX, box=box)) == BoxPrompt(edges)
    exemplar = prompts.prompt_from(prompt(prompts.EXEMPLAR, box=box))
    assert isinstance(exemplar, ExemplarPrompt)
    assert (exemplar.box_px, exemplar.frame) == (edges, None)


def test_a_mask_is_what_is_not_zero():
    header = TYPES.new(
        'std_msgs/msg/Header',
        stamp=TYPES.new('builtin_interfaces/msg/Time', sec=0, nanosec=0),
        frame_id='camera',
    )
    mask = np.zeros((6, 8), np.uint8)
    mask[2:4, 3:7] = 255
    image = encode_image(mask, 'mono8', typestore().types['sensor_msgs/msg/Image'], header)
    found = prompts.prompt_from(prompt(prompts.MASK, mask=image))
    assert isinstance(found, MaskPrompt)
    np.testing.assert_array_equal(found.mask, mask > 0)


def test_a_phrase_is_stripped():
    assert prompts.prompt_from(prompt(prompts.TEXT, text=' red mug ')) == TextPrompt('red mug')


@pytest.mark.parametrize(
    ('message', 'wanted'),
    [
        (prompt(prompts.POINTS), 'point'),
        (prompt(prompts.TEXT, text='  '), 'phrase'),
        (prompt(prompts.BOX), 'area'),
        (prompt(prompts.EXEMPLAR, box=region(5, 5, 10, 0)), 'area'),
        (prompt(77), '77'),
    ],
)
def test_fields_that_make_no_prompt_are_refused(message, wanted):
    with pytest.raises(PromptError, match=wanted):
        prompts.prompt_from(message)


def test_the_stamp_names_a_frame_and_zero_the_latest():
    message = prompt(prompts.EXEMPLAR)
    assert prompts.stamp_from(message) is None
    message.stamp = TYPES.new('builtin_interfaces/msg/Time', sec=12, nanosec=345)
    assert prompts.stamp_from(message) == 12_000_000_345


@pytest.mark.parametrize(
    'asked',
    [
        PointPrompt(((3.0, 4.5), (5.0, 6.0)), (1, 0)),
        BoxPrompt((2.0, 3.0, 10.0, 11.0)),
        TextPrompt('red cup'),
    ],
)
def test_prompts_come_back_from_their_messages(asked):
    message = prompt_message(TYPES, asked, 7_000_000_001)
    assert prompt_from(message) == asked
    assert stamp_from(message) == 7_000_000_001
