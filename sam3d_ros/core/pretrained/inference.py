# SPDX-License-Identifier: Apache-2.0
"""Sessions of ONNX Runtime, and the device that they run on; the only place that opens any."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sam3d_ros.core.config import option
from sam3d_ros.core.errors import BackendError, ConfigurationError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

LOG = logging.getLogger(__name__)
CPU, CUDA, TENSORRT = (f'{name}ExecutionProvider' for name in ('CPU', 'CUDA', 'Tensorrt'))
INSTALL = (
    'Install the extra gpu (onnxruntime-gpu in place of onnxruntime) and the CUDA libraries that '
    'it names, or set the device to auto or cpu.'
)

_usual_threads = 0


def device_option() -> Any:
    """Declare where the networks of a stage run, a field of its configuration."""
    return option(
        'auto',
        'where networks run: auto = the first GPU where one can be used, else the CPU; cpu; cuda '
        'or cuda:N; tensorrt or tensorrt:N (ONNX only; compiles for minutes at the first start)',
        read_only=True,
    )


@dataclass(frozen=True, slots=True)
class Device:
    """A device as configured.

    :param kind: auto, cpu, cuda or tensorrt.
    :param index: number of the GPU.
    """

    kind: str
    index: int = 0

    @classmethod
    def of(cls, text: str) -> Device:
        """Return the device that an option names.

        :raises ConfigurationError: when it names none.
        """
        match = re.fullmatch(r'(auto|cpu|(?:cuda|tensorrt)(?=:|$))(?::(\d+))?', text)
        if match is None or (match[2] and match[1] in ('auto', 'cpu')):
            raise ConfigurationError(
                f'device "{text}"', wanted='auto, cpu, cuda, cuda:N, tensorrt or tensorrt:N'
            )
        return cls(match[1], int(match[2] or 0))

    def providers(self, available: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
        """Return ONNX Runtime's providers for this device, the CPU last, with their options.

        :param available: what the installed build has.
        :raises BackendError: when the build cannot use the device.
        """
        at = {'device_id': self.index}
        wanted: list[tuple[str, dict[str, Any]]] = []
        if self.kind == 'tensorrt':
            cache = {'trt_engine_cache_enable': True, 'trt_engine_cache_path': str(_engines())}
            wanted.append((TENSORRT, at | cache))
        if self.kind in ('cuda', 'tensorrt') or (self.kind == 'auto' and CUDA in available):
            wanted.append((CUDA, at))
        missing = [name for name, _ in wanted if name not in available]
        if missing:
            raise BackendError(
                f'device {self.kind}:{self.index}, but ONNX Runtime here has '
                f'{", ".join(available)}',
                wanted=', '.join(missing),
                remedy=INSTALL,
            )
        return [*wanted, (CPU, {})]


def limit_threads(count: int) -> None:
    """Let sessions that this process opens from now on use so many threads.

    :param count: on the CPU, for sessions that ask for no number; 0 = one for each core.
    """
    global _usual_threads
    _usual_threads = count


def open_session(
    file: Path,
    threads: int = 0,
    device: str = 'auto',
    example: Mapping[str, Any] | None = None,
) -> InferenceSession:
    """Return a session of an ONNX file, warm.

    :param file: the network.
    :param threads: on the CPU; 0 = as many as this process gives itself.
    :param device: see :func:`device_option`.
    :param example: inputs of a usual size that a GPU is made ready with, so that no frame waits
        for it; None = the first inputs do that.
    :raises BackendError: when the device is named and cannot be used.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or _usual_threads
    # Threads that wait for the next run by spinning take the cores from all others meanwhile.
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    place = Device.of(device)
    providers = place.providers(onnxruntime.get_available_providers())
    session = onnxruntime.InferenceSession(file, options, providers=providers)
    # A provider whose libraries do not load is left out without an error.
    used = session.get_providers()[0]
    if used != providers[0][0]:
        seen = f'{providers[0][0]} cannot be used here: {file.name} runs on {used}'
        if place.kind != 'auto':
            raise BackendError(seen, wanted=f'a working {device}', remedy=INSTALL)
        LOG.warning('%s. %s', seen, INSTALL)
    if example is not None and used != CPU:
        session.run(None, dict(example))
    return session


def describe(device: str) -> str:
    """Return where networks would run, and why not elsewhere; for people.

    :param device: see :func:`device_option`.
    :raises BackendError: when the device is named and cannot be used.
    """
    import onnxruntime

    available = onnxruntime.get_available_providers()
    first = Device.of(device).providers(available)[0][0].removesuffix('ExecutionProvider')
    if Device.of(device).kind == 'auto' and CUDA not in available:
        return f'{first}: ONNX Runtime {onnxruntime.__version__} here is a build without CUDA'
    return f'{first}, by ONNX Runtime {onnxruntime.__version__}'


def _engines() -> Path:
    """Return the folder that keeps what TensorRT compiled, one for all runs of this user."""
    cache = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache')
    folder = cache / 'sam3d_ros' / 'tensorrt'
    folder.mkdir(parents=True, exist_ok=True)
    return folder
