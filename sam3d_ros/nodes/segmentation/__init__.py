# SPDX-License-Identifier: Apache-2.0
"""The optional node that segments for the session."""
