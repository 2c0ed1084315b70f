# SPDX-License-Identifier: Apache-2.0
"""The worker: a script for an interpreter that has the package ``depth-anything-3``.

It calls the package as documented: ``DepthAnything3.from_pretrained(checkpoint)``, then
``inference(image, extrinsics, intrinsics, process_res)`` for one or many views. Two things differ.
The prediction keeps its own scale: fitting it to the given poses refuses two views and straight
paths, and is done on the other side. And the rays of its head, which the package drops once it has
poses, are taken where the head returns them. Standard library and numpy only, besides what the
package brings.
"""

from __future__ import annotations

import argparse
import socket
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / 'core' / 'workers'))
from protocol import Kind, Message, serve

RESULTS = {'depth': 'depth', 'confidence': 'conf', 'sky': 'sky', 'extrinsics': 'extrinsics'}
"""Our name of each result, and that of the package."""
RAYS = {'rays': 'ray', 'ray_confidence': 'ray_conf'}


class Worker:
    """Does what one connection asks for.

    :param arguments: which checkpoint, on what device, and how large images become.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self._model: Any = None
        self._rays: dict[str, np.ndarray] = {}

    def _load(self) -> Any:
        if self._model is None:
            from depth_anything_3.api import DepthAnything3

            model = DepthAnything3.from_pretrained(self._arguments.checkpoint)
            model = model.to(self._arguments.device).eval()
            model._align_to_input_extrinsics_intrinsics = keep_scale
            net = getattr(model.model, 'da3', model.model)
            net.head.register_forward_hook(self._take_rays)
            self._model = model
        return self._model

    def _take_rays(self, head: Any, inputs: Any, output: Any) -> None:
        """Keep the rays that a head returned; those of one view alone have none."""
        self._rays = {
            ours: as_array(output[theirs])[0] for ours, theirs in RAYS.items() if theirs in output
        }

    def answer(self, message: Message) -> Message:
        """Return what the model says of some views."""
        model, given = self._load(), message.arrays
        self._rays = {}
        posed = {
            name: given[name].copy() for name in ('extrinsics', 'intrinsics') if name in given
        }
        prediction = model.inference(
            image=[np.ascontiguousarray(image) for image in given['images']],
            process_res=self._arguments.process_res,
            **posed,
        )
        arrays = {
            ours: as_array(getattr(prediction, theirs))
            for ours, theirs in RESULTS.items()
            if getattr(prediction, theirs, None) is not None
        }
        return Message(Kind.RESULT, {}, {**arrays, **self._rays})


def keep_scale(extrinsics: Any, intrinsics: Any, prediction: Any, *_: Any) -> Any:
    """Return a prediction as it is."""
    return prediction


def as_array(values: Any) -> np.ndarray:
    """Return a float array of what the package calls an array or a tensor."""
    if hasattr(values, 'detach'):
        values = values.detach().float().cpu().numpy()
    return np.ascontiguousarray(values, np.float32)


def main() -> None:
    """Serve the socket whose descriptor was handed over by the client."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--fd', type=int, required=True)
    parser.add_argument('--checkpoint', required=True)
    parser.add_argument('--device', required=True)
    parser.add_argument('--process-res', type=int, required=True)
    arguments = parser.parse_args()
    with socket.socket(fileno=arguments.fd) as connection:
        serve(connection, Worker(arguments).answer)


if __name__ == '__main__':
    main()
