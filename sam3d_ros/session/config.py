# SPDX-License-Identifier: Apache-2.0
"""All options of the product in one tree, and their YAML (the form of ROS parameter files)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sam3d_ros.core.config import build, group, option
from sam3d_ros.core.errors import ConfigurationError
from sam3d_ros.messages.config import OutputConfig, TfConfig
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
        'noun phrases, separated by commas, for backends that read them; empty = everything that '
        'stands on a support',
    )
    only: bool = option(False, 'list what prompts ask for and nothing else', read_only=True)
    keep_frames: int = option(
        10,
        'latest frames that a prompt may name by stamp; one of 640x480 takes 5 to 10 MB',
        minimum=1,
        maximum=1000,
        read_only=True,
    )


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """Where the session keeps what it knows, so that it outlives its process."""

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


@dataclass(frozen=True, slots=True)
class Config:
    """One group of options for each stage, for the session itself and for what it tells."""

    pointmaps: PointmapConfig = group(PointmapConfig)
    segmentation: SegmentationConfig = group(SegmentationConfig)
    tracking: TrackingConfig = group(TrackingConfig)
    reconstruction: ReconstructionConfig = group(ReconstructionConfig)
    scene: SceneConfig = group(SceneConfig)
    prompts: PromptConfig = group(PromptConfig)
    session: SessionConfig = group(SessionConfig)
    outputs: OutputConfig = group(OutputConfig)
    tf: TfConfig = group(TfConfig)


def load_config(path: Path | None) -> Config:
    """Return the configuration in a YAML file over the defaults; the defaults without a file.

    The file is a ROS parameter file: ``/**: {ros__parameters: {segmentation: {...}, ...}}``; other
    top-level groups (parameters of nodes alone) are left to the nodes.

    :raises ConfigurationError: when it cannot be read, or a value is unknown or out of range.
    """
    if path is None:
        return Config()
    ours = set(Config.__dataclass_fields__)
    values = {name: value for name, value in parameters(path).items() if name in ours}
    return build(Config, values)


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
