# SPDX-License-Identifier: Apache-2.0
"""No message, whatever stands in it, ends in anything but a result or an error of ours."""

import struct
from types import SimpleNamespace

import cv2
import numpy as np
from damage import FLOATS, FUZZ, INTEGERS, TEXTS, damaged
from hypothesis import given
from hypothesis import strategies as st

from sam3d_ros.core.errors import InputError, TransformError
from sam3d_ros.core.types import Camera
from sam3d_ros.geometry.transform_tree import TransformTree
from sam3d_ros.messages.sensors.cameras import encode_camera
from sam3d_ros.messages.transforms import transforms_from
from sam3d_ros.pointmaps.decoding import Decoder
from sam3d_ros.pointmaps.rectification import rectify_color

RNG = np.random.default_rng(0)
DECODER = Decoder()
HEADER = SimpleNamespace(frame_id='camera', stamp=SimpleNamespace(sec=1, nanosec=0))
ENCODINGS = [
    'rgb8', 'bgra8', 'mono8', 'mono16', 'rgb16', '8UC3', '16UC1', '32FC1', '64FC2', 'yuv422',
    'yuv422_yuy2', 'bayer_rggb8', 'bayer_gbrg16', 'bayer_xxxx8', '8SC4', '16SC1', '', '8UC0',
]  # fmt: skip


def as_array(data):
    return np.frombuffer(data, np.uint8)


def info(**changes):
    K = np.array([[6.0, 0.0, 3.5], [0.0, 6.0, 2.5], [0.0, 0.0, 1.0]])
    made = encode_camera(Camera(8, 6, K), SimpleNamespace, SimpleNamespace, HEADER)
    vars(made).update(changes)
    return made


INFO = info()


def try_color(message):
    try:
        image = DECODER.color(message, INFO, '/rgb/image_raw')
    except InputError:
        return
    assert image.rgb.shape == (6, 8, 3) and image.rgb.dtype == np.uint8


def try_depth(message):
    try:
        image = DECODER.depth(message, None, '/depth')
    except InputError:
        return
    assert image.depth_m.dtype == np.float32 and image.depth_m.ndim == 2
    assert not (image.depth_m <= 0).any()


@FUZZ
@given(
    st.fixed_dictionaries(
        {'encoding': st.sampled_from(ENCODINGS)},
        optional={
            'width': INTEGERS,
            'height': INTEGERS,
            'step': INTEGERS,
            'is_bigendian': st.integers(0, 255),
            'data': st.integers(0, 400).map(lambda n: RNG.integers(0, 256, n, np.uint8)),
        },
    )
)
def test_images(changes):
    message = SimpleNamespace(header=HEADER, width=8, height=6, step=24, is_bigendian=0)
    message.data = np.zeros(144, np.uint8)
    vars(message).update(changes)
    try_color(message)
    try_depth(message)


def packed(suffix, image):
    return cv2.imencode(suffix, image)[1].tobytes()


COLOR = RNG.integers(0, 256, (6, 8, 3), np.uint8)
DEPTH = RNG.integers(0, 4000, (6, 8)).astype(np.uint16)
FILES = [
    packed('.jpg', COLOR),
    packed('.png', COLOR),
    packed('.png', DEPTH),
    packed('.bmp', COLOR),
]
FORMATS = [
    'jpeg',
    'rgb8; jpeg compressed bgr8',
    'bgr8; png compressed rgb8',
    '16UC1; png',
    'h264',
    '',
]


@FUZZ
@given(st.sampled_from(FILES).flatmap(damaged), st.sampled_from(FORMATS))
def test_compressed_images(data, form):
    message = SimpleNamespace(header=HEADER, format=form, data=as_array(data))
    try_color(message)
    try_depth(message)


def rvl(image):
    """Return an RVL stream of all pixels, the plain way."""
    nibbles, values = [], [0, image.size, *np.diff(image.ravel().astype(int), prepend=0)]
    for place, value in enumerate(values):
        rest = int(value) if place < 2 else (int(value) << 1) ^ (int(value) >> 31)
        while True:
            nibbles.append(rest & 7 | (8 if rest > 7 else 0))
            rest >>= 3
            if not rest:
                break
    nibbles += [0] * (-len(nibbles) % 8)
    words = np.array(nibbles, np.uint8).reshape(-1, 4, 2)
    stream = (words[..., 0] << 4 | words[..., 1])[:, ::-1]
    return struct.pack('<ii', image.shape[1], image.shape[0]) + stream.tobytes()


QUANTISED = struct.pack('<iff', 0, 100.0, -1.0)
DEPTHS = [head + body for head in (b'', QUANTISED) for body in (packed('.png', DEPTH), rvl(DEPTH))]


