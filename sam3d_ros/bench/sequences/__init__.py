# SPDX-License-Identifier: Apache-2.0
"""Sequences in which things are taken, put elsewhere, pushed, exchanged: are ids still right?"""
