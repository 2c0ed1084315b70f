# SPDX-License-Identifier: Apache-2.0
"""A folder of images to objects: FOLDER/rgb/*.png, FOLDER/depth/*.png (mm), FOLDER/K.txt."""

import sys
from pathlib import Path

import cv2
import numpy as np

from sam3d_ros import Config, FolderSink, Session, frame_from_arrays


def frames(folder: Path):
    """Yield a frame for each pair of images of the same name; they may be 0.1 s apart."""
    K = np.loadtxt(folder / 'K.txt')
    for number, file in enumerate(sorted((folder / 'rgb').glob('*.png'))):
        bgr = cv2.imread(str(file))
        depth_mm = cv2.imread(str(folder / 'depth' / file.name), cv2.IMREAD_UNCHANGED)
        depth_m = depth_mm.astype(np.float32) / 1000.0
        yield frame_from_arrays(bgr[..., ::-1], depth_m, K, stamp_ns=number * 100_000_000)


def main(folder: str, out: str) -> None:
    """Write scene.json, meshes and scene.glb of what the images show."""
    session = Session.from_config(Config())
    sink = FolderSink(Path(out), session.textured)
    for frame in frames(Path(folder)):
        result = session.step(frame)
        sink.write(result)
        print(f'{frame.stamp_ns * 1e-9:.1f} s: {len(result.scene.objects)} objects')
    sink.close()


if __name__ == '__main__':
    main(*sys.argv[1:])
