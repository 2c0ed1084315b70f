# SPDX-License-Identifier: Apache-2.0
"""The optional node that completes shapes for the session."""
