# SPDX-License-Identifier: Apache-2.0
"""The memory of objects: pose with covariance, state, removal."""
