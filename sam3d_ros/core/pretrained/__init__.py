# SPDX-License-Identifier: Apache-2.0
"""Models of transformers: their checkpoints, and images as they take them. Needs torch."""
