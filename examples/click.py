# SPDX-License-Identifier: Apache-2.0
"""One click to one mesh: RGB.png DEPTH.png (mm) K.txt U V OUT.ply."""

import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from sam3d_ros import Config, PointPrompt, Session, frame_from_arrays, write_ply


def main(rgb: str, depth: str, intrinsics: str, u: str, v: str, out: str) -> None:
    """Write the complete mesh of what is at column u, row v of the image."""
    depth_m = cv2.imread(depth, cv2.IMREAD_UNCHANGED).astype(np.float32) / 1000.0
    frame = frame_from_arrays(cv2.imread(rgb)[..., ::-1], depth_m, np.loadtxt(intrinsics))
    config = Config()
    session = Session.from_config(replace(config, prompts=replace(config.prompts, only=True)))
    click = PointPrompt(((float(u), float(v)),), (1,))
    (item,) = session.step(frame, prompts=[click]).scene.objects
    write_ply(Path(out), item.mesh)
    print(f'{100 * item.observed_fraction:.0f} % of the surface was seen; the rest is a guess')


if __name__ == '__main__':
    main(*sys.argv[1:])
