# SPDX-License-Identifier: Apache-2.0
"""The files of a recording: one file, a rosbag2 folder, or a folder of its parts alone.

A file is what its first bytes say, whatever its name. A folder's metadata.yaml names the parts and
nothing else: where it disagrees with the files, they are right.
"""

from __future__ import annotations

import re
import shutil
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from rosbags.rosbag2.storage_mcap import zstd  # type: ignore[attr-defined]

from sam3d_ros.bags import mcap, rosbag1, sqlite
from sam3d_ros.bags.channels import LOADER, Container, offered_in
from sam3d_ros.core.errors import RecordingError

METADATA = 'metadata.yaml'
SUFFIXES = ('.mcap', '.db3', '.bag')
_PACKED = '.zstd'
_KINDS: tuple[tuple[bytes, Callable[[Path], Container]], ...] = (
    (mcap.MAGIC, mcap.McapFile),
    (sqlite.MAGIC, sqlite.SqliteFile),
    (rosbag1.MAGIC, rosbag1.Rosbag1File),
)


def open_file(path: Path) -> Container:
    """Open a file of messages.

    :raises RecordingError: when it is none, or cannot be read.
    """
    with path.open('rb') as file:
        begin = file.read(16)
    for magic, kind in _KINDS:
        if begin.startswith(magic):
            try:
                return kind(path)
            except RecordingError as error:
                raise RecordingError(
                    f'{path} cannot be read: {error.seen}',
                    wanted='a complete recording',
                    remedy=error.remedy,
                ) from error
    raise RecordingError(
        f'{path} {"cannot be read: it " if path.suffix in SUFFIXES else ""}is no recording',
        wanted='a folder with metadata.yaml, an .mcap or .db3 file, or a ROS 1 .bag',
    )


def open_containers(
    path: Path, unpacked: TemporaryDirectory[str]
) -> tuple[list[Container], list[str]]:
    """Open every file of a recording.

    :param path: a file, or a folder of the parts of one recording.
    :param unpacked: where compressed files are unpacked to; to be kept while they are read.
    :return: the files in order, and sentences about what was not as it should be.
    :raises RecordingError: when there is none, or none can be read.
    """
    if not path.exists():
        raise RecordingError(f'nothing at {path}', wanted='a recording')
    metadata: dict[str, Any] = {}
    notes: list[str] = []
    files = [path]
    if path.is_dir():
        metadata = _read_metadata(path / METADATA, notes)
        files = _parts(path, metadata, notes)
    opened: list[Container] = []
    failures: list[RecordingError] = []
    for file in files:
        try:
            opened.append(open_file(_unpack(file, Path(unpacked.name))))
        except RecordingError as error:
            failures.append(error)
    if not opened:
        raise failures[0]
    notes += [f'{error}; the other parts are read' for error in failures]
    notes += _disagreements(metadata, opened)
    return opened, notes


def _read_metadata(path: Path, notes: list[str]) -> dict[str, Any]:
    """Return what metadata.yaml says; nothing where there is none or it cannot be read."""
    if not path.is_file():
        return {}
    try:
        content = yaml.load(path.read_text(), LOADER)['rosbag2_bagfile_information']
        if isinstance(content, dict):
            return content
    except (yaml.YAMLError, KeyError, TypeError, UnicodeDecodeError):
        pass
    notes.append(f'{METADATA} cannot be read; the files are taken as they are')
    return {}


def _parts(folder: Path, metadata: dict[str, Any], notes: list[str]) -> list[Path]:
    """Return the files of a folder that are parts of one recording, in order."""
    named = [folder / PurePath(str(name)).name for name in metadata.get('relative_file_paths', ())]
    listed = [file for file in named if file.is_file()]
    families: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for file in folder.iterdir():
        if file.name.removesuffix(_PACKED).endswith(SUFFIXES) and file.is_file():
            families[_family(file)[:2]].append(file)
    for family in families.values():
        family.sort(key=lambda file: _family(file)[2])
    if listed:
        missing = [file.name for file in named if file not in listed]
        if missing:
            notes.append(f'{METADATA} names {", ".join(missing)}, which is not there')
        whole = families[_family(listed[0])[:2]]
        more = [file for file in whole if file not in listed]
        if more:
            notes.append(f'{METADATA} does not name {_names(more)}, which is read too')
        return sorted({*listed, *whole}, key=lambda file: _family(file)[2])
    if len(families) == 1:
        (parts,) = families.values()
        if not (folder / METADATA).is_file():
            notes.append(f'no {METADATA}; read: {_names(parts)}')
        return parts
    found = [file for family in families.values() for file in family]
    raise RecordingError(
        f'{folder} is no recording' if not found else f'{folder} holds several: {_names(found)}',
        wanted='a folder with metadata.yaml, an .mcap or .db3 file, or a ROS 1 .bag',
        remedy=f'Name a file in it: {min(found)}' if found else '',
    )


def _family(file: Path) -> tuple[str, str, int]:
    """Return name, suffix and number of a part: r_10.mcap is (r, .mcap, 10)."""
    name = Path(file.name.removesuffix(_PACKED))
    match = re.fullmatch(r'(.*)_(\d+)', name.stem)
    stem, number = (match[1], int(match[2])) if match else (name.stem, -1)
    return stem, name.suffix, number


def _names(files: Sequence[Path]) -> str:
    return ', '.join(sorted(file.name for file in files))


def _unpack(file: Path, folder: Path) -> Path:
    """Return an uncompressed copy of a compressed file, others as they are."""
    if not file.name.endswith(_PACKED):
        return file
    plain = folder / file.name.removesuffix(_PACKED)
    try:
        with zstd.open(file, 'rb') as packed, plain.open('wb') as target:
            shutil.copyfileobj(packed, target)
    except (zstd.ZstdError, EOFError) as error:
        raise RecordingError(f'{file} cannot be read: {error}') from error
    return plain


def _disagreements(metadata: dict[str, Any], opened: Sequence[Container]) -> list[str]:
    """Return in one sentence what metadata.yaml says of topics and the files say otherwise."""
    counts: dict[str, int] = defaultdict(int)
    offered: dict[str, set[Any]] = defaultdict(set)
    types: dict[str, set[str]] = defaultdict(set)
    for channel in (item for each in opened for item in each.channels.values()):
        counts[channel.topic] += channel.count
        offered[channel.topic] |= set(channel.offered)
        types[channel.topic].add(channel.type)
    wrong = []
    for entry in metadata.get('topics_with_message_count') or ():
        try:
            topic, count = entry['topic_metadata'], int(entry['message_count'])
            name, kind = topic['name'], topic['type']
        except (KeyError, TypeError, ValueError):
            wrong.append('an entry that is none')
            continue
        profiles = set(offered_in(topic.get('offered_qos_profiles') or ''))
        if count != counts[name]:
            wrong.append(f'{name}: {count} messages, in the files {counts[name]}')
        elif types[name] and kind not in types[name]:
            wrong.append(f'{name}: type {kind}, in the files {", ".join(sorted(types[name]))}')
        elif offered[name] and profiles != offered[name]:
            wrong.append(f'{name}: other quality of service than in the files')
    if not wrong:
        return []
    more = f' and {len(wrong) - 3} more' if len(wrong) > 3 else ''
    return [f'{METADATA} disagrees with the files, which are taken: {"; ".join(wrong[:3])}{more}']
