# SPDX-License-Identifier: Apache-2.0
"""Where what was saved elsewhere is now."""
