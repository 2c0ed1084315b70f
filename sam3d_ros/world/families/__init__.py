# SPDX-License-Identifier: Apache-2.0
"""Procedural families: each function draws one closed solid at random, metres, z up."""
