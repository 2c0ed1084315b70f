# SPDX-License-Identifier: Apache-2.0
"""Solids of few parameters, fitted to what was seen of an object."""
