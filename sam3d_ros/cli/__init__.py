# SPDX-License-Identifier: Apache-2.0
"""The sam3d command: parse, call, report."""

from sam3d_ros.core.workers.threads import keep_blas_single

keep_blas_single()
