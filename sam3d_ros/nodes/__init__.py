# SPDX-License-Identifier: Apache-2.0
"""One lifecycle node per file: wiring only."""
