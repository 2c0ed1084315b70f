# SPDX-License-Identifier: Apache-2.0
"""Threads of the numerical libraries, for programs to choose before these are loaded."""

import os


def keep_blas_single() -> None:
    """Let OpenBLAS, below numpy and scipy, work in the thread that calls it.

    Our matrices are small: its helpers mostly wait, spinning, and take the cores from all others.
    A number that the user has set stays; without effect once numpy is imported.
    """
    os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')
