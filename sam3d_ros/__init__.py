# SPDX-License-Identifier: Apache-2.0
"""3D object perception for ROS 2: complete, metric, persistent objects from RGB-D streams.

The names below are all that most programs need; ``examples/`` shows each of them at work. They are
imported when they are first used, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sam3d_ros.core.config import option as option
    from sam3d_ros.core.errors import Sam3dError as Sam3dError
    from sam3d_ros.core.types import BoxPrompt as BoxPrompt
    from sam3d_ros.core.types import Camera as Camera
    from sam3d_ros.core.types import ExemplarPrompt as ExemplarPrompt
    from sam3d_ros.core.types import Frame as Frame
    from sam3d_ros.core.types import Instance as Instance
    from sam3d_ros.core.types import Instances as Instances
    from sam3d_ros.core.types import MaskPrompt as MaskPrompt
    from sam3d_ros.core.types import Mesh as Mesh
    from sam3d_ros.core.types import PointPrompt as PointPrompt
    from sam3d_ros.core.types import Scene as Scene
    from sam3d_ros.core.types import SceneObject as SceneObject
    from sam3d_ros.core.types import TextPrompt as TextPrompt
    from sam3d_ros.export.ply import write_ply as write_ply
    from sam3d_ros.pipeline.reading import frame_from_arrays as frame_from_arrays
    from sam3d_ros.pipeline.reading import read_recording as read_recording
    from sam3d_ros.reconstruction.completion.completion import Completion as Completion
    from sam3d_ros.reconstruction.evidence.evidence import Evidence as Evidence
    from sam3d_ros.session.config import Config as Config
    from sam3d_ros.session.config import load_config as load_config
    from sam3d_ros.session.result import FrameResult as FrameResult
    from sam3d_ros.session.session import Session as Session
    from sam3d_ros.sinks.bag import BagSink as BagSink
    from sam3d_ros.sinks.folder import FolderSink as FolderSink

__version__ = '0.1.0'

_PLACES = {
    'core.config': ('option',),
    'core.errors': ('Sam3dError',),
    'core.types': (
        *('BoxPrompt', 'Camera', 'ExemplarPrompt', 'Frame', 'Instance', 'Instances', 'MaskPrompt'),
        *('Mesh', 'PointPrompt', 'Scene', 'SceneObject', 'TextPrompt'),
    ),
    'export.ply': ('write_ply',),
    'pipeline.reading': ('frame_from_arrays', 'read_recording'),
    'reconstruction.completion.completion': ('Completion',),
    'reconstruction.evidence.evidence': ('Evidence',),
    'session.config': ('Config', 'load_config'),
    'session.result': ('FrameResult',),
    'session.session': ('Session',),
    'sinks.bag': ('BagSink',),
    'sinks.folder': ('FolderSink',),
}
_MODULES = {name: module for module, names in _PLACES.items() for name in names}

__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'{__name__}.{_MODULES[name]}'), name)


def __dir__() -> list[str]:
    return [*__all__, '__version__']
