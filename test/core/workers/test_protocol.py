# SPDX-License-Identifier: Apache-2.0
"""Messages between client and worker: whole after the journey, strangers refused."""

import socket

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sam3d_ros.core.workers.protocol import (
    HEADER,
    MAGIC,
    VERSION,
    Kind,
    Message,
    ProtocolError,
    pack,
    receive,
    send,
    unpack,
)

ARRAYS = hnp.arrays(
    st.sampled_from([np.uint8, np.float32, np.int32, np.bool_, np.float64]),
    hnp.array_shapes(max_dims=3, max_side=5, min_side=0),
)


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(st.text('abc', min_size=1, max_size=3), ARRAYS, max_size=4),
    st.dictionaries(st.text(max_size=5), st.integers(-5, 5) | st.text(max_size=9), max_size=3),
)
def test_messages_survive_the_socket(arrays, fields):
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with a, b:
        send(a, Message(Kind.RESULT, fields, arrays))
        send(a, Message(Kind.CANCEL))
        for got in (receive(b), unpack(pack(Message(Kind.RESULT, fields, arrays)))):
            assert (got.kind, got.fields) == (Kind.RESULT, fields)
            assert got.arrays.keys() == arrays.keys()
            for name, values in arrays.items():
                np.testing.assert_array_equal(got.arrays[name], values)
                assert got.arrays[name].dtype == values.dtype
        assert receive(b).kind == Kind.CANCEL


def test_bytes_that_are_no_message_are_refused():
    whole = pack(Message(Kind.WORK, {'a': 1}, {'b': np.arange(5.0)}))
    for data, complaint in (
        (b'', 'got 0 bytes'),
        (whole[:-1], f'got {len(whole) - 1} bytes; wanted {len(whole)}'),
        (b'HTTP' + whole[4:], "b'HTTP' version 1"),
        (whole.replace(b'"dtype"', b'"dtipe"'), 'cannot be read'),
        (whole.replace(b'[5]', b'[9]'), 'cannot be read'),
        (whole.replace(b'{"fields', b'["fields'), 'cannot be read'),
    ):
        with pytest.raises(ProtocolError, match=complaint):
            unpack(data)


def test_strangers_are_refused():
    for header in (
        HEADER.pack(b'HTTP', VERSION, 1, 2, 0),
        HEADER.pack(MAGIC, VERSION + 1, 1, 2, 0),
        HEADER.pack(MAGIC, VERSION, 1, 1 << 30, 0),
    ):
        a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with a, b:
            a.sendall(header + b'{}')
            with pytest.raises(ProtocolError):
                receive(b)
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with b:
        a.close()
        with pytest.raises(EOFError):
            receive(b)
