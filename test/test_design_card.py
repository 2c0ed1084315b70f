# SPDX-License-Identifier: Apache-2.0
"""The docs' table of packages, row by row against the imports."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / 'sam3d_ros'
CARD = {
    'rclpy',
    'torch',
    'open3d',
    'cv-bridge',
    'message-filters',
    'numpy',
    'trimesh',
    'depth-anything',
    'segment-anything',
}


def rows() -> dict[str, set[str]]:
    """Return the rooms that the table names for each package."""
    part = (
        (ROOT / 'docs/reference/backends.md')
        .read_text()
        .partition('## Design card')[2]
        .partition('\n#')[0]
    )
    found = re.findall(r'^\| ([\w-]+) \| (.+?) \|', part, flags=re.MULTILINE)
    return {
        name: set(re.findall(r'`([\w/]+)`', rooms)) for name, rooms in found if name != 'package'
    }


def imported(file: Path) -> set[str]:
    """Return the roots that a module imports, those by name and through ros/upstream too."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name.partition('.')[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition('.')[0])
            if node.module == 'sam3d_ros.ros.upstream':
                found |= {name.name for name in node.names}
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == 'import_module':
            found |= {arg.value for arg in node.args if isinstance(arg, ast.Constant)}
    return found


def rooms_of(package: str, depth_of: set[str]) -> set[str]:
    """Return the rooms that import a package, as deep as the table names them."""
    found = set()
    for file in PACKAGE.rglob('*.py'):
        if package.replace('-', '_') in imported(file):
            room = str(file.relative_to(PACKAGE).parent)
            inner = [name for name in depth_of if room == name or room.startswith(f'{name}/')]
            found.add(max(inner, key=len, default=room))
    return found


def test_every_package_of_the_card_has_a_row() -> None:
    assert set(rows()) == CARD


@pytest.mark.parametrize('package', sorted(CARD - {'numpy', 'message-filters'}))
def test_rooms_are_those_that_import_it(package: str) -> None:
    named = rows()[package]
    assert rooms_of(package, named) == named


def test_message_filters_are_the_subscribers_of_the_inputs() -> None:
    assert rooms_of('message-filters', {'nodes', 'ros'}) == {'nodes'}
    upstream = (PACKAGE / 'ros' / 'upstream.py').read_text()
    assert "'message_filters': lambda module: (module.SimpleFilter, module.Subscriber)" in upstream
    inputs = (PACKAGE / 'nodes' / 'pointmap' / 'inputs.py').read_text()
    assert 'message_filters.Subscriber(' in inputs


def test_numpy_is_in_every_room_but_one() -> None:
    rooms = {file.relative_to(PACKAGE).parts[0] for file in PACKAGE.glob('*/*.py')}
    using = {
        file.relative_to(PACKAGE).parts[0]
        for file in PACKAGE.rglob('*/*.py')
        if 'numpy' in imported(file)
    }
    assert rows()['numpy'] == {'setup'} and rooms - using == {'setup'}
