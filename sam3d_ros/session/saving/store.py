# SPDX-License-Identifier: Apache-2.0
"""A saved session: a folder whose state is replaced whole, at the cost of what is new in it.

``DIR/vN/state.npz`` holds the tree of the state with its small arrays; every large array has a
file of its own beside it, which is written once and never changed. A state becomes the saved one
by the renaming of one file, so a program that is killed leaves the one before. The version is part
of the path: what another version saved in the same folder stays as it is.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.state import Array, with_arrays, without_arrays

VERSION = 7
"""Counted up when a state means something else than before."""
LARGE_BYTES = 4096
"""Size from which an array has a file of its own."""
STATE, TREE = 'state.npz', 'tree'


class SessionStore:
    """Writes states to a folder and reads the last one.

    :param folder: made when something is saved.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._place = folder / f'v{VERSION}'
        # The arrays stay referenced: an id is theirs alone for as long as they live.
        self._files: dict[int, tuple[Array, str]] = {}
        self._next = 0

    def save(self, state: Any) -> None:
        """Replace the saved state.

        :param state: a tree of :mod:`core.state`; its arrays are not written to later.
        :raises OSError: when it cannot be written; the one before stays.
        """
        self._place.mkdir(parents=True, exist_ok=True)
        small: dict[str, Array] = {}
        kept: dict[int, tuple[Array, str]] = {}

        def put(array: Array) -> str:
            if array.nbytes < LARGE_BYTES:
                name = f'a{len(small)}'
                small[name] = array
            else:
                known = kept.get(id(array)) or self._files.get(id(array))
                name = known[1] if known else self._write(array)
                kept[id(array)] = array, name
            return name

        text = json.dumps(without_arrays(state, put))
        small[TREE] = np.frombuffer(text.encode(), np.uint8)
        part = self._place / f'{STATE}.part'
        with part.open('wb') as file:
            np.savez(file, allow_pickle=False, **small)
        part.replace(self._place / STATE)
        self._files = kept
        names = {name for _, name in kept.values()}
        for file_ in self._place.glob('*.npy'):
            if file_.name not in names:
                file_.unlink()

    def load(self) -> Any | None:
        """Return the saved state; None when there is none.

        :raises InputError: when it cannot be read, or only another version has saved here.
        """
        path = self._place / STATE
        if not path.is_file():
            others = sorted(item.parent.name for item in self.folder.glob(f'v*/{STATE}'))
            if others:
                raise InputError(
                    f'{self.folder} holds a session of version {", ".join(others)}',
                    wanted=f'one of v{VERSION}',
                    remedy='It stays as it is; what is saved from now on lies beside it.',
                )
            return None
        try:
            with np.load(path, allow_pickle=False) as small:
                arrays = {name: small[name] for name in small.files}
            tree = json.loads(arrays.pop(TREE).tobytes())
            state = with_arrays(tree, lambda name: self._array(name, arrays))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(
                f'{path} cannot be read: {type(error).__name__}: {error}',
                wanted='a saved session',
            ) from error
        return state

    def _array(self, name: str, arrays: dict[str, Array]) -> Array:
        """Return an array by name: the same object each time."""
        if name not in arrays:
            array = np.load(self._place / name, allow_pickle=False)
            arrays[name] = array
            self._files[id(array)] = array, name
        return arrays[name]

    def _write(self, array: Array) -> str:
        """Write a large array to a new file and return the file's name."""
        while (self._place / f'{self._next}.npy').exists():
            self._next += 1
        name = f'{self._next}.npy'
        self._next += 1
        np.save(self._place / name, array, allow_pickle=False)
        return name
