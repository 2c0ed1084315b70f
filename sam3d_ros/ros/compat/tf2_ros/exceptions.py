# SPDX-License-Identifier: Apache-2.0
"""What lookups raise; names as upstream has them."""


class TransformException(Exception):  # noqa: N818 - upstream's name
    """Base of what lookups raise."""


class LookupException(TransformException):
    """A frame that nothing has been said about."""


class ConnectivityException(TransformException):
    """Two frames in different trees."""


class ExtrapolationException(TransformException):
    """A time that the buffer does not cover."""


class InvalidArgumentException(TransformException):
    """A frame name or a transform that cannot be right."""


class TimeoutException(TransformException):
    """Upstream's; ours waits and then raises what was missing."""
