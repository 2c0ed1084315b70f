# SPDX-License-Identifier: Apache-2.0
"""Others on the same data: what we run beside ours, and what was published."""
