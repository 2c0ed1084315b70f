# SPDX-License-Identifier: Apache-2.0
"""The worker: a script for the interpreter of an installation of a generator.

It calls the installation as its authors document it, once for each seed. Standard library and
numpy only, besides what the installation brings. A generator cannot be interrupted: what is
cancelled is answered at once, and its models, which took long to load, stay.
"""

from __future__ import annotations

import argparse
import gc
import os
import select
import socket
import sys
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'core' / 'workers'))
from protocol import Kind, Message, StoppedError, receive, send, serve

POLL_S = 0.05


class Sam3dObjects:
    """SAM 3D Objects: ``Inference(config_file)``, then ``(image, mask, seed=..., pointmap=...)``.

    :param home: the installation's notebook folder.
    :param weights: its pipeline.yaml.
    """

    def __init__(self, home: Path, weights: str) -> None:
        # The installation expects both; its own notebook sets them the same way.
        os.environ.setdefault('CONDA_PREFIX', sys.prefix)
        os.environ.setdefault('LIDRA_SKIP_INIT', 'true')
        sys.path.insert(0, str(home))
        from inference import Inference

        self._inference = Inference(weights, compile=False)

    def generate(self, arrays: dict, seed: int) -> dict:
        """Return pose, mesh and splats of one object as arrays.

        ``rotation`` (4,) w x y z, ``translation`` (3,), ``scale`` (3,), of the canonical frame in
        the PyTorch3D camera; ``vertices`` (V, 3) float32 in the Y-up frame of the GLB, ``faces``
        (F, 3) int32, ``colors`` (V, 3) uint8; ``splats``, bytes of a PLY file in the canonical
        frame, where there are any.

        :param arrays: ``image`` (H, W, 3) uint8, ``mask`` (H, W) bool, ``pointmap`` (H, W, 3)
            float32 in the official camera, metres, NaN = none.
        :param seed: of the generation.
        """
        output = self._inference(
            arrays['image'].copy(),
            arrays['mask'].copy(),
            seed=seed,
            pointmap=as_tensor(arrays['pointmap'].copy()),
        )
        made = {
            'rotation': _flat(output['rotation'], 4),
            'translation': _flat(output['translation'], 3),
            'scale': _flat(output['scale'], 3),
            **mesh_arrays(output['glb']),
        }
        if 'gs' in output:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / 'splats.ply'
                output['gs'].save_ply(str(path))
                made['splats'] = np.frombuffer(path.read_bytes(), np.uint8)
        return made


class TripoSR:
    """TripoSR: ``TSR.from_pretrained``, then images to triplanes to meshes.

    :param home: folder that holds the package ``tsr``.
    :param weights: folder of the checkpoint, or its name on the hub.
    """

    def __init__(self, home: Path, weights: str) -> None:
        sys.path.insert(0, str(home))
        import torch
        from tsr.system import TSR

        self._torch = torch
        self._device = 'cuda:0' if torch.cuda.is_available() else 'cpu'
        self._model = TSR.from_pretrained(
            weights, config_name='config.yaml', weight_name='model.ckpt'
        )
        self._model.renderer.set_chunk_size(8192)
        self._model.to(self._device)

    def generate(self, arrays: dict, seed: int) -> dict:
        """Return the mesh of one object as arrays, in the frame of TripoSR: z up, seen from +x.

        :param arrays: ``image`` (S, S, 3) float32 0..1, the object on grey; ``resolution`` (1,).
        :param seed: unused, nothing is drawn.
        """
        with self._torch.no_grad():
            codes = self._model([arrays['image'].copy()], device=self._device)
        meshes = self._model.extract_mesh(codes, True, resolution=int(arrays['resolution'][0]))
        return mesh_arrays(meshes[0])


GENERATORS = {'sam3d_objects': Sam3dObjects, 'triposr': TripoSR}


class Worker:
    """Does what one connection asks for.

    :param load: makes the generator.
    """

    def __init__(self, connection: socket.socket, load: Callable[[], Any]) -> None:
        self._connection = connection
        self._load = load
        self._generator: Any = None
        self._thread: threading.Thread | None = None

    def answer(self, message: Message) -> Message:
        """Load, unload, or generate, as is asked for."""
        if message.kind == Kind.LOAD:
            self._unless_cancelled(self._loaded)
            return Message(Kind.RESULT)
        if message.kind == Kind.UNLOAD:
            self._generator = None
            free_memory()
            return Message(Kind.RESULT)
        if message.kind == Kind.WORK:
            return self._generate(message)
        raise ValueError(f'unexpected message {message.kind.name}')

    def _loaded(self) -> Any:
        if self._generator is None:
            self._generator = self._load()
        return self._generator

    def _made(self, arrays: dict, seed: int) -> dict:
        made: dict = self._loaded().generate(arrays, seed)
        return made

    def _generate(self, message: Message) -> Message:
        arrays, seeds = {}, message.fields['seeds']
        for number, seed in enumerate(seeds):
            work = partial(self._made, message.arrays, seed)
            made = self._unless_cancelled(work)
            arrays.update({f'{name}_{seed}': values for name, values in made.items()})
            progress = Message(Kind.PROGRESS, {'done': number + 1, 'count': len(seeds)})
            send(self._connection, progress)
        return Message(Kind.RESULT, {}, arrays)

    def _unless_cancelled(self, work: Callable[[], Any]) -> Any:
        """Return what ``work`` returns; it goes on unheard when the client does not want it."""
        self._wait()
        outcome: list[Any] = []
        failure: list[BaseException] = []

        def run() -> None:
            try:
                outcome.append(work())
            except BaseException as error:  # told by the thread that answers
                failure.append(error)

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()
        self._wait()
        if failure:
            # What the failed call held would be missing in the next one.
            error = failure[0].with_traceback(None)
            free_memory()
            raise error
        return outcome[0]

    def _wait(self) -> None:
        """Wait for the thread at work, if any, unless a cancel comes."""
        while self._thread is not None and self._thread.is_alive():
            self._thread.join(POLL_S)
            readable, _, _ = select.select([self._connection], [], [], 0)
            if readable and receive(self._connection).kind == Kind.CANCEL:
                raise StoppedError
            if readable:
                raise EOFError('told to quit')


def free_memory() -> None:
    """Give back what nobody holds any more, the GPU's memory included."""
    gc.collect()
    torch = sys.modules.get('torch')
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def as_tensor(values: np.ndarray) -> object:
    """Return a torch tensor where the installation has loaded torch (its interface wants one)."""
    torch = sys.modules.get('torch')
    return values if torch is None else torch.from_numpy(values)


def mesh_arrays(mesh: Any) -> dict:
    """Return a trimesh's ``vertices``, ``faces`` and ``colors`` as arrays."""
    colors = np.asarray(mesh.visual.vertex_colors)[:, :3]
    return {
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
    parser.add_argument('--generator', choices=list(GENERATORS), required=True)
    parser.add_argument('--home', type=Path, required=True)
    parser.add_argument('--weights', required=True)
    args = parser.parse_args()
    kind = GENERATORS[args.generator]
    with socket.socket(fileno=args.fd) as connection:
        worker = Worker(connection, lambda: kind(args.home, args.weights))
        serve(connection, worker.answer)


if __name__ == '__main__':
    main()
