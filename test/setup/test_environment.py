# SPDX-License-Identifier: Apache-2.0
"""The environment is made once, again when its key changes, and never by two at a time."""

import fcntl
import sys
import threading
from pathlib import Path

import pytest

from sam3d_ros.setup import environment
from sam3d_ros.setup.machine import SetupError


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder; commands are recorded in ``commands``, none is run."""
    monkeypatch.setattr(environment, 'ROOT', tmp_path)
    monkeypatch.setattr(environment, 'VENV', tmp_path / '.venv')
    monkeypatch.setattr(environment, 'STAMP', tmp_path / '.venv' / 'sam3d.stamp')
    monkeypatch.setattr(environment, 'CACHE', tmp_path / '.cache')
    return tmp_path


@pytest.fixture
def commands(place: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    ran: list[list[str]] = []

    def run(command: list[str]) -> None:
        ran.append(command)
        if 'venv' in command:
            make_venv(place / '.venv', place / '.venv')

    monkeypatch.setattr(environment, '_run', run)
    return ran


def make_venv(folder: Path, named_in_pip: Path) -> None:
    (folder / 'bin').mkdir(parents=True)
    (folder / 'bin' / 'python').symlink_to(sys.executable)
    (folder / 'bin' / 'pip').write_text(f'#!{named_in_pip}/bin/python\n')


def test_first_call_makes_everything_second_nothing(commands: list[list[str]]) -> None:
    environment.ensure_environment('default', 'key1')
    made, installed, built = commands
    assert made[1:3] == ['-m', 'venv']
    assert installed[-1].endswith('[ros,viewer,bench]') and '-c' in installed
    assert built[-1] == 'sam3d_ros.setup.interfaces'
    environment.ensure_environment('default', 'key1')
    assert len(commands) == 3


def test_new_key_refreshes_and_keeps_the_venv(commands: list[list[str]]) -> None:
    environment.ensure_environment('default', 'key1')
    environment.ensure_environment('default', 'key2')
    assert [command for command in commands if 'venv' in command] == [commands[0]]
    assert len(commands) == 5


def test_test_profile_covers_the_default_not_the_other_way(commands: list[list[str]]) -> None:
    environment.ensure_environment('default', 'key1')
    environment.ensure_environment('test', 'key1')
    assert commands[3][-1].endswith('[ros,viewer,bench,docs,dev,sam,flow]')
    for narrower in ('default', 'docs'):
        environment.ensure_environment(narrower, 'key1')
    assert len(commands) == 5


def test_moved_folder_is_made_anew(place: Path, commands: list[list[str]]) -> None:
    make_venv(place / '.venv', Path('/elsewhere/.venv'))
    (place / '.venv' / 'sam3d.stamp').write_text('key1 /elsewhere default\n')
    environment.ensure_environment('default', 'key1')
    assert 'venv' in commands[0]


def test_interpreter_that_vanished_is_made_anew(place: Path, commands: list[list[str]]) -> None:
    environment.ensure_environment('default', 'key1')
    (place / '.venv' / 'bin' / 'python').unlink()
    environment.ensure_environment('default', 'key1')
    assert len([command for command in commands if 'venv' in command]) == 2


def test_failed_step_leaves_no_stamp_and_quotes_its_words(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_venv(place / '.venv', place / '.venv')
    (place / '.venv' / 'sam3d.stamp').write_text('old')
    program = 'print("no such wheel"); raise SystemExit(1)'
    fails = [sys.executable, '-c', program]
    monkeypatch.setattr(environment, '_install_packages', lambda extras: environment._run(fails))
    with pytest.raises(SetupError, match='no such wheel') as told:
        environment.ensure_environment('default', 'key1')
    assert 'setup.log' in str(told.value)
    assert not environment.STAMP.exists()


def test_second_caller_waits_for_the_first(place: Path, commands: list[list[str]]) -> None:
    (place / '.cache').mkdir()
    caller = threading.Thread(target=environment.ensure_environment, args=('default', 'key1'))
    with (place / '.cache' / 'setup.lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        caller.start()
        caller.join(0.3)
        assert caller.is_alive() and commands == []
    caller.join(30)
    assert not caller.is_alive() and len(commands) == 3
