# SPDX-License-Identifier: Apache-2.0
"""``sam3d up`` as a user starts it: Ctrl-C, a killed node, a configuration that cannot be."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.dds

WAIT_S = 40.0


class Program:
    """A running ``sam3d`` command and what it has said."""

    def __init__(self, *arguments: str) -> None:
        environment = os.environ | {
            'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
            'ROS_DOMAIN_ID': str(1 + os.getpid() % 100),
            'PYTHONUNBUFFERED': '1',
        }
        self.process = subprocess.Popen(
            [sys.executable, '-m', 'sam3d_ros.cli.main', *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def text(self) -> str:
        return ''.join(self.lines)

    def wait_for(self, pattern: str) -> re.Match[str]:
        found: list[re.Match[str] | None] = []

        def look() -> bool:
            found[:] = [re.search(pattern, self.text)]
            return found[0] is not None

        with self._changed:
            assert self._changed.wait_for(look, WAIT_S), self.text
        assert found[0] is not None
        return found[0]

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        code = self.process.wait(WAIT_S)
        self._reader.join(WAIT_S)
        return code

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line)
                self._changed.notify_all()


@pytest.fixture
def start() -> Iterator:
    programs: list[Program] = []

    def run(*arguments: str) -> Program:
        programs.append(Program(*arguments))
        return programs[-1]

    yield run
    for program in programs:
        if program.process.poll() is None:
            os.killpg(program.process.pid, signal.SIGKILL)
            program.process.wait()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_one_process_ends_with_exit_code_0_and_without_a_traceback(start, number) -> None:
    program = start('up')
    program.wait_for('no messages on /sam3d/rgb/image_rect_color')
    asked = time.monotonic()
    assert program.stop(number) == 0
    assert time.monotonic() - asked < 10.0
    assert 'Traceback' not in program.text


def test_processes_a_killed_node_is_reported_and_started_again(start) -> None:
    program = start('up', '--processes', '--rgb', '/camera/color', '--depth', '/camera/depth')
    program.wait_for('no messages on /camera/color')
    node = child_of(program.process.pid, '\0objects\0')
    os.kill(node, signal.SIGKILL)
    program.wait_for(r'objects died \(signal SIGKILL\): starting it again')
    assert child_of(program.process.pid, '\0objects\0') != node
    assert program.stop() == 0
    assert 'Traceback' not in program.text


def test_no_node_outlives_a_supervisor_that_was_killed(start) -> None:
    program = start('up', '--processes')
    program.wait_for('no messages on /sam3d/rgb/image_rect_color')
    node = child_of(program.process.pid, '\0objects\0')
    program.process.kill()
    program.process.wait(WAIT_S)
    deadline = time.monotonic() + WAIT_S
    while Path(f'/proc/{node}').exists():
        assert time.monotonic() < deadline


@pytest.mark.parametrize('how', [(), ('--processes',)])
def test_a_configuration_that_cannot_be_ends_with_the_reason(start, tmp_path: Path, how) -> None:
    config = tmp_path / 'bad.yaml'
    config.write_text('/**:\n  ros__parameters:\n    segmentation:\n      backend: no_such\n')
    program = start('up', '--config', str(config), *how)
    program.wait_for('no segmentation backend "no_such"')
    assert program.ended() != 0
    assert 'Traceback' not in program.text


def child_of(parent: int, word: str) -> int:
    """Return the process of a parent whose command line has a word, waiting for it."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        for folder in Path('/proc').glob('[0-9]*'):
            try:
                command = (folder / 'cmdline').read_bytes().decode()
                ancestor = int((folder / 'stat').read_text().rpartition(')')[2].split()[1])
            except OSError:
                continue
            if word in command and ancestor == parent:
                return int(folder.name)
    raise AssertionError(f'no {word} below {parent}')
