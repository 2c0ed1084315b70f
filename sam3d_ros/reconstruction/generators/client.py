# SPDX-License-Identifier: Apache-2.0
"""The adapters' side of a generator: images in, whole objects out, by its own process."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from sam3d_ros.core.errors import BackendError
from sam3d_ros.core.workers.process import WorkerProcess
from sam3d_ros.core.workers.protocol import Kind, Message
from sam3d_ros.reconstruction.generators.config import Sam3dObjectsConfig, TripoSRConfig

Arrays = Mapping[str, np.ndarray]


class GeneratorWorker:
    """The process of an installation; started when first needed, and again after it died.

    :param name: of the generator, as errors say it.
    :param group: of its options, for remedies.
    :param python: interpreter of the installation.
    :param arguments: of the worker, which generator and where.
    :param timeout_s: longest time for one object, loading included, s.
    :param stays: whether the models stay loaded between requests.
    """

    def __init__(
        self,
        name: str,
        group: str,
        python: str,
        arguments: Sequence[str],
        *,
        timeout_s: float,
        stays: bool,
    ) -> None:
        self._timeout_s = timeout_s
        self._stays = stays
        self._cancel = threading.Event()
        self._process = WorkerProcess(
            name,
            lambda descriptor: [
                python,
                str(Path(__file__).with_name('worker.py')),
                f'--fd={descriptor}',
                *arguments,
            ],
            start_timeout_s=timeout_s,
            remedies={
                'start': f'Set reconstruction.{group}.python to that of the installation.',
                'answer': f'Raise reconstruction.{group}.timeout_s, or look at its output.',
            },
        )

    @property
    def pid(self) -> int | None:
        """The process id, None while there is no process."""
        return self._process.pid

    def generate(self, request: Arrays, seeds: Sequence[int]) -> list[Arrays]:
        """Return what the generator makes of one object, by each seed; see ``worker``.

        :param request: the arrays that it takes.
        :param seeds: one generation each.
        :raises CancelledError: within half a second after :meth:`cancel`.
        :raises BackendError: when the worker cannot start, fails, dies or exceeds its time.
        """
        self._cancel.clear()
        message = Message(Kind.WORK, {'seeds': list(seeds)}, dict(request))
        answer = self._process.ask(message, self._timeout_s * len(seeds), self._cancel.is_set)
        if not self._stays:
            self._process.ask(Message(Kind.UNLOAD), self._timeout_s)
        return [
            {
                name.removesuffix(f'_{seed}'): values
                for name, values in answer.arrays.items()
                if name.endswith(f'_{seed}')
            }
            for seed in seeds
        ]

    def cancel(self) -> None:
        """Stop the request under way, from another thread; it ends within half a second."""
        self._cancel.set()

    def close(self) -> None:
        """End the worker; a later request starts a new one."""
        self._process.close()


def installed(
    title: str,
    name: str,
    own: Sam3dObjectsConfig | TripoSRConfig,
    needed: Sequence[str],
    home: str,
    weights: str,
) -> GeneratorWorker:
    """Return the worker of an installation.

    :param title: of the generator, as errors say it.
    :param name: of its backend.
    :param own: its options.
    :param needed: those of them that say where the installation is.
    :param home: folder that its modules are imported from.
    :param weights: what it loads.
    :raises BackendError: when one of the needed options is empty.
    """
    missing = [option for option in needed if not getattr(own, option)]
    if missing:
        raise BackendError(
            f'backend "{name}" without {", ".join(missing)}',
            wanted=f'an installation of {title}',
            remedy=f'Set reconstruction.{name}.{missing[0]}.',
        )
    return GeneratorWorker(
        title,
        name,
        own.python,
        [f'--generator={name}', f'--home={home}', f'--weights={weights}'],
        timeout_s=own.timeout_s,
        stays=own.memory == 'resident',
    )