@FUZZ
@given(
    st.sampled_from(DEPTHS).flatmap(damaged),
    st.sampled_from(['16UC1; compressedDepth', '32FC1; compressedDepth rvl', 'compressedDepth']),
)
def test_compressed_depth(data, form):
    try_depth(SimpleNamespace(header=HEADER, format=form, data=as_array(data)))


FIELD = st.builds(
    SimpleNamespace,
    name=st.sampled_from(['x', 'y', 'z', 'rgb', 'rgba', 'r', 'g', 'b', '', 'x']),
    datatype=st.one_of(st.just(7), st.integers(0, 9)),
    count=st.one_of(st.just(1), INTEGERS),
    offset=st.one_of(st.sampled_from([0, 4, 8, 12]), INTEGERS),
)
XYZ = [SimpleNamespace(name=n, datatype=7, count=1, offset=4 * i) for i, n in enumerate('xyz')]


@FUZZ
@given(
    st.fixed_dictionaries(
        {},
        optional={
            'fields': st.one_of(
                st.lists(FIELD, max_size=5), FIELD.map(lambda field: [*XYZ, field])
            ),
            'width': INTEGERS,
            'height': INTEGERS,
            'point_step': INTEGERS,
            'row_step': INTEGERS,
            'is_bigendian': st.booleans(),
            'data': st.integers(0, 300).map(lambda n: RNG.integers(0, 256, n, np.uint8)),
        },
    )
)
def test_clouds(changes):
    message = SimpleNamespace(header=HEADER, width=12, height=1, point_step=16, row_step=192)
    message.fields, message.is_bigendian, message.data = XYZ, False, np.zeros(192, np.uint8)
    vars(message).update(changes)
    try:
        cloud = DECODER.cloud(message)
    except InputError:
        return
    assert cloud.points_m.shape[-1] == 3 and cloud.points_m.dtype == np.float32


NUMBERS = st.lists(FLOATS, max_size=14)
ROI = st.builds(
    SimpleNamespace, x_offset=INTEGERS, y_offset=INTEGERS, width=INTEGERS, height=INTEGERS
)
MODELS = [
    'plumb_bob',
    'rational_polynomial',
    'equidistant',
    'fisheye',
    'thin_prism',
    '',
    'nonsense',
]


@FUZZ
@given(
    st.fixed_dictionaries(
        {},
        optional={
            'width': INTEGERS,
            'height': INTEGERS,
            'distortion_model': st.sampled_from(MODELS),
            'd': NUMBERS,
            'k': st.one_of(NUMBERS, st.lists(FLOATS, min_size=9, max_size=9)),
            'r': st.one_of(NUMBERS, st.lists(FLOATS, min_size=9, max_size=9)),
            'p': st.one_of(NUMBERS, st.lists(FLOATS, min_size=12, max_size=12)),
            'binning_x': INTEGERS,
            'binning_y': INTEGERS,
            'roi': ROI,
        },
    ),
    st.sampled_from(['/rgb/image_raw', '/rgb/image_rect']),
)
def test_camera_info(changes, topic):
    try:
        lens = DECODER.lens(info(**changes), (8, 6), topic)
        image = rectify_color(COLOR, lens)
    except InputError:
        return
    assert image.shape == (6, 8, 3)
    assert np.isfinite(lens.rectified.K).all()


VECTOR = st.builds(SimpleNamespace, x=FLOATS, y=FLOATS, z=FLOATS)
QUATERNION = st.one_of(
    st.just(SimpleNamespace(x=0.0, y=0.0, z=0.0, w=1.0)),
    st.builds(SimpleNamespace, x=FLOATS, y=FLOATS, z=FLOATS, w=FLOATS),
)
NAMES = st.one_of(st.sampled_from(['map', '/map', 'base', 'camera']), TEXTS)
STAMPS = st.builds(SimpleNamespace, sec=st.integers(-(2**31), 2**31 - 1), nanosec=INTEGERS)
EDGE = st.builds(
    SimpleNamespace,
    header=st.builds(SimpleNamespace, frame_id=NAMES, stamp=STAMPS),
    child_frame_id=NAMES,
    transform=st.builds(SimpleNamespace, translation=VECTOR, rotation=QUATERNION),
)


@FUZZ
@given(st.lists(EDGE, max_size=3), st.booleans())
def test_transforms(edges, is_static):
    good, refused = transforms_from(SimpleNamespace(transforms=edges))
    assert len(good) + len(refused) <= len(edges)
    tree = TransformTree()
    for item in good:
        try:
            tree.add(
                item.parent, item.child, item.T_parent_child, None if is_static else item.stamp_ns
            )
            T = tree.lookup(tree.root(item.child), item.child, item.stamp_ns)
        except TransformError:
            continue
        assert np.isfinite(T).all()
