# SPDX-License-Identifier: Apache-2.0
"""One lifecycle node per file: wiring only."""

from sam3d_ros.core.workers.threads import keep_blas_single

keep_blas_single()
