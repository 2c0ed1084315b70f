# SPDX-License-Identifier: Apache-2.0
"""The options of all stages in one tree, and their YAML (the form of ROS parameter files)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sam3d_ros.core.config import build, group
from sam3d_ros.core.errors import ConfigurationError
from sam3d_ros.pointmaps.config import PointmapConfig
from sam3d_ros.reconstruction.config import ReconstructionConfig
from sam3d_ros.scene.config import SceneConfig
from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.tracking.config import TrackingConfig


@dataclass(frozen=True, slots=True)
class PipelineConfig:
    """One group of options a stage."""

    pointmaps: PointmapConfig = group(PointmapConfig)
    segmentation: SegmentationConfig = group(SegmentationConfig)
    tracking: TrackingConfig = group(TrackingConfig)
    reconstruction: ReconstructionConfig = group(ReconstructionConfig)
    scene: SceneConfig = group(SceneConfig)


def load_config(path: Path | None) -> PipelineConfig:
    """Return the configuration in a YAML file over the defaults; the defaults without a file.

    The file is a ROS parameter file: ``/**: {ros__parameters: {segmentation: {...}, ...}}``; other
    top-level groups (parameters of nodes) are left to the nodes.

    :raises ConfigurationError: when it cannot be read, or a value is unknown or out of range.
    """
    if path is None:
        return PipelineConfig()
    stages = set(PipelineConfig.__dataclass_fields__)
    values = {name: value for name, value in parameters(path).items() if name in stages}
    return build(PipelineConfig, values)


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
