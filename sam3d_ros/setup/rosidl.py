# SPDX-License-Identifier: Apache-2.0
"""Build one ROS 2 interface package with the wheels' own generators and a C compiler.

The wheels' CMake files name paths of the machine that built them, so the generators are called
as Python modules and the compiler directly, in the order in which ``rosidl_cmake`` would.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

KINDS = ('msg', 'srv', 'action')
GENERATOR = 'rosidl_generator_c'
DISPATCH = 'rosidl_typesupport_c'
SUPPORTS = ('rosidl_typesupport_fastrtps_c', 'rosidl_typesupport_introspection_c')
DESCRIPTION = 'rosidl_generator_type_description'
PYTHON = 'rosidl_generator_py'
IMPLIED = {
    'msg': (),
    'srv': ('builtin_interfaces', 'service_msgs'),
    'action': ('action_msgs', 'builtin_interfaces', 'service_msgs', 'unique_identifier_msgs'),
}


class InterfaceBuildError(RuntimeError):
    """A generator or the compiler refused an interface package; the message names its log."""


@dataclass(frozen=True)
class Prefix:
    """An installation tree, a virtual environment or one being staged, in the FHS layout.

    :param root: holds ``lib``, ``include`` and ``share``.
    :param site: where its Python packages are.
    """

    root: Path
    site: Path

    @classmethod
    def current(cls) -> Prefix:
        """Return the environment of the running interpreter."""
        return cls(Path(sys.prefix), Path(sysconfig.get_path('platlib')))

    @classmethod
    def staged(cls, root: Path) -> Prefix:
        """Return a tree below ``root`` that is copied into an environment later."""
        return cls(root, root / 'site')

    def share(self, package: str) -> Path:
        """Return the folder of a package's definitions."""
        return self.root / 'share' / package


def definitions(folder: Path) -> list[Path]:
    """Return the .msg, .srv and .action files of a package's folder, sorted."""
    return [file for kind in KINDS for file in sorted((folder / kind).glob(f'*.{kind}'))]


def named_packages(folder: Path) -> set[str]:
    """Return the packages whose types the definitions in ``folder`` use."""
    used: set[str] = set()
    for file in definitions(folder):
        used.update(IMPLIED[file.suffix[1:]])
        used.update(re.findall(r'^\s*(\w+)/\w', file.read_text(), flags=re.MULTILINE))
    return used


