# SPDX-License-Identifier: Apache-2.0
"""Every command in README and docs runs; what cannot run here says why, or which test runs it."""

import argparse
import contextlib
import importlib
import io
import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from doc_pages import PAGES, ROOT, blocks, commands, name
from made_up_recordings import frames, messages, write

from sam3d_ros.cli.main import COMMANDS as MODULES
from sam3d_ros.cli.main import available, main
from sam3d_ros.core.config import build
from sam3d_ros.nodes.config import InputConfig
from sam3d_ros.session.config import load_config, parameters

ELSEWHERE = {
    './sam3d bench segmentation': 'test/cli/test_bench.py',
    './sam3d bench': 'minutes each, of scans and frames; test/bench runs parts of most',
    './sam3d calibrate': 'test/pipeline/test_calibration.py',
    './sam3d demo': 'test/cli/live/test_demo.py',
    './sam3d docs': 'test/docs/test_site.py',
    './sam3d doctor --': 'test/cli/test_doctor.py',
    './sam3d doctor RECORDING --camera': 'test/cli/recordings/test_process_cameras.py',
    './sam3d replay': 'test/cli/live/test_replay.py',
    './sam3d setup': 'test/setup/test_script.py',
    './sam3d test': 'test/setup/test_script.py',
    './sam3d up': 'test/cli/live/test_up.py',
    './sam3d view': 'test/viewer/test_page.py',
    'ros2 launch sam3d_ros': 'test/test_launch.py',
    'python -m sam3d_ros.setup.interfaces': 'test/setup/test_interfaces.py',
    'pip install -c': 'test/test_robot_road.py',
    'python -m colcon': 'test/test_packaging.py',
    'export COLCON_DEFAULTS_FILE': 'test/test_packaging.py',
    'python -m sam3d_ros.training': 'hours of training; that the module is there is checked below',
    'pip uninstall': 'takes a package out of this environment',
    'ros2 ': 'no wheel carries the command line of ROS 2, nor drivers of cameras',
    'rosdep': 'from apt',
    'sudo apt-get': 'changes the machine',
    'cd ~/ws': 'the workspace of a robot',
    'git clone': 'the same',
    'python3 -m venv': 'the same',
    'touch venv/COLCON_IGNORE': 'the same',
    '. ': 'sources the workspace of a robot',
}
"""What is not run here, by how it begins: the test that runs it, or why nothing can."""

COMMANDS = commands()
OURS = [command for command in COMMANDS if command.startswith('./sam3d ')]
RUN = [command for command in OURS if not command.startswith(tuple(ELSEWHERE))]


@pytest.fixture(scope='module')
def place(boxes_world, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the commands of a page follow each other."""
    folder = tmp_path_factory.mktemp('reader')
    write(folder / 'recording.mcap', messages(frames(boxes_world, size=(320, 240))))
    (folder / 'config').symlink_to(ROOT / 'config')
    return folder


def test_there_are_commands_and_some_of_each_kind() -> None:
    assert len(COMMANDS) > 50 and len(RUN) > 8


@pytest.mark.parametrize('command', OURS)
def test_its_options_exist(command: str) -> None:
    _, sub, *arguments = shlex.split(command.partition(' >')[0])
    if sub in ('setup', 'test'):
        return
    assert sub in available()
    module = importlib.import_module(f'sam3d_ros.cli.{MODULES[sub][0]}')
    parser = argparse.ArgumentParser(exit_on_error=False)
    module.add_arguments(parser)
    parser.parse_args(arguments)


@pytest.mark.parametrize('command', RUN)
def test_it_runs(command: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    words, _, file = command.replace('RECORDING', 'recording.mcap').partition(' > ')
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        assert main(shlex.split(words)[1:]) == 0
    if file:
        Path(file).write_text(output.getvalue())


def test_what_is_said_to_come_out_comes_out(place: Path) -> None:
    folder = place / 'out' / 'listed'
    assert main(['process', str(place / 'recording.mcap'), '--out', str(folder)]) == 0
    page = (ROOT / 'docs' / 'first_robot.md').read_text()
    listed = re.findall(r'^\| `([\w./]+)` \|', page.partition('## 3.')[2], re.MULTILINE)
    assert {file.name for file in folder.iterdir()} == {name.strip('/') for name in listed}


@pytest.mark.parametrize('command', [command for command in COMMANDS if command not in RUN])
def test_what_is_not_run_here_is_run_by_a_test_or_cannot_be(command: str) -> None:
    reasons = [why for start, why in ELSEWHERE.items() if command.startswith(start)]
    assert reasons, f'{command}: run it here, or say in ELSEWHERE why not'
    for why in reasons:
        assert not why.startswith('test/') or (ROOT / why).is_file()
    if command.startswith('python -m sam3d_ros.'):
        assert find_spec(command.split()[2])


def test_every_exception_is_used() -> None:
    unused = [start for start in ELSEWHERE if not any(c.startswith(start) for c in COMMANDS)]
    assert not unused


@pytest.mark.parametrize(
    ('page', 'block'),
    [(name(page), block) for page in PAGES for block in blocks(page, 'python')],
)
def test_python_runs(
    page: str, block: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(place)
    exec(compile(block, page, 'exec'), {})
    assert 'VISIBLE' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('page', 'block'), [(name(page), block) for page in PAGES for block in blocks(page, 'yaml')]
)
def test_parameter_files_hold_options_that_exist(page: str, block: str, tmp_path: Path) -> None:
    file = tmp_path / 'a.yaml'
    file.write_text(block)
    assert yaml.safe_load(block)
    load_config(file)
    build(InputConfig, parameters(file).get('inputs', {}))
