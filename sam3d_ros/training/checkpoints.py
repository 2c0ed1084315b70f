# SPDX-License-Identifier: Apache-2.0
"""What every training of a network needs: a schedule, checkpoints, running means of weights."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from sam3d_ros.core.errors import Sam3dError

LOG = logging.getLogger(__name__)


class TrainingError(Sam3dError):
    """A training run that cannot go on."""


class Schedule(Protocol):
    """The options that the learning rate depends on."""

    @property
    def steps(self) -> int:
        """Steps of the whole schedule."""

    @property
    def learning_rate(self) -> float:
        """Peak rate."""

    @property
    def warmup_steps(self) -> int:
        """Steps in which it rises."""

    @property
    def cooldown(self) -> float:
        """Share of the steps, at the end, in which it falls."""


def learning_rate(step: int, schedule: Schedule) -> float:
    """Return the rate at a step: linear rise, constant, linear fall to zero.

    Until the fall begins the schedule does not depend on the number of steps, so that a run may
    be prolonged (Hagele et al., NeurIPS 2024).
    """
    rise = (step + 1) / max(schedule.warmup_steps, 1)
    fall = (schedule.steps - step) / max(schedule.cooldown * schedule.steps, 1.0)
    return schedule.learning_rate * min(rise, fall, 1.0)


def parameter_groups(
    model: nn.Module, rates: Mapping[str, float]
) -> tuple[list[float], list[dict[str, list[nn.Parameter]]]]:
    """Return shares of the learning rate, and the groups of parameters they are for.

    :param rates: shares by how names of parameters begin; the first group is the rest, at 1.
    """
    groups: dict[str, list[nn.Parameter]] = {'': []}
    for name, parameter in model.named_parameters():
        prefix = next((start for start in rates if name.startswith(start)), '')
        groups.setdefault(prefix, []).append(parameter)
    shares = [rates[prefix] if prefix else 1.0 for prefix in groups]
    return shares, [{'params': parameters} for parameters in groups.values()]


def averaged(model: nn.Module, decay: float) -> AveragedModel:
    """Return a model that will hold the running mean of the weights."""
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What is stored of a run, and the file it is stored in."""

    file: Path
    model: nn.Module
    average: AveragedModel
    optimizer: torch.optim.Optimizer

    def save(self, step: int) -> None:
        """Write the state after ``step`` steps; the file is replaced whole or not at all."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        part = self.file.with_suffix('.part')
        parts = (('model', self.model), ('average', self.average), ('optimizer', self.optimizer))
        torch.save({'step': step} | {name: value.state_dict() for name, value in parts}, part)
        part.rename(self.file)

    def resume(self) -> int:
        """Load the file where there is one; return the number of steps done."""
        if not self.file.is_file():
            return 0
        state = torch.load(self.file, map_location='cpu', weights_only=True)
        self.model.load_state_dict(state['model'])
        self.average.load_state_dict(state['average'])
        self.optimizer.load_state_dict(state['optimizer'])
        LOG.info('resumed at step %d', state['step'])
        return int(state['step'])


def load_average(model: nn.Module, *files: Path) -> None:
    """Load the running mean of weights of checkpoints into ``model`` and make it ready to use.

    Of several runs that went on from one another the mean is taken, parameter by parameter
    (Wortsman et al., "Model soups", ICML 2022, the uniform one).

    :param files: the checkpoints, of runs of the same architecture.
    """
    soup = AveragedModel(model, use_buffers=True)
    for file in files:
        run = AveragedModel(model, use_buffers=True)
        run.load_state_dict(torch.load(file, map_location='cpu', weights_only=True)['average'])
        soup.update_parameters(run.module)
    model.load_state_dict(soup.module.state_dict())
    model.eval()
