# SPDX-License-Identifier: Apache-2.0
"""Sessions of ONNX Runtime: on the GPU where its build has one, else on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

PROVIDERS = ('CUDAExecutionProvider', 'CPUExecutionProvider')
"""TensorRT is not chosen by itself: it compiles for minutes at the first frame."""

_usual_threads = 0


def limit_threads(count: int) -> None:
    """Let sessions that this process opens from now on use so many threads.

    :param count: on the CPU, for sessions that ask for no number; 0 = one for each core.
    """
    global _usual_threads
    _usual_threads = count


def open_session(file: Path, threads: int = 0) -> InferenceSession:
    """Return a session of an ONNX file.

    :param file: the network.
    :param threads: on the CPU; 0 = as many as this process gives itself.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or _usual_threads
    available = onnxruntime.get_available_providers()
    return onnxruntime.InferenceSession(
        file, options, providers=[name for name in PROVIDERS if name in available]
    )
