# SPDX-License-Identifier: Apache-2.0
import signal
import sys

import pytest

from sam3d_ros.nodes.processes import Processes

FOREVER = [
    sys.executable,
    '-c',
    'import signal, time; signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})\n'
    'print("up", flush=True); time.sleep(600)',
]
STUBBORN = [
    sys.executable,
    '-c',
    'import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print("up", flush=True)\n'
    'time.sleep(600)',
]
POLITE = [
    sys.executable,
    '-c',
    'import signal, sys, time\n'
    'signal.signal(signal.SIGINT, lambda *_: sys.exit(0)); print("up", flush=True)\n'
    'time.sleep(0.5); signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})\n'
    'time.sleep(600)',
]
LISTENING = [
    sys.executable,
    '-c',
    'from sam3d_ros.nodes.processes import stop_on_signals\n'
    'stop = stop_on_signals(); print("up", flush=True); raise SystemExit(not stop.wait(60.0))',
]


def wait_until_up(processes: Processes, name: str) -> None:
    import time

    deadline = time.monotonic() + 20.0
    while 'up' not in processes.log_tail(name):
        assert time.monotonic() < deadline


@pytest.fixture
def processes(tmp_path):
    with Processes(tmp_path) as processes:
        yield processes


def test_a_killed_process_is_reported_once_and_can_be_started_again(processes):
    processes.start('node', FOREVER)
    wait_until_up(processes, 'node')
    import os

    os.kill(processes.pid('node'), signal.SIGKILL)
    processes.wait('node', 10.0)
    assert [str(death) for death in processes.deaths()] == ['node died (signal SIGKILL)']
    assert processes.deaths() == []
    processes.restart('node')
    assert processes.running('node')


def test_a_process_that_ends_well_is_no_death(processes):
    processes.start('node', [sys.executable, '-c', 'print("bye")'])
    assert processes.wait('node', 20.0) == 0
    assert processes.deaths() == []
    assert processes.exit_code('node') == 0
    assert processes.log_tail('node') == 'bye'


def test_a_failure_is_a_death_with_its_exit_code(processes):
    processes.start('node', [sys.executable, '-c', 'raise SystemExit(3)'])
    processes.wait('node', 20.0)
    assert [str(death) for death in processes.deaths()] == ['node died (exit code 3)']


def test_stopping_interrupts_and_kills_only_what_does_not_listen(processes):
    for name, command in (('polite', POLITE), ('stubborn', STUBBORN)):
        processes.start(name, command)
        wait_until_up(processes, name)
    assert [str(death) for death in processes.stop(2.0)] == ['stubborn died (signal SIGKILL)']
    assert not processes.running('polite')


@pytest.mark.parametrize('is_up', [False, True])
def test_who_stops_on_signals_is_never_killed_however_early_they_come(processes, is_up):
    processes.start('node', LISTENING)
    if is_up:
        wait_until_up(processes, 'node')
    assert processes.stop() == []
    assert processes.exit_code('node') == 0
