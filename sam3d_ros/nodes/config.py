# SPDX-License-Identifier: Apache-2.0
"""Options of the nodes themselves, beside those of the stages."""

from __future__ import annotations

from dataclasses import dataclass

from sam3d_ros.core.config import option


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """Options that every stage node has."""

    autostart: bool = option(
        True,
        'configure and activate at start; false = wait for lifecycle requests',
        read_only=True,
    )
    link_depth: int = option(
        16,
        'frames kept while results of the same stamp are on their way from the stages before',
        minimum=1,
        maximum=200,
        read_only=True,
    )


@dataclass(frozen=True, slots=True)
class PromptConfig:
    """What to look for without being asked each time."""

    text: str = option(
        '',
        'noun phrases, separated by commas, for backends that read them; empty = everything that '
        'stands on a support',
    )


@dataclass(frozen=True, slots=True)
class TfConfig:
    """Which objects get a TF frame."""

    publish: bool = option(True, 'publish a TF frame for every confirmed object', read_only=True)
    max_frames: int = option(
        100, 'most object frames, those of the lowest ids', minimum=0, maximum=1000, read_only=True
    )
