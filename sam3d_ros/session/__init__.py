# SPDX-License-Identifier: Apache-2.0
"""The owner of everything that is remembered: prompts, tracks, views, shapes, the scene."""
