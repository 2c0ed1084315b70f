# SPDX-License-Identifier: Apache-2.0
"""The worker: a script for the interpreter of an official SAM 3D Body installation.

It calls the installation as documented: ``load_sam_3d_body(checkpoint, device, mhr_path)``, then
``SAM3DBodyEstimator(model, cfg, None, None, None)``, then ``process_one_image(image, bboxes,
masks, cam_int, use_mask, inference_type)`` for one person. Merging hands stays on its side.
Standard library and numpy only, besides what the installation brings.
"""

from __future__ import annotations

import argparse
import socket
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'core' / 'workers'))
from protocol import Kind, Message, serve

RESULTS = {
    'vertices': 'pred_vertices',
    'keypoints': 'pred_keypoints_3d',
    'translation': 'pred_cam_t',
    'mhr': 'mhr_model_params',
    'shape': 'shape_params',
}
"""Our name of each result, and the official one."""


class Worker:
    """Does what one connection asks for.

    :param arguments: where the installation is, and on what device it runs.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self._estimator: Any = None

    def answer(self, message: Message) -> Message:
        """Return the body that is asked for."""
        if self._estimator is None:
            sys.path.insert(0, str(self._arguments.repository))
            from sam_3d_body import SAM3DBodyEstimator, load_sam_3d_body

            model, settings = load_sam_3d_body(
                self._arguments.checkpoint, self._arguments.device, self._arguments.mhr
            )
            self._estimator = SAM3DBodyEstimator(model, settings, None, None, None)
        estimator = self._estimator
        people = estimator.process_one_image(
            message.arrays['image'].copy(),
            bboxes=message.arrays['box'].copy(),
            masks=message.arrays['mask'].astype(np.uint8),
            cam_int=as_tensor(message.arrays['K'].astype(np.float32)),
            use_mask=True,
            inference_type='full',
        )
        if len(people) != 1:
            raise ValueError(f'{len(people)} bodies for one box')
        arrays = {ours: as_array(people[0][theirs]) for ours, theirs in RESULTS.items()}
        arrays['faces'] = np.ascontiguousarray(as_array(estimator.faces), np.int32)
        return Message(Kind.RESULT, {}, arrays)


def as_tensor(values: np.ndarray) -> object:
    """Return a torch tensor where torch is there (the official interface wants one)."""
    try:
        import torch
    except ImportError:
        return values
    return torch.from_numpy(values)


def as_array(values: Any) -> np.ndarray:
    """Return a float array of what the installation calls an array or a tensor."""
    if hasattr(values, 'detach'):
        values = values.detach().cpu().numpy()
    return np.ascontiguousarray(values, np.float32)


def main() -> None:
    """Serve the socket whose descriptor was handed over by the adapter."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--fd', type=int, required=True)
    parser.add_argument('--repository', type=Path, required=True)
    for name in ('checkpoint', 'mhr', 'device'):
        parser.add_argument(f'--{name}', required=True)
    arguments = parser.parse_args()
    with socket.socket(fileno=arguments.fd) as connection:
        serve(connection, Worker(arguments).answer)


if __name__ == '__main__':
    main()
