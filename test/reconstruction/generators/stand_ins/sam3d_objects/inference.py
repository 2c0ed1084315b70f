# SPDX-License-Identifier: Apache-2.0
"""A stand-in of the official SAM 3D Objects: its call signature, and an answer made by hand.

The configuration file is JSON: ``behaviour`` (fail, die, hang, out_of_memory), ``seed``, the one
whose answer is right (others are too large), and ``sizes`` of the answer. Every load is a line in
a file beside it.
"""

import json
import os
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np

RINGS, SECTORS = 16, 32


class OutOfMemoryError(RuntimeError):
    """Named as torch.cuda's."""


class Splats:
    """What the official side returns as ``gs``: it knows how to write itself."""

    def __init__(self, points, normals, colors):
        self.points, self.normals, self.colors = points, normals, colors

    def save_ply(self, path):
        names = ['x', 'y', 'z', 'nx', 'ny', 'nz', 'f_dc_0', 'f_dc_1', 'f_dc_2', 'opacity']
        names += ['scale_0', 'scale_1', 'scale_2', 'rot_0', 'rot_1', 'rot_2', 'rot_3']
        count = len(self.points)
        columns = [self.points, self.normals, (self.colors / 255 - 0.5) / 0.28209479177387814]
        columns += [np.full((count, 1), 3.0), np.full((count, 3), np.log(0.02))]
        columns += [np.tile([1.0, 0.0, 0.0, 0.0], (count, 1))]
        head = ['ply', 'format binary_little_endian 1.0', f'element vertex {count}']
        head += [f'property float {name}' for name in names] + ['end_header\n']
        data = np.concatenate(columns, axis=1).astype('<f4')
        Path(path).write_bytes('\n'.join(head).encode() + data.tobytes())


class Inference:
    """The official call signature."""

    def __init__(self, config_file, compile=False):
        self.settings = json.loads(Path(config_file).read_text() or '{}')
        with Path(config_file).with_suffix('.loads').open('a') as file:
            file.write('loaded\n')

    def __call__(self, image, mask, seed=None, pointmap=None):
        behaviour = self.settings.get('behaviour', '')
        if behaviour == 'fail':
            raise ValueError('no such luck')
        if behaviour == 'out_of_memory':
            raise OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB')
        if behaviour == 'die':
            os._exit(7)
        if behaviour == 'hang':
            threading.Event().wait(self.settings.get('hang_s'))
        assert image.dtype == np.uint8
        assert image.shape[:2] == mask.shape == tuple(pointmap.shape[:2])
        points = np.asarray(pointmap)[mask]
        points = points[np.isfinite(points[:, 2])]
        low, high = np.quantile(points, [0.01, 0.99], axis=0)
        size = np.array(self.settings.get('sizes', [high[0] - low[0]] * 3))
        # The camera sees the front: the middle lies half the size behind the nearest point.
        translation = (low + high) / 2
        translation[2] = low[2] + size[2] / 2
        scale = size.max() * (1.0 if seed == self.settings.get('seed', seed) else 1.2)
        polar, around = np.linspace(0, np.pi, RINGS), np.linspace(0, 2 * np.pi, SECTORS + 1)[:-1]
        polar, around = np.meshgrid(polar, around, indexing='ij')
        ball = np.stack(
            [np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)],
            axis=-1,
        ).reshape(-1, 3)
        index = np.arange(RINGS * SECTORS).reshape(RINGS, SECTORS)
        a, b = index[:-1], index[1:]
        c, d = np.roll(b, -1, axis=1), np.roll(a, -1, axis=1)
        faces = np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)]).reshape(-1, 3)
        canonical = 0.5 * ball * size / size.max()
        # Red as the image where the camera looks (its forward is +z here), green behind.
        colors = np.where(canonical[:, 2:] < 0, image[mask].mean(axis=0), [0, 250, 0])
        glb = canonical[:, [0, 2, 1]] * [1, 1, -1]
        mesh = SimpleNamespace(
            vertices=glb,
            faces=faces,
            visual=SimpleNamespace(vertex_colors=np.insert(colors, 3, 255, axis=1)),
        )
        return {
            'glb': mesh,
            'gs': Splats(canonical, ball, colors),
            'rotation': np.array([[1.0, 0, 0, 0]]),
            'translation': translation[None],
            'scale': np.full((1, 3), scale),
        }
