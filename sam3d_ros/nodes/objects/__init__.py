# SPDX-License-Identifier: Apache-2.0
"""The node that owns a session, its services and its action."""
