# SPDX-License-Identifier: Apache-2.0
"""Ways in which bytes and numbers of messages go bad."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

FUZZ = settings(
    max_examples=2000,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
"""For every decoder: 2 000 examples, the same in each run."""

INTEGERS = st.sampled_from([0, 1, 2, 3, 7, 8, 15, 16, 64, 255, 65535, 2**31 - 1, 2**31, 2**32 - 1])
FLOATS = st.sampled_from([0.0, 1.0, -1.0, 1e-30, 1e30, 1e308, float('nan'), float('inf')])
TEXTS = st.one_of(st.sampled_from(['', '/', '\x00', 'é' * 3]), st.text(max_size=6))


def damaged(data: bytes):
    """Return a strategy of bytes that are cut off, changed in places, or followed by more."""
    changes = st.lists(
        st.tuples(st.integers(0, max(len(data) - 1, 0)), st.integers(0, 255)), max_size=4
    )
    ends = st.one_of(st.just(len(data)), st.integers(0, len(data)))
    return st.builds(
        _apply, st.just(data), changes, ends, st.sampled_from([b'', b'', b'\0', b'abcd' * 9])
    )


def _apply(data, changes, end, more):
    out = bytearray(data)
    for at, value in changes:
        if at < len(out):
            out[at] = value
    return bytes(out[:end]) + more
