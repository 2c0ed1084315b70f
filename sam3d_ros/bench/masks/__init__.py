# SPDX-License-Identifier: Apache-2.0
"""The bench of segmentation: worlds, labelled real frames, prompts."""
