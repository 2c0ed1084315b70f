# SPDX-License-Identifier: Apache-2.0
"""ROS images to OpenCV images and back: cv_bridge's class in numpy, for any numpy."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from sam3d_ros.core.errors import InputError
from sam3d_ros.messages.compressed import decode_compressed
from sam3d_ros.messages.images import decode_image, encode_image, is_color, layout, rgb_from

AnyArray = npt.NDArray[Any]

_FROM_RGB = {
    'rgb8': None,
    'bgr8': cv2.COLOR_RGB2BGR,
    'rgba8': cv2.COLOR_RGB2RGBA,
    'bgra8': cv2.COLOR_RGB2BGRA,
    'mono8': cv2.COLOR_RGB2GRAY,
}


class CvBridgeError(TypeError):
    """A conversion that makes no sense."""


class CvBridge:
    """Converts between sensor_msgs images and numpy arrays."""

    def imgmsg_to_cv2(self, img_msg: Any, desired_encoding: str = 'passthrough') -> AnyArray:
        """Return an Image's pixels, in another encoding when asked for; a view when possible.

        :raises CvBridgeError: when the message is malformed or the encodings do not convert.
        """
        try:
            return _convert(decode_image(img_msg), img_msg.encoding, desired_encoding)
        except InputError as error:
            raise CvBridgeError(str(error)) from error

    def compressed_imgmsg_to_cv2(
        self, cmprs_img_msg: Any, desired_encoding: str = 'passthrough'
    ) -> AnyArray:
        """Return a CompressedImage's pixels (bgr8 as a rule), in another encoding when asked."""
        try:
            image, encoding = decode_compressed(cmprs_img_msg)
            return _convert(image, encoding, desired_encoding)
        except InputError as error:
            raise CvBridgeError(str(error)) from error

    def cv2_to_imgmsg(
        self, cvim: AnyArray, encoding: str = 'passthrough', header: Any = None
    ) -> Any:
        """Return an Image of an array; ``passthrough`` names it by dtype and channels (8UC3)."""
        from sensor_msgs.msg import Image
        from std_msgs.msg import Header

        if not isinstance(cvim, np.ndarray):
            raise TypeError('Your input type is not a numpy array')
        name = _plain_encoding(cvim) if encoding == 'passthrough' else encoding
        if cvim.ndim == 3 and cvim.shape[2] == 1:
            cvim = cvim[..., 0]
        try:
            return encode_image(cvim, name, Image, header or Header())
        except InputError as error:
            raise CvBridgeError(str(error)) from error

    def cv2_to_compressed_imgmsg(self, cvim: AnyArray, dst_format: str = 'jpg') -> Any:
        """Return a CompressedImage of an array in BGR order, as jpg or png."""
        from sensor_msgs.msg import CompressedImage

        if not isinstance(cvim, np.ndarray):
            raise TypeError('Your input type is not a numpy array')
        done, data = cv2.imencode(f'.{dst_format}', cvim)
        if not done:
            raise CvBridgeError(f'OpenCV cannot write {dst_format}')
        message = CompressedImage(format=dst_format)
        message.data.frombytes(data.tobytes())
        return message


def _convert(image: AnyArray, encoding: str, desired: str) -> AnyArray:
    if desired in ('passthrough', '', encoding):
        return image
    dtype, channels = layout(desired)
    if is_color(encoding) and desired in _FROM_RGB:
        rgb, code = rgb_from(image, encoding), _FROM_RGB[desired]
        return rgb if code is None else np.asarray(cv2.cvtColor(rgb, code))
    same_kind = not is_color(encoding) and not is_color(desired)
    plain = 1 if image.ndim == 2 else image.shape[2]
    if channels == plain and (image.dtype == dtype or same_kind):
        return image.astype(dtype, copy=False)
    raise CvBridgeError(f'[{encoding}] cannot be converted to [{desired}]')


def _plain_encoding(image: AnyArray) -> str:
    kind = {'u': 'U', 'i': 'S', 'f': 'F'}.get(image.dtype.kind)
    if kind is None:
        raise CvBridgeError(f'no encoding for {image.dtype}')
    channels = 1 if image.ndim == 2 else image.shape[2]
    return f'{image.dtype.itemsize * 8}{kind}C{channels}'
