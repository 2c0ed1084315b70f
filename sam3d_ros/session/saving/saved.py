# SPDX-License-Identifier: Apache-2.0
"""What of a session outlives its process, as one tree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from sam3d_ros.core.errors import InputError
from sam3d_ros.session.admission import Admission

TRACKS = 'tracks'
"""Name of the stage that must be of the class that wrote a state."""


class Stage(Protocol):
    """Whatever remembers something."""

    def state(self) -> Any:
        """Return what is remembered, as a tree of :mod:`core.state`."""
        ...

    def restore(self, state: Any) -> None:
        """Remember what :meth:`state` returned, and nothing else."""
        ...


class SavedState:
    """The state of all stages of a session.

    :param stages: by name; among them the tracker.
    :param admission: which frames came.
    """

    def __init__(self, stages: Mapping[str, Stage], admission: Admission) -> None:
        self._stages = stages
        self._admission = admission
        tracker = type(stages[TRACKS])
        self._tracker = f'{tracker.__module__}.{tracker.__qualname__}'

    def state(self) -> dict[str, Any]:
        """Return it, as a tree of :mod:`core.state`."""
        saved = {name: stage.state() for name, stage in self._stages.items()}
        return {'tracker': self._tracker, **saved, **self._admission.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Remember what :meth:`state` returned; what was restored before an error stays.

        :raises InputError: when another version or tracker wrote it.
        """
        try:
            if state['tracker'] != self._tracker:
                seen = f'a session that {state["tracker"]} tracked'
                raise InputError(seen, wanted=self._tracker)
            for name, stage in self._stages.items():
                stage.restore(state[name])
            self._admission.restore(state)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f'a saved session without {error}', wanted='one that this version wrote'
            ) from error
