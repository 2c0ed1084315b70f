# SPDX-License-Identifier: Apache-2.0
"""All options of the product in one tree, and their YAML (the form of ROS parameter files)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, make_dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

import yaml

from sam3d_ros.core.config import build, group, option
from sam3d_ros.core.errors import ConfigurationError
from sam3d_ros.core.registry import with_options
from sam3d_ros.language.config import LanguageConfig
from sam3d_ros.masks3d.config import Masks3DConfig
from sam3d_ros.messages.config import OutputConfig, TfConfig
from sam3d_ros.people.config import PeopleConfig
from sam3d_ros.pointmaps.config import PointmapConfig
from sam3d_ros.reconstruction.config import ReconstructionConfig
from sam3d_ros.scene.config import SceneConfig
from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.tracking.config import TrackingConfig


@dataclass(frozen=True, slots=True)
class PromptConfig:
    """What to look for without being asked each time, and what a prompt may refer to."""

    text: str = option(
        '',
        'noun phrases, separated by commas: only what they mean is listed; empty = everything '
        'that stands on a support',
    )
    only: bool = option(False, 'list what prompts ask for and nothing else', read_only=True)
    alike: bool = option(
        False,
        'list only what is like the exemplars that prompts show, and nothing before there are any',
        read_only=True,
    )
    keep_frames: int = option(
        10,
        'latest frames that a prompt may name by stamp; one of 640x480 takes 5 to 10 MB',
        minimum=1,
        maximum=1000,
        read_only=True,
    )

    @property
    def phrases(self) -> tuple[str, ...]:
        """The noun phrases, one by one."""
        return tuple(filter(None, (phrase.strip() for phrase in self.text.split(','))))


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """Which cameras it has, how often it looks anew, and where it keeps what it knows."""

    cameras: str = option(
        '',
        'names of the cameras whose frames the node takes (pointmaps.camera_id of a node each), '
        'separated by commas; empty = the only one',
        read_only=True,
    )
    segment_every: int = option(
        1,
        'every n-th frame of a camera is segmented; in those between, known objects are followed '
        'by their shapes alone, which costs less',
        minimum=1,
        maximum=100,
        read_only=True,
    )
    hurry_s: float = option(
        0.4,
        'live, when frames come faster than they can be segmented: one is segmented so often, '
        'seconds; objects are followed through those between; 0 = these are dropped',
        minimum=0.0,
        maximum=60.0,
        read_only=True,
    )
    map_jumps: bool = option(
        True,
        'when the way from map to camera jumps and not the camera, as when a loop is closed, move '
        'objects with the part of the map that they were seen from',
        read_only=True,
    )
    external: str = option(
        'replace',
        'masks that other nodes publish (objects/external_instances, objects/external_labels) '
        'and shapes that a reconstruction node makes: replace = take the place of our own where '
        'they come, never = are not listened to',
        choices=('replace', 'never'),
        read_only=True,
    )
    external_wait_s: float = option(
        2.0,
        'so long after the last masks of another node a camera is left to it, seconds between '
        'stamps; then our own segmentation goes on; more than it takes for one image',
        minimum=0.1,
        maximum=600.0,
        read_only=True,
    )
    folder: str = option(
        '',
        'folder that the session saves itself to while it runs, and resumes from when it starts; '
        'empty = nothing is kept',
        read_only=True,
    )
    autosave_s: float = option(
        1.0,
        'longest time between two saves, seconds; an object that comes or goes is saved at once',
        minimum=0.0,
        maximum=3600.0,
        read_only=True,
    )

    @property
    def camera_ids(self) -> tuple[str, ...]:
        """The names of its cameras; one empty name for the only one."""
        return tuple(name.strip() for name in self.cameras.split(','))


@dataclass(frozen=True, slots=True)
class Config:
    """One group of options for each stage, for the session itself and for what it tells."""

    pointmaps: PointmapConfig = group(PointmapConfig)
    segmentation: SegmentationConfig = group(SegmentationConfig)
    tracking: TrackingConfig = group(TrackingConfig)
    masks3d: Masks3DConfig = group(Masks3DConfig)
    reconstruction: ReconstructionConfig = group(ReconstructionConfig)
    scene: SceneConfig = group(SceneConfig)
    people: PeopleConfig = group(PeopleConfig)
    language: LanguageConfig = group(LanguageConfig)
    prompts: PromptConfig = group(PromptConfig)
    session: SessionConfig = group(SessionConfig)
    outputs: OutputConfig = group(OutputConfig)
    tf: TfConfig = group(TfConfig)


@cache
def config_kind() -> type[Config]:
    """Return :class:`Config` with the options that backends of other packages own."""
    groups = get_type_hints(Config)
    stages = {
        name: with_options(name, kind) for name, kind in groups.items() if hasattr(kind, 'backend')
    }
    stages['pointmaps'] = with_options('range', PointmapConfig)
    fields = [(name, kind, group(kind)) for name, kind in stages.items()]
    return make_dataclass('Config', fields, bases=(Config,), frozen=True)


def load_config(path: Path | None) -> Config:
    """Return the configuration in a YAML file over the defaults; the defaults without a file.

    The file is a ROS parameter file: ``/**: {ros__parameters: {segmentation: {...}, ...}}``; other
    top-level groups (parameters of nodes alone) are left to the nodes.

    :raises ConfigurationError: when it cannot be read, or a value is unknown or out of range.
    """
    if path is None:
        return config_kind()()
    ours = set(Config.__dataclass_fields__)
    values = {name: value for name, value in parameters(path).items() if name in ours}
    return build(config_kind(), values)


def parameters(path: Path) -> Mapping[str, Any]:
    """Return the parameters that a ROS parameter file gives to every node.

    :raises ConfigurationError: when the file is missing, not YAML or not of that form.
    """
    try:
        tree = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise ConfigurationError(f'{path} cannot be read: {error}') from error
    try:
        values = tree['/**']['ros__parameters']
    except (KeyError, TypeError) as error:
        raise ConfigurationError(
            f'{path} has no /**: ros__parameters: group',
            wanted='a ROS parameter file',
            remedy='config/sam3d.yaml shows the form.',
        ) from error
    if not isinstance(values, Mapping):
        raise ConfigurationError(f'{path}: ros__parameters is not a group of options')
    return values
