# SPDX-License-Identifier: Apache-2.0
"""``sam3d weights``: what learned backends can run, where it is from, whether it is intact."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sam3d_ros.cli.console import progress
from sam3d_ros.core.errors import BackendError
from sam3d_ros.core.pretrained.weights import (
    Weights,
    file_hash,
    find_weights,
    models_folder,
    read_registry,
    verified_file,
)

HUB = 'hub:'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``sam3d weights``."""
    actions = parser.add_subparsers(dest='action', required=True)
    actions.add_parser('list', help='name, licence and state of every checkpoint')
    for name, text in (
        ('fetch', "bring a checkpoint into the hub's local cache"),
        ('verify', 'compare files with their registered hashes'),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument('names', nargs='*' if name == 'verify' else '+', metavar='NAME')


def run(args: argparse.Namespace) -> int:
    """List, fetch or verify; 1 when something that was asked for is not there."""
    folder = models_folder()
    if args.action == 'list':
        for weights in read_registry(folder):
            print(
                f'{weights.name:24} {_state(weights, folder):10} {weights.licence:22} '
                f'{weights.source}'
            )
        return 0
    names = args.names or [weights.name for weights in read_registry(folder)]
    chosen = [find_weights(name, folder) for name in names]
    if args.action == 'fetch':
        for weights in chosen:
            _fetch(weights)
        return 0
    states = []
    with progress('checkpoints hashed') as show:
        for number, weights in enumerate(chosen, 1):
            states.append(_verify(weights, folder))
            show(number, len(chosen))
    return 0 if all(states) or not args.names else 1


def _state(weights: Weights, folder: Path) -> str:
    """Return ``shipped``, ``cached`` or ``absent``."""
    if not weights.source.startswith(HUB):
        return 'shipped' if (folder / weights.file).is_file() else 'absent'
    return 'cached' if _cached(weights) is not None else 'absent'


def _cached(weights: Weights) -> Path | None:
    """Return the folder of a hub checkpoint in the local cache, or None."""
    try:
        from huggingface_hub import scan_cache_dir
        from huggingface_hub.errors import CacheNotFound
    except ImportError:
        return None
    try:
        cache = scan_cache_dir()
    except CacheNotFound:
        return None
    hub_id = weights.source.removeprefix(HUB)
    for repo in cache.repos:
        if repo.repo_id == hub_id and repo.revisions:
            newest = max(repo.revisions, key=lambda revision: revision.last_modified)
            return Path(newest.snapshot_path)
    return None


def _fetch(weights: Weights) -> None:
    if not weights.source.startswith(HUB):
        print(f'{weights.name} is shipped with the project: nothing to fetch')
        return
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ImportError as error:
        raise BackendError(
            'fetching weights needs the package huggingface_hub',
            wanted='the extra sam',
            remedy='./sam3d test installs it; so does pip install -c constraints.txt -e ".[sam]".',
        ) from error
    hub_id = weights.source.removeprefix(HUB)
    print(f'{weights.name}: {hub_id}, licence {weights.licence}', file=sys.stderr)
    try:
        path = snapshot_download(
            hub_id, allow_patterns=['*.json', '*.txt', '*.safetensors', 'merges*', 'vocab*']
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise BackendError(
            f'{hub_id} cannot be fetched: {error}',
            wanted='the hub within reach, and access to this checkpoint',
            remedy='For gated ones accept the licence on the hub and log in with its tool.',
        ) from error
    print(path)


def _verify(weights: Weights, folder: Path) -> bool:
    """Print whether the files are there and intact; a wrong hash raises with both hashes."""
    if not weights.source.startswith(HUB):
        print(f'{weights.name}: intact, {verified_file(weights.name, folder)}')
        return True
    path = _cached(weights)
    if path is None:
        print(f'{weights.name}: absent')
        return False
    for file in sorted(path.glob('*.safetensors')):
        found = file_hash(file.resolve())
        # The hub stores large files under their sha256, which is thus what it promised.
        promised = weights.sha256 or file.resolve().name
        if found != promised:
            raise BackendError(f'{file} has sha256 {found}', wanted=promised)
        print(f'{weights.name}: intact, {file}')
    return True
