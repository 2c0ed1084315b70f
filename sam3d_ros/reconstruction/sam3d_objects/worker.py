# SPDX-License-Identifier: Apache-2.0
"""The worker: a script for the interpreter of an official SAM 3D Objects installation.

It imports ``Inference`` from the installation's ``notebook`` folder and calls it as documented,
``Inference(config_file)``, then ``(image, mask, seed=..., pointmap=...)``, object by object.
Standard library and numpy only, besides what the installation brings.
"""

from __future__ import annotations

import argparse
import gc
import os
import select
import socket
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'core' / 'workers'))
from protocol import Kind, Message, StoppedError, receive, send, serve


class Worker:
    """Does what one connection asks for.

    :param notebook: the installation's notebook folder.
    :param config: its pipeline.yaml.
    """

    def __init__(self, connection: socket.socket, notebook: Path, config: Path) -> None:
        self._connection = connection
        self._notebook = notebook
        self._config = config
        self._inference: Any = None

    def answer(self, message: Message) -> Message:
        """Load, unload, or reconstruct, as is asked for."""
        if message.kind == Kind.LOAD:
            self._load()
            return Message(Kind.RESULT)
        if message.kind == Kind.UNLOAD:
            self._unload()
            return Message(Kind.RESULT)
        if message.kind == Kind.WORK:
            return self._reconstruct(message)
        raise ValueError(f'unexpected message {message.kind.name}')

    def _load(self) -> None:
        if self._inference is None:
            sys.path.insert(0, str(self._notebook))
            from inference import Inference

            self._inference = Inference(str(self._config), compile=False)

    def _unload(self) -> None:
        self._inference = None
        gc.collect()
        torch = sys.modules.get('torch')
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _reconstruct(self, message: Message) -> Message:
        self._load()
        count, seed = message.fields['count'], message.fields['seed']
        arrays = {}
        for index in range(count):
            self._stop_if_cancelled()
            output = self._inference(
                message.arrays[f'image_{index}'].copy(),
                message.arrays[f'mask_{index}'].copy(),
                seed=seed,
                pointmap=as_tensor(message.arrays[f'pointmap_{index}'].copy()),
            )
            for name, values in read_output(output).items():
                arrays[f'{name}_{index}'] = values
            progress = Message(Kind.PROGRESS, {'done': index + 1, 'count': count})
            send(self._connection, progress)
        return Message(Kind.RESULT, {'count': count}, arrays)

    def _stop_if_cancelled(self) -> None:
        readable, _, _ = select.select([self._connection], [], [], 0)
        if readable and receive(self._connection).kind == Kind.CANCEL:
            raise StoppedError


def as_tensor(values: np.ndarray) -> object:
    """Return a torch tensor where torch is there (the official interface wants one)."""
    try:
        import torch
    except ImportError:
        return values
    return torch.from_numpy(values)


def read_output(output: dict) -> dict:
    """Return pose and mesh of one official result as arrays.

    ``rotation`` (4,) w x y z, ``translation`` (3,), ``scale`` (3,), of the canonical frame in the
    PyTorch3D camera; ``vertices`` (V, 3) float32 in the Y-up frame of the GLB, ``faces`` (F, 3)
    int32, ``colors`` (V, 3) uint8.
    """
    mesh = output['glb']
    colors = np.asarray(mesh.visual.vertex_colors)[:, :3]
    return {
        'rotation': _flat(output['rotation'], 4),
        'translation': _flat(output['translation'], 3),
        'scale': _flat(output['scale'], 3),
        'vertices': np.ascontiguousarray(mesh.vertices, np.float32),
        'faces': np.ascontiguousarray(mesh.faces, np.int32),
        'colors': np.ascontiguousarray(colors, np.uint8),
    }


def _flat(values: object, size: int) -> np.ndarray:
    if hasattr(values, 'detach'):
        values = values.detach().cpu().numpy()
    return np.broadcast_to(np.asarray(values, np.float64).ravel(), (size,)).copy()


def main() -> None:
    """Serve the socket whose descriptor was handed over by the adapter."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--fd', type=int, required=True)
    parser.add_argument('--notebook', type=Path, required=True)
    parser.add_argument('--config', type=Path, required=True)
    args = parser.parse_args()
    # The installation expects both; its own notebook sets them the same way.
    os.environ.setdefault('CONDA_PREFIX', sys.prefix)
    os.environ.setdefault('LIDRA_SKIP_INIT', 'true')
    with socket.socket(fileno=args.fd) as connection:
        serve(connection, Worker(connection, args.notebook, args.config).answer)


if __name__ == '__main__':
    main()
