# SPDX-License-Identifier: Apache-2.0
"""What the computer lacks is named, installed when allowed, or put into one line to type."""

import subprocess
from pathlib import Path

import pytest

from sam3d_ros.setup import machine


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A computer with Python alone: no ensurepip, headers, compilers or libraries."""
    monkeypatch.setattr(machine.importlib.util, 'find_spec', lambda name: None)
    monkeypatch.setattr(machine.sysconfig, 'get_path', lambda name: str(tmp_path))
    monkeypatch.setattr(machine.shutil, 'which', lambda name: None)
    monkeypatch.setattr(machine, '_loads', lambda name: False)
    return monkeypatch


def test_this_machine_has_everything() -> None:
    assert machine.missing_packages() == []
    machine.ensure_packages()


def test_everything_missing_is_named(bare: pytest.MonkeyPatch) -> None:
    wanted = ['python3-venv', 'python3-dev', 'gcc', 'g++', 'libusb-1.0-0', 'libgl1', 'libegl1']
    assert machine.missing_packages() == [*wanted, 'libgomp1', 'libx11-6']


def test_without_permission_one_line_to_type(bare: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        machine.SetupError, match=r'Type: sudo apt-get install -y .*libgl1'
    ) as told:
        machine.ensure_packages()
    assert '\n' not in str(told.value)


def test_root_installs_after_an_update(bare: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []
    lacking = [['gcc', 'libgl1'], []]

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        ran.append(command)
        return subprocess.CompletedProcess(command, 0, '', '')

    bare.setattr(machine, 'missing_packages', lambda: lacking.pop(0))
    bare.setattr(machine, '_privilege', list)
    bare.setattr(machine.subprocess, 'run', run)
    machine.ensure_packages()
    assert ran[0] == ['apt-get', 'update']
    assert ran[1][:3] == ['apt-get', 'install', '-y'] and ran[1][-2:] == ['gcc', 'libgl1']


def test_failing_apt_is_quoted(bare: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess('', 100, '', 'Unable to locate package gcc\n')
    bare.setattr(machine, 'missing_packages', lambda: ['gcc'])
    bare.setattr(machine, '_privilege', list)
    bare.setattr(machine.subprocess, 'run', lambda *_, **__: failed)
    with pytest.raises(machine.SetupError, match='Unable to locate'):
        machine.ensure_packages()


def test_other_cpu_is_sent_to_the_robot_road(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.platform, 'machine', lambda: 'aarch64')
    with pytest.raises(machine.SetupError, match=r'not for aarch64.*On a robot'):
        machine.require_supported()


def test_other_python_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.sys, 'version_info', (3, 14, 0))
    with pytest.raises(machine.SetupError, match=r'Python 3\.11 or Python 3\.12'):
        machine.require_supported()


def test_a_browser_is_installed_when_allowed_and_its_lack_fails_nothing(
    bare: pytest.MonkeyPatch,
) -> None:
    assert 'Type: sudo apt-get install' in machine.ensure_browser()
    ran = []

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        ran.append(' '.join(command))
        return subprocess.CompletedProcess(command, 100 * ('install' in command), '', 'no room\n')

    bare.setattr(machine, '_privilege', lambda: [])
    bare.setattr(machine.subprocess, 'run', run)
    lack = machine.ensure_browser()
    assert 'tests of the page are skipped' in lack and 'no room' in lack
    assert ran[0] == 'apt-get update' and ran[1].endswith('chromium')
    bare.setattr(machine.shutil, 'which', lambda name: name if 'google' in name else None)
    assert machine.ensure_browser() == ''
