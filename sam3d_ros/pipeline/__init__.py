# SPDX-License-Identifier: Apache-2.0
"""The stages in order; the offline command and the nodes both call it."""
