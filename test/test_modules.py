# SPDX-License-Identifier: Apache-2.0
"""What every file of the project keeps to: size, licence line, types, documentation, no debris."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = sorted((ROOT / 'sam3d_ros').rglob('*.py'))
ALL = [*PACKAGE, *sorted((ROOT / 'test').rglob('*.py')), *sorted((ROOT / 'launch').rglob('*.py'))]
# Spelled in two parts: this file keeps to the rule as well.
DEBRIS = re.compile('|'.join(['TO' + 'DO', 'FIX' + 'ME', 'NotImplemented' + 'Error', 'XX' + 'X']))
MACHINE_PATH = re.compile(r'/(?:home|root|Users|work)/\w')
MOST_LINES = 500
MOST_MODULES = 14
"""In one folder; what has more has rooms of its own."""
MOST_USED_ONCE = 0.21
"""Share of all functions that are private and used once; lower it when it falls."""
LEAST_EXPLAINED = 0.76
"""Share of arguments of public functions that their docstrings name; raise it when it rises."""
SPDX = '# SPDX-License-Identifier: Apache-2.0\n'
Function = ast.FunctionDef | ast.AsyncFunctionDef


def named(file: Path) -> str:
    return str(file.relative_to(ROOT))


def test_there_is_something_to_check() -> None:
    assert len(PACKAGE) > 20


@pytest.mark.parametrize('file', ALL, ids=named)
def test_file_is_short_licensed_and_clean(file: Path) -> None:
    text = file.read_text()
    assert text.startswith(SPDX)
    assert text.count('\n') <= MOST_LINES
    assert not DEBRIS.findall(text)
    assert not MACHINE_PATH.findall(text)


def test_files_and_functions_are_small_on_the_whole() -> None:
    files = sorted(file.read_text().count('\n') for file in PACKAGE)
    lines = sorted(node.end_lineno - node.lineno + 1 for node in functions(PACKAGE))
    assert median(files) <= 150 and files[int(0.9 * len(files))] <= 400
    assert median(lines) <= 12 and lines[int(0.9 * len(lines))] <= 40


def test_rooms_are_small() -> None:
    rooms = Counter(named(file.parent) for file in PACKAGE if file.name != '__init__.py')
    assert {room: number for room, number in rooms.items() if number > MOST_MODULES} == {}


def functions(files: list[Path]) -> Iterator[Function]:
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, Function):
                yield node


def public(file: Path) -> Iterator[tuple[str, Function | ast.ClassDef]]:
    """Yield public functions, classes and methods of a module with their dotted names."""

    def visit(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, Function | ast.ClassDef]]:
        for node in body:
            if isinstance(node, Function | ast.ClassDef) and not node.name.startswith('_'):
                name = f'{prefix}{node.name}'
                yield name, node
                if isinstance(node, ast.ClassDef):
                    yield from visit(node.body, f'{name}.')

    yield from visit(ast.parse(file.read_text()).body, f'{named(file)}: ')


def missing_types(node: Function) -> list[str]:
    arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
    arguments += [extra for extra in (node.args.vararg, node.args.kwarg) if extra]
    bare = [item.arg for item in arguments if item.annotation is None]
    bare = [name for name in bare if name not in ('self', 'cls')]
    return bare if node.returns else [*bare, 'return']


def test_public_functions_are_typed() -> None:
    untyped = [
        f'{name}({", ".join(missing_types(node))})'
        for file in PACKAGE
        for name, node in public(file)
        if isinstance(node, Function) and missing_types(node)
    ]
    assert untyped == []


def test_public_names_are_documented() -> None:
    everything = [(name, node) for file in PACKAGE for name, node in public(file)]
    bare = [name for name, node in everything if ast.get_docstring(node) is None]
    assert len(bare) <= 0.15 * len(everything), bare


def test_helpers_that_are_used_once_are_few() -> None:
    total, once = 0, []
    for file in PACKAGE:
        tree = ast.parse(file.read_text())
        made = list(functions([file]))
        uses = Counter(
            node.id if isinstance(node, ast.Name) else node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Name | ast.Attribute)
        )
        total += len(made)
        private = (node.name for node in made if re.match('_[^_]', node.name))
        once += [f'{named(file)}: {name}' for name in private if uses[name] == 1]
    assert len(once) / total <= MOST_USED_ONCE, f'{len(once)} of {total}: {once}'


def explained(file: Path) -> Iterator[tuple[str, bool]]:
    """Yield each argument of a module's public functions, and whether a docstring names it.

    Those of a constructor are named by its class.
    """
    for name, node in public(file):
        text = ast.get_docstring(node) or ''
        made = [node]
        if isinstance(node, ast.ClassDef):
            made = [it for it in node.body if getattr(it, 'name', '') == '__init__']
        for function in made:
            arguments = function.args.posonlyargs + function.args.args + function.args.kwonlyargs
            for item in arguments:
                if item.arg not in ('self', 'cls'):
                    yield f'{name}({item.arg})', bool(re.search(rf'\b{item.arg}\b', text))


def test_most_arguments_are_explained() -> None:
    everything = [each for file in PACKAGE for each in explained(file)]
    bare = [name for name, is_named in everything if not is_named]
    assert 1 - len(bare) / len(everything) >= LEAST_EXPLAINED, f'{len(bare)}: {bare}'


def test_every_module_says_what_it_is() -> None:
    assert [
        named(file) for file in PACKAGE if ast.get_docstring(ast.parse(file.read_text())) is None
    ] == []
