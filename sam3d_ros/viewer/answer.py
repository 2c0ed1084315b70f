# SPDX-License-Identifier: Apache-2.0
"""A picture of the answer to a phrase: what was found in its colours, the rest in grey."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from sam3d_ros.core.errors import NotFoundError
from sam3d_ros.core.types import ByteArray, Camera, Scene
from sam3d_ros.viewer.snapshot import RayCaster, label, write_png

VIEW = Camera(640, 480, np.array([[550.0, 0.0, 319.5], [0.0, 550.0, 239.5], [0.0, 0.0, 1.0]]))
"""The scene does not keep the intrinsics of the camera that saw it."""
GREY = 0.25
"""How much of their own contrast things have that were not found."""


def write_answer(path: Path, scene: Scene, ids: Sequence[int]) -> None:
    """Write :func:`answer_picture` as a PNG.

    :param path: of the file.
    :param scene: that was asked.
    :param ids: of what was found in it.
    :raises NotFoundError: when the scene does not know where its camera was.
    """
    write_png(path, answer_picture(scene, ids))


def answer_picture(scene: Scene, ids: Sequence[int]) -> ByteArray:
    """Return (480, 640, 3) uint8: the scene from its camera, with the ids of what was found.

    :param scene: that was asked.
    :param ids: of what was found in it.
    :raises NotFoundError: when the scene does not know where its camera was.
    """
    if scene.T_fixed_cam is None:
        raise NotFoundError(
            'the scene does not say where its camera was: it was written by an older release',
            remedy='Process the recording again, or leave the picture out.',
        )
    shown = []
    for item in scene.objects:
        colors = item.mesh.colors
        if item.id not in ids:
            light = colors.mean(axis=-1, keepdims=True)
            colors = (GREY * light + (1 - GREY) * 215).repeat(3, axis=-1).astype(np.uint8)
        shown.append(replace(item, mesh=replace(item.mesh, colors=colors)))
    image, _ = RayCaster(replace(scene, objects=tuple(shown))).render(VIEW, scene.T_fixed_cam)
    for item in scene.objects:
        if item.id in ids:
            label(image, f'{item.label} {item.id}'.strip(), item, VIEW, scene.T_fixed_cam)
    return image
