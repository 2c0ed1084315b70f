# SPDX-License-Identifier: Apache-2.0
"""States come back as they were saved; what is written costs what is new."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from sam3d_ros.core.errors import InputError
from sam3d_ros.session.saving.store import STATE, VERSION, SessionStore

LARGE = np.random.default_rng(0).random((100, 100))


def state(large=LARGE, number=1):
    return {'a': [large, {'b': np.arange(3)}], 'same': large, 'n': number, 'none': None}


def test_there_and_back(tmp_path):
    SessionStore(tmp_path).save(state())
    got = SessionStore(tmp_path).load()
    np.testing.assert_array_equal(got['a'][0], LARGE)
    np.testing.assert_array_equal(got['a'][1]['b'], np.arange(3))
    assert got['a'][0] is got['same'], 'what was one array is one again'
    assert (got['n'], got['none']) == (1, None)


def test_large_arrays_are_written_once_and_go_when_they_are_no_longer_needed(tmp_path):
    store = SessionStore(tmp_path)
    store.save(state())
    (file,) = tmp_path.glob('*/*.npy')
    written = file.stat().st_mtime_ns
    store.save(state(number=2))
    assert file.stat().st_mtime_ns == written
    again = SessionStore(tmp_path)
    again.save(again.load())
    assert file.stat().st_mtime_ns == written, 'what was loaded lies there already'
    again.save(state(LARGE + 1))
    (other,) = tmp_path.glob('*/*.npy')
    assert other != file
    np.testing.assert_array_equal(SessionStore(tmp_path).load()['same'], LARGE + 1)


def test_nothing_was_saved(tmp_path):
    assert SessionStore(tmp_path / 'nothing').load() is None


def test_another_version_is_named_and_left_alone(tmp_path):
    theirs = tmp_path / f'v{VERSION + 1}'
    theirs.mkdir()
    (theirs / STATE).write_bytes(b'theirs')
    store = SessionStore(tmp_path)
    with pytest.raises(InputError, match=rf'version v{VERSION + 1}.*v{VERSION}'):
        store.load()
    store.save(state())
    assert (theirs / STATE).read_bytes() == b'theirs'
    assert SessionStore(tmp_path).load()['n'] == 1


@pytest.mark.parametrize('broken', [STATE, '0.npy'])
def test_what_is_damaged_is_named(tmp_path, broken):
    SessionStore(tmp_path).save(state())
    (file,) = tmp_path.glob(f'*/{broken}')
    file.write_bytes(file.read_bytes()[:50])
    with pytest.raises(InputError, match='cannot be read'):
        SessionStore(tmp_path).load()


WRITER = """
import sys
from pathlib import Path
import numpy as np
from sam3d_ros.session.saving.store import SessionStore
store, number = SessionStore(Path(sys.argv[1])), 0
while True:
    number += 1
    store.save({'n': number, 'array': np.full((200, 200), float(number))})
    print(number, flush=True)
"""


def test_a_writer_killed_at_any_time_leaves_a_whole_state(tmp_path):
    for round_ in range(5):
        command = [sys.executable, '-c', WRITER, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            for _ in range(3 + 7 * round_):
                last = int(writer.stdout.readline())
            os.kill(writer.pid, signal.SIGKILL)
        got = SessionStore(tmp_path).load()
        assert got['n'] >= last
        assert (got['array'] == got['n']).all()