@dataclass(frozen=True)
class Package:
    """One interface package on its way into ``target``.

    :param source: folder with msg/, srv/ and action/.
    :param target: where it is installed; packages that it needs may already be there.
    :param work: scratch folder for generated code and the log.
    """

    name: str
    source: Path
    target: Prefix
    work: Path

    def build(self) -> None:
        """Generate, compile and install the package.

        :raises InterfaceBuildError: with the last lines of the log.
        """
        self.work.mkdir(parents=True, exist_ok=True)
        try:
            with self.log.open('w') as log, contextlib.redirect_stdout(log):
                self._generate()
                self._compile()
        except Exception as error:
            tail = '\n'.join(self.log.read_text().splitlines()[-15:])
            raise InterfaceBuildError(
                f'{self.name} was not built: {error}\n{tail}\nWhole log: {self.log}'
            ) from error
        self._install()

    @property
    def log(self) -> Path:
        """Return the file that takes the generators' and the compiler's words."""
        return self.work / 'build.log'

    def _code(self, generator: str) -> Path:
        # A folder for each: rosidl_generator_c and the introspection write files of one name.
        return self.work / 'code' / generator / self.name

    @property
    def _python(self) -> Path:
        return self.work / 'python' / self.name

    @property
    def _idl(self) -> Path:
        return self.work / 'idl'

    @cached_property
    def _needed(self) -> list[str]:
        """Every package whose types ours contain, also inside of theirs; sorted."""
        found: set[str] = set()
        queue = named_packages(self.source) - {self.name}
        while queue:
            package = queue.pop()
            found.add(package)
            queue |= named_packages(self._share(package)) - found
        return sorted(found)

    def _share(self, package: str) -> Path:
        for prefix in (self.target, Prefix.current()):
            if prefix.share(package).is_dir():
                return prefix.share(package)
        raise InterfaceBuildError(f'{self.name} needs the package {package}, which is nowhere')

    def _generate(self) -> None:
        converted = self._to_idl()
        tuples = [f'{self._idl}:{file.relative_to(self._idl)}' for file in converted]
        self._call(DESCRIPTION, 'generate_type_hash', tuples, self._code(DESCRIPTION), [])
        described = [
            f'{relative}:{(self._code(DESCRIPTION) / relative).with_suffix(".json")}'
            for relative in (file.relative_to(self._idl) for file in converted)
        ]

        def call(generator: str, function: str, where: Path, *extra: Any) -> None:
            self._call(generator, function, tuples, where, described, *extra)

        call(GENERATOR, 'generate_c', self._code(GENERATOR), False)
        call(SUPPORTS[0], f'generate_{SUPPORTS[0][7:]}', self._code(SUPPORTS[0]))
        call(SUPPORTS[1], 'generate_c', self._code(SUPPORTS[1]))
        call(DISPATCH, 'generate_c', self._code(DISPATCH), list(SUPPORTS))
        call(PYTHON, 'generate_py', self._python, [DISPATCH, *SUPPORTS])
        for generator in (GENERATOR, *SUPPORTS):
            name = f'{generator}__visibility_control.h'
            template = Prefix.current().share(generator) / 'resource' / f'{name}.in'
            text = template.read_text().replace('@PROJECT_NAME_UPPER@', self.name.upper())
            header = self._code(generator) / 'msg' / name
            header.parent.mkdir(parents=True, exist_ok=True)
            header.write_text(text.replace('@PROJECT_NAME@', self.name))

    def _to_idl(self) -> list[Path]:
        converted = []
        for file in definitions(self.source):
            kind = file.suffix[1:]
            module = importlib.import_module(f'rosidl_adapter.{kind}')
            convert: Callable[..., Any] = getattr(module, f'convert_{kind}_to_idl')
            where = self._idl / kind
            where.mkdir(parents=True, exist_ok=True)
            convert(self.source, self.name, file.relative_to(self.source), where)
            converted.append(where / f'{file.stem}.idl')
        return converted

    def _call(
        self,
        generator: str,
        function: str,
        tuples: list[str],
        where: Path,
        described: list[str],
        *extra: Any,
    ) -> None:
        where.mkdir(parents=True, exist_ok=True)
        shares = {package: self._share(package) for package in self._needed}
        arguments = {
            'package_name': self.name,
            'output_dir': str(where),
            'template_dir': str(Prefix.current().share(generator) / 'resource'),
            'idl_tuples': tuples,
            'include_paths': [f'{package}:{share}' for package, share in shares.items()],
            'ros_interface_dependencies': [
                f'{package}:{idl}'
                for package, share in shares.items()
                for idl in sorted(share.rglob('*.idl'))
            ],
            'target_dependencies': [],
            'type_description_tuples': described,
        }
        file = self.work / f'{generator}.json'
        file.write_text(json.dumps(arguments))
        getattr(importlib.import_module(generator), function)(str(file), *extra)

    def _compile(self) -> None:
        (self.target.root / 'lib').mkdir(parents=True, exist_ok=True)
        own = f'{self.name}__'

        def sources(generator: str) -> list[Path]:
            code = self._code(generator)
            return sorted([*code.rglob('*.c'), *code.rglob('*.cpp')])

        def libraries(kind: str) -> list[str]:
            return [f'{package}__{kind}' for package in self._needed]

        generated = f'{own}{GENERATOR}'
        self._library(GENERATOR, sources(GENERATOR), ['rosidl_runtime_c', 'rcutils'])
        fastrtps = [SUPPORTS[0], 'rosidl_typesupport_fastrtps_cpp', 'fastcdr', 'rmw']
        for support, linked in ((SUPPORTS[0], fastrtps), (SUPPORTS[1], [SUPPORTS[1]])):
            self._library(support, sources(support), [generated, *linked])
        dispatched = [generated, f'{own}{SUPPORTS[0]}', DISPATCH, 'rcutils']
        self._library(DISPATCH, sources(DISPATCH), dispatched)
        self._library(PYTHON, sorted(self._python.rglob('*_s.c')), [generated, own + DISPATCH])
        for support in (DISPATCH, *SUPPORTS):
            self._link(
                self._python / f'{self.name}_s__{support}.so',
                [self._python / f'_{self.name}_s.ep.{support}.c'],
                [own + PYTHON, own + support, generated, 'rosidl_runtime_c', 'rmw']
                + libraries(support),
            )

    def _library(self, kind: str, sources: Sequence[Path], linked: Iterable[str]) -> None:
        beside = [f'{package}__{kind}' for package in self._needed]
        file = self.target.root / 'lib' / f'lib{self.name}__{kind}.so'
        self._link(file, sources, [*linked, *beside])

    def _link(self, file: Path, sources: Sequence[Path], linked: Iterable[str]) -> None:
        is_cpp = any(source.suffix == '.cpp' for source in sources)
        compiler = ['g++', '-std=c++17'] if is_cpp else ['gcc']
        command = [*compiler, '-O2', '-fPIC', '-shared', *self._include_flags]
        command += [*map(str, sources), '-o', str(file), *self._library_flags]
        command += [f'-l{library}' for library in linked]
        with self.log.open('a') as log:
            log.write(f'{" ".join(command)}\n')
            log.flush()
            subprocess.run(command, check=True, stdout=log, stderr=log)

    @cached_property
    def _include_flags(self) -> list[str]:
        numpy = importlib.import_module('numpy')
        folders = [Path(sysconfig.get_path('include')), Path(numpy.get_include())]
        folders += sorted((self.work / 'code').iterdir())
        for prefix in (self.target, Prefix.current()):
            include = prefix.root / 'include'
            if include.is_dir():
                folders += [include, *sorted(path for path in include.iterdir() if path.is_dir())]
        return [f'-I{folder}' for folder in folders]

    @cached_property
    def _library_flags(self) -> list[str]:
        current = Prefix.current()
        folders = [self.target.root / 'lib', current.root / 'lib']
        return [f'-L{folder}' for folder in [*folders, *sorted(current.site.glob('ros_*.libs'))]]

    def _install(self) -> None:
        headers = self.target.root / 'include' / self.name / self.name
        for generator in (GENERATOR, *SUPPORTS):
            _copy(self._code(generator), headers, '*.h')
        share = self.target.share(self.name)
        for tree in (self.source, self._idl, self._code(DESCRIPTION)):
            for kind in KINDS:
                _copy(tree / kind, share / kind, '*')
        manifest = self.source / 'package.xml'
        if manifest.is_file():
            shutil.copy(manifest, share)
        _copy(self._python, self.target.site / self.name, '*.py')
        _copy(self._python, self.target.site / self.name, '*.so')
        index = self.target.root / 'share' / 'ament_index' / 'resource_index'
        listing = sorted(str(file.relative_to(share)) for file in share.rglob('*.*'))
        for resource, text in (('packages', ''), ('rosidl_interfaces', '\n'.join(listing))):
            (index / resource).mkdir(parents=True, exist_ok=True)
            (index / resource / self.name).write_text(text)


def _copy(source: Path, target: Path, pattern: str) -> None:
    for file in source.rglob(pattern):
        destination = target / file.relative_to(source)
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, destination)


def install_tree(source: Path, target: Path) -> None:
    """Copy a tree over another, each file in one step: a process that has one open keeps it.

    :param source: folder to copy.
    :param target: folder that it goes over.
    """
    for file in sorted(path for path in source.rglob('*') if path.is_file()):
        destination = target / file.relative_to(source)
        destination.parent.mkdir(parents=True, exist_ok=True)
        beside = destination.with_name(f'.{destination.name}.{os.getpid()}')
        shutil.copy(file, beside)
        beside.replace(destination)
