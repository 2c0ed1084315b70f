# SPDX-License-Identifier: Apache-2.0
"""Textures on demand: made by the reconstruction node, which has the views, for saved scenes."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sam3d_msgs.srv import GetTexture

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.types import Scene, SceneObject
from sam3d_ros.messages.meshes import mesh_hash
from sam3d_ros.messages.textures import encode_png, texture_from
from sam3d_ros.nodes.requests import NotFoundError, NotReadyError
from sam3d_ros.reconstruction.texture import TextureSource


def answer_texture(
    request: Any, response: Any, source_of: Callable[[int], TextureSource | None]
) -> str:
    """Fill a GetTexture response and return its message.

    :raises NotFoundError: when the object has no mesh, or another one by now.
    """
    if not request.id.isdecimal():
        raise InputError(f'id "{request.id}"', wanted='a decimal number')
    source = source_of(int(request.id))
    if source is None or mesh_hash(source.mesh) != request.mesh_hash:
        raise NotFoundError(f'object {request.id} has no mesh {request.mesh_hash[:8]} here')
    texture = source.texture()
    response.uv = array('f', texture.uv.tobytes())
    response.png = array('B', encode_png(texture.image))
    rows, columns = texture.image.shape[:2]
    return f'{columns}x{rows} texels'


def with_textures(scene: Scene, ask: Callable[[Any], Any]) -> tuple[Scene, str]:
    """Return a scene with the textures that can be had for its meshes, and a sentence about them.

    An object that was loaded from a file, or whose mesh is no longer the latest, has none.

    :param ask: sends a GetTexture request.
    """
    objects: list[SceneObject] = []
    made, reason = 0, ''
    for item in scene.objects:
        request = GetTexture.Request(id=str(item.id), mesh_hash=mesh_hash(item.mesh))
        try:
            answer = None if reason else ask(request)
        except NotFoundError:
            answer = None
        except NotReadyError as error:
            answer, reason = None, f' ({error})'
        if answer is not None:
            texture = texture_from(answer, len(item.mesh.faces))
            item = replace(item, mesh=replace(item.mesh, texture=texture))
            made += 1
        objects.append(item)
    return replace(scene, objects=tuple(objects)), f'{made} with a texture{reason}'
