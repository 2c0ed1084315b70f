# SPDX-License-Identifier: Apache-2.0
"""Message types of a recording: by the definitions in it, else by those that ROS always had.

Messages of ROS 1 become today's: fields in lower case, no sequence number, tf/tfMessage as
tf2_msgs/TFMessage. Livox's own clouds become PointCloud2.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

from rosbags.serde import SerdeError
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from sam3d_ros.bags.channels import CDR, ROS1, Channel
from sam3d_ros.core.errors import RecordingError
from sam3d_ros.messages.sensors import livox
from sam3d_ros.messages.types import StoreTypes
from sam3d_ros.messages.typestore import typestore

_CLOUD = 'sensor_msgs/msg/PointCloud2'
TODAY = {'tf/msg/tfMessage': 'tf2_msgs/msg/TFMessage', **dict.fromkeys(livox.TYPES, _CLOUD)}
_TRANSFORMS = 'geometry_msgs/TransformStamped[] transforms'


class Definitions:
    """Decodes the messages of a recording, each channel by its own definition."""

    def __init__(self) -> None:
        self._stores: dict[Channel, Typestore | str] = {}
        self._of_channels: dict[int, tuple[Channel, Typestore | str]] = {}

    def problem(self, channel: Channel) -> str:
        """Return why messages of a channel cannot be decoded, or nothing when they can."""
        store = self._store(channel)
        return store if isinstance(store, str) else ''

    def decode(self, channel: Channel, data: bytes) -> Any:
        """Return a message object with the fields of ROS 2.

        :param channel: topic and type of the message.
        :param data: the bytes of one message.
        :raises RecordingError: when the bytes do not fit the definition, or there is none.
        """
        store = self._store(channel)
        if isinstance(store, str):
            raise RecordingError(f'{channel.topic} cannot be decoded: {store}')
        try:
            is_cdr = channel.encoding == CDR
            read = store.deserialize_cdr if is_cdr else store.deserialize_ros1
            message = read(data, channel.type)
            if channel.type in livox.TYPES:
                return _as_cloud(message)
            return message if is_cdr else _todays(message)
        except (SerdeError, KeyError, AssertionError, IndexError) as error:
            raise RecordingError(
                f'a {channel.type} on {channel.topic} that cannot be decoded: {error}',
                wanted='bytes that fit the definition',
            ) from error

    def _store(self, channel: Channel) -> Typestore | str:
        """Return a channel's store, or why there is none; one for all of the same definition."""
        known = self._of_channels.get(id(channel))
        if known is None:
            key = replace(channel, topic='', count=0, offered=())
            if key not in self._stores:
                self._stores[key] = _store_for(channel)
            known = self._of_channels[id(channel)] = channel, self._stores[key]
        return known[1]


def todays_type(name: str) -> str:
    """Return what a type is read as: tf/tfMessage is tf2_msgs/TFMessage, Livox's PointCloud2."""
    return TODAY.get(name, name)


def _store_for(channel: Channel) -> Typestore | str:
    """Return a store that knows a channel's type, or why there is none."""
    if channel.encoding not in (CDR, ROS1):
        return f'its messages are {channel.encoding}, not cdr or ros1'
    known = _ros1() if channel.encoding == ROS1 else typestore()
    if not channel.definition.strip():
        return _standard(channel, known)
    try:
        types = _parsed(channel)
        if all(known.fielddefs.get(name) == types[name] for name in types):
            return known
        store = get_typestore(Stores.EMPTY)
        # Nested types that a definition leaves out are those that everybody knows.
        store.register({**known.fielddefs, **types})
        store.get_msgdef(channel.type)
    except Exception as error:  # rosbags raises many kinds on text that is no definition
        reason = _standard(channel, known)
        return (
            f'its definition cannot be used: {str(error).splitlines()[0] or type(error).__name__}'
            if isinstance(reason, str)
            else reason
        )
    return store


def _parsed(channel: Channel) -> Any:
    if channel.schema in ('ros2idl', 'omgidl'):
        types: Any = {}
        for part in channel.definition.split('=' * 80 + '\n'):
            text = part.partition('\n')[2] if part.startswith('IDL: ') else part
            types |= get_types_from_idl(text) if text.strip() else {}
        return types
    if channel.schema in ('ros2msg', 'ros1msg'):
        return get_types_from_msg(channel.definition, channel.type)
    raise ValueError(f'it is written in "{channel.schema}"')


def _standard(channel: Channel, known: Typestore) -> Typestore | str:
    """Return the store of standard types when it has this one, of the same digest if there is."""
    if channel.type not in known.fielddefs:
        return f'no definition of {channel.type}'
    if channel.encoding == ROS1 and channel.digest not in ('', '*'):
        digest = known.generate_msgdef(channel.type)[1]
        if digest != channel.digest:
            return f'no definition of {channel.type}, and it is not the usual one'
    return known


@lru_cache(maxsize=1)
def _ros1() -> Typestore:
    """Return the types of the last ROS 1."""
    store = get_typestore(Stores.ROS1_NOETIC)
    for name in ('tf2_msgs/msg/TFMessage', 'tf/msg/tfMessage'):
        if name not in store.fielddefs:
            store.register(get_types_from_msg(_TRANSFORMS, name))
    return store


_NEW = StoreTypes()


def _todays(message: Any) -> Any:
    """Return a message of ROS 1 as one of ROS 2; of a type that ROS 2 lacks, as it is."""
    name = todays_type(message.__msgtype__)
    today = typestore().fielddefs.get(name)
    if today is None:
        return message
    old = {key.lower(): value for key, value in vars(message).items()}
    names = {field.lower(): field for field, _ in today[1]}
    fields = {names[key]: _converted(value) for key, value in old.items() if key in names}
    return _NEW.new(name, **fields)


def _as_cloud(message: Any) -> Any:
    """Return a Livox message as PointCloud2."""
    classes = typestore().types
    message.header = _todays(message.header)
    return livox.cloud_from_livox(message, classes[_CLOUD], classes['sensor_msgs/msg/PointField'])


def _converted(value: Any) -> Any:
    if hasattr(value, '__msgtype__'):
        return _todays(value)
    if isinstance(value, list):
        return [_converted(item) for item in value]
    return value
