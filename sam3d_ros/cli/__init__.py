# SPDX-License-Identifier: Apache-2.0
"""The sam3d command: parse, call, report."""
