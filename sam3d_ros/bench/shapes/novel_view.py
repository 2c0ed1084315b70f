# SPDX-License-Identifier: Apache-2.0
"""Bench of novel views: objects drawn as Gaussians into a frame that nobody has shown them.

The middle frame of an orbit is held back. Errors are of the pixels of the true masks of that
frame, in the light and with the noise of the photograph; a pixel that nothing covers is grey.
"""

from __future__ import annotations

import numpy as np

from sam3d_ros.bench.harness import BenchOptions, Measurement, Picture, Table, Value
from sam3d_ros.bench.report import best_median_worst
from sam3d_ros.bench.worlds import TruthSegmenter, cases
from sam3d_ros.core.types import BoolArray, Float32Array
from sam3d_ros.geometry.shapes.gaussians import scene_gaussians
from sam3d_ros.geometry.shapes.splatting import draw_gaussians
from sam3d_ros.geometry.transforms import inverse
from sam3d_ros.session.session import Session

COUNTS = {'spaced': (8, 1)}
"""Episodes of each suite: full, quick."""
FRAMES = 5
GREY = 0.5
WORST_PICTURED = 10
COVERED = 0.5
"""A pixel that is more opaque than this shows an object."""


def run(options: BenchOptions) -> Measurement:
    """Draw the held-back frame of each episode by what the other frames gave, true masks."""
    values: dict[str, Value] = {}
    rows: list[tuple[str, ...]] = []
    gallery: list[tuple[float, Picture]] = []
    for suite in options.chosen(COUNTS):
        full, quick = COUNTS[suite]
        scores: dict[str, list[tuple[float, float, float]]] = {'textures': [], 'vertices': []}
        for case in cases(suite, quick if options.quick else full, options, frames=FRAMES):
            session = Session.from_config(options.config)
            session.segmenter = TruthSegmenter(case)
            held = FRAMES // 2
            for number, frame in enumerate(case.frames):
                if number != held:
                    scene = session.step(frame).scene
            frame, mask = case.frames[held], case.samples[held].truth.instances > 0
            photo = frame.rgb.astype(np.float32) / 255.0
            for way, shown in (('vertices', scene), ('textures', session.textured(scene))):
                color, opacity = draw_gaussians(
                    scene_gaussians(shown), frame.camera, inverse(frame.T_fixed_cam)
                )
                drawn = color + (1.0 - opacity)[..., None] * np.float32(GREY)
                scores[way].append(_score(drawn, opacity, photo, mask))
            psnr = scores['textures'][-1][0]
            caption = f'{case.name}: held back, Gaussians with textures, error; {psnr:.1f} dB'
            error = np.where(mask[..., None], np.abs(drawn - photo), 0.0)
            image = np.concatenate([photo, drawn, error], axis=1)
            gallery.append((psnr, Picture(caption, np.clip(255 * image, 0, 255).astype(np.uint8))))
        for way, found in scores.items():
            psnr, off, covered = np.mean(found, axis=0)
            values |= {
                f'{suite}_{way}_psnr_db': float(psnr),
                f'{suite}_{way}_masked_error': float(off),
                f'{suite}_{way}_covered': float(covered),
            }
            label = f'{suite}, Gaussians of meshes with {way}'
            rows.append((label, f'{psnr:.1f}', f'{off:.1f}', f'{covered:.2f}'))
    head = ('', 'PSNR dB', 'mean error of 255', 'pixels covered')
    table = Table('the held-back frame, within the true masks', head, tuple(rows))
    note = (
        'Feed-forward Gaussians of meshes and kept views; trained ones need gsplat and a GPU. '
        'Published PSNR are of whole photographs that were trained on for minutes.'
    )
    pictures = tuple(best_median_worst(gallery, WORST_PICTURED))
    return Measurement('novel_view', values, (table,), pictures, (note,))


def _score(
    drawn: Float32Array, opacity: Float32Array, photo: Float32Array, mask: BoolArray
) -> tuple[float, float, float]:
    """PSNR in dB, mean error of 255, and the share covered, of the pixels of a mask."""
    off = drawn[mask] - photo[mask]
    psnr = -10.0 * float(np.log10(np.square(off).mean()))
    return psnr, 255.0 * float(np.abs(off).mean()), float((opacity[mask] > COVERED).mean())
