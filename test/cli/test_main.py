# SPDX-License-Identifier: Apache-2.0
"""The command finds its subcommands, explains errors, and stays quick by importing late."""

import subprocess
import sys
import types
from importlib.machinery import ModuleSpec

import pytest

from sam3d_ros.cli import main as command
from sam3d_ros.core.errors import RecordingError


@pytest.fixture
def subcommand(monkeypatch):
    """Install a subcommand ``version`` whose run does what the test says."""

    def install(run):
        module = types.ModuleType('sam3d_ros.cli.version')
        module.__doc__ = 'A made-up command.'
        module.__spec__ = ModuleSpec(module.__name__, None)
        module.add_arguments = lambda parser: parser.add_argument('--number', type=int, default=0)
        module.run = run
        monkeypatch.setitem(sys.modules, 'sam3d_ros.cli.version', module)

    return install


def raising(error):
    def run(args):
        raise error

    return run


def test_exit_code_and_options_are_those_of_the_subcommand(subcommand):
    subcommand(lambda args: args.number)
    assert command.main(['version']) == 0
    assert command.main(['version', '--number', '7']) == 7


@pytest.mark.parametrize(
    ('error', 'code', 'text'),
    [
        (RecordingError('this', wanted='that', remedy='Do so.'), 2, 'this; wanted that. Do so.'),
        (KeyboardInterrupt(), 130, ''),
        (PermissionError(13, 'not yours', '/file'), 2, "not yours: '/file'"),
        (ModuleNotFoundError("No module named 'torch'", name='torch'), 2, '"torch" is not'),
    ],
)
def test_errors_are_sentences(subcommand, capsys, error, code, text):
    subcommand(raising(error))
    assert command.main(['version']) == code
    captured = capsys.readouterr()
    assert text in captured.err
    assert 'Traceback' not in captured.err and captured.out == ''


def test_our_own_mistakes_are_not_dressed_up(subcommand):
    subcommand(raising(ModuleNotFoundError('x', name='sam3d_ros.nothing')))
    with pytest.raises(ModuleNotFoundError):
        command.main(['version'])
    subcommand(raising(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        command.main(['version'])


def test_help_lists_what_exists(capsys):
    with pytest.raises(SystemExit) as ended:
        command.main(['--help'])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    for name in command.available():
        assert f'\n    {name}' in text
    assert 'process' in command.available() and 'version' in command.available()


@pytest.mark.parametrize('arguments', [['nonsense'], ['process'], ['process', '--nonsense']])
def test_wrong_arguments(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    assert ended.value.code == 2
    assert 'usage: sam3d' in capsys.readouterr().err


def test_every_subcommand_has_what_main_calls():
    for name in command.available():
        module = pytest.importorskip(f'sam3d_ros.cli.{command.COMMANDS[name][0]}')
        assert module.__doc__
        assert callable(module.add_arguments) and callable(module.run)


def test_help_imports_nothing_heavy():
    code = (
        'import sys; from sam3d_ros.cli.main import available; available(); '
        'print([name for name in ("numpy", "cv2", "rosbags", "open3d", "rclpy") '
        'if name in sys.modules])'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == '[]'


def test_versions(capsys):
    assert command.main(['version']) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith('python 3.')
    assert any(line.startswith('numpy ') for line in lines)
