# SPDX-License-Identifier: Apache-2.0
"""The ROS 2 interfaces that no wheel carries, built into the running environment.

Ours (``msgs/``) and, field for field as upstream has them, tf2_msgs, vision_msgs,
object_recognition_msgs/ObjectType and moveit_msgs/CollisionObject. Builds are cached by what
they are made of; ``python -m sam3d_ros.setup.interfaces`` does nothing when nothing changed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from importlib.metadata import distributions
from pathlib import Path

from sam3d_ros.setup import rosidl

ROOT = Path(__file__).resolve().parents[2]
UPSTREAM = ROOT / 'sam3d_ros' / 'messages' / 'definitions'
# A package stands after those that it needs.
PACKAGES = {
    'object_recognition_msgs': UPSTREAM / 'object_recognition_msgs',
    'sam3d_msgs': ROOT / 'msgs',
    'vision_msgs': UPSTREAM / 'vision_msgs',
    'tf2_msgs': UPSTREAM / 'tf2_msgs',
    'moveit_msgs': UPSTREAM / 'moveit_msgs',
}
CACHE = ROOT / '.cache' / 'interfaces'
KEPT_BUILDS = 4


def build_key() -> str:
    """Return a hash of the definitions, the builder, the wheels' versions and the Python ABI."""
    digest = hashlib.sha256()

    def add(text: str) -> None:
        digest.update(text.encode() + b'\0')

    add(f'{sys.implementation.cache_tag} {platform.machine()}')
    for package, folder in PACKAGES.items():
        for file in rosidl.definitions(folder):
            add(f'{package}/{file.name}\n{file.read_text()}')
    add(Path(rosidl.__file__).read_text())
    for wheel in sorted(
        f'{distribution.name} {distribution.version}'
        for distribution in distributions()
        if distribution.name == 'numpy' or distribution.name.startswith('ros-')
    ):
        add(wheel)
    return digest.hexdigest()[:16]


def ensure_interfaces() -> bool:
    """Build (or take from the cache) and install the interfaces; return True if any changed.

    :raises InterfaceBuildError: when a package cannot be generated or compiled.
    """
    key = build_key()
    current = rosidl.Prefix.current()
    stamp = current.root / 'share' / 'sam3d_interfaces.key'
    if stamp.is_file() and stamp.read_text() == key:
        return False
    CACHE.mkdir(parents=True, exist_ok=True)
    with _locked(CACHE / 'lock'):
        built = CACHE / key
        if not built.is_dir():
            _build(built)
        _install(built, current)
        stamp.write_text(key)
        builds = [path for path in CACHE.iterdir() if path.is_dir()]
        for old in sorted(builds, key=lambda path: path.stat().st_mtime)[:-KEPT_BUILDS]:
            shutil.rmtree(old)
    return True


def _build(target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=CACHE, prefix='building-') as folder:
        staged = rosidl.Prefix.staged(Path(folder) / 'prefix')
        done: dict[str, Future[None]] = {}
        with ProcessPoolExecutor(max_workers=len(os.sched_getaffinity(0))) as pool:
            for name, source in PACKAGES.items():
                for needed in rosidl.named_packages(source) & done.keys() - {name}:
                    done[needed].result()
                package = rosidl.Package(name, source, staged, Path(folder) / name)
                done[name] = pool.submit(package.build)
            for future in done.values():
                future.result()
        staged.root.replace(target)


def _install(built: Path, prefix: rosidl.Prefix) -> None:
    source = rosidl.Prefix.staged(built)
    for name in PACKAGES:
        # What an older build had and this one has not must not stay importable.
        for stale in (prefix.share(name), prefix.site / name, prefix.root / 'include' / name):
            shutil.rmtree(stale, ignore_errors=True)
    for tree in ('lib', 'include', 'share'):
        rosidl.install_tree(source.root / tree, prefix.root / tree)
    rosidl.install_tree(source.site, prefix.site)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> int:
    """Run as ``python -m sam3d_ros.setup.interfaces``; return the exit code."""
    try:
        changed = ensure_interfaces()
    except rosidl.InterfaceBuildError as error:
        print(error, file=sys.stderr)
        return 1
    print(f'interfaces: {"built" if changed else "up to date"} ({", ".join(PACKAGES)})')
    return 0


if __name__ == '__main__':
    sys.exit(main())
