# SPDX-License-Identifier: Apache-2.0
"""Loading checkpoints: every tensor from the file, none left to chance, nothing unpickled."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from sam3d_ros.core.errors import BackendError
from sam3d_ros.core.pretrained.inference import Device
from sam3d_ros.core.pretrained.weights import file_hash


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A loaded model and the sha256 over its weight files."""

    model: Any
    sha256: str


def load_pretrained(
    model_class: Any, source: str, key_mapping: dict[str, str] | None = None
) -> Checkpoint:
    """Return ``model_class`` with the weights of a folder or of a hub id in the local cache.

    :raises BackendError: when nothing is there, or a tensor is missing: transformers would fill it
        with random numbers.
    """
    try:
        model, report = model_class.from_pretrained(
            source, local_files_only=True, output_loading_info=True, key_mapping=key_mapping
        )
    except (OSError, ValueError) as error:
        raise BackendError(
            f'no checkpoint at "{source}": {error}',
            wanted='a folder saved by transformers, or a hub id in the local cache',
            remedy='`sam3d weights fetch NAME` brings one; `sam3d weights list` names them.',
        ) from error
    missing = sorted(report['missing_keys'])
    if missing:
        raise BackendError(
            f'the checkpoint "{source}" lacks {len(missing)} tensors, {missing[0]} first',
            wanted=f'a complete checkpoint of {model_class.__name__}',
        )
    return Checkpoint(model, folder_hash(_folder(source)))


def pick_device(device: str, half_precision: bool) -> tuple[torch.device, bool]:
    """Return where to compute, and whether images are seen in half precision.

    :param device: as :func:`core.pretrained.inference.device_option` describes it.
    :param half_precision: whether a GPU may.
    :raises BackendError: when a GPU is asked for that torch does not have.
    """
    wanted, count = Device.of(device), torch.cuda.device_count()
    if wanted.kind == 'cpu' or (wanted.kind == 'auto' and not count):
        return torch.device('cpu'), False
    if wanted.kind == 'tensorrt' or wanted.index >= count:
        raise BackendError(
            f'device "{device}", but torch sees {count} GPUs',
            wanted='cpu, or cuda:N of a GPU that a CUDA build of torch sees',
            remedy='Set the option device of the stage to "cpu" or "auto".',
        )
    return torch.device('cuda', wanted.index), half_precision


def autocast(device: torch.device, is_half: bool) -> torch.autocast:
    """Return a context that computes in bfloat16 what loses nothing by it, where ``is_half``."""
    return torch.autocast(device.type, torch.bfloat16, enabled=is_half)


def as_float32(value: Any) -> Any:
    """Return tensors, however nested, in float32: what follows must not round coordinates.

    A bfloat16 has eight bits: numbers of pixels above 256 would be even.
    """
    if isinstance(value, torch.Tensor):
        return value.float() if value.is_floating_point() else value
    if isinstance(value, Mapping):
        return type(value)(**{name: as_float32(item) for name, item in value.items()})
    return type(value)(map(as_float32, value)) if isinstance(value, list | tuple) else value


def folder_hash(folder: Path | None) -> str:
    """Return one sha256 over the weight files of a folder; empty when it holds none."""
    if folder is None:
        return ''
    weights = sorted([*folder.glob('*.safetensors'), *folder.glob('*.bin')])
    if len(weights) == 1:
        return file_hash(weights[0])
    return hashlib.sha256(''.join(file_hash(path) for path in weights).encode()).hexdigest()


def _folder(source: str) -> Path | None:
    if Path(source).is_dir():
        return Path(source)
    from transformers.utils.hub import cached_file

    config = cached_file(source, 'config.json', local_files_only=True)
    return Path(config).parent if config else None
