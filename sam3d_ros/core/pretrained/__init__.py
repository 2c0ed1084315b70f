# SPDX-License-Identifier: Apache-2.0
"""Trained models: their weights and checkpoints, what runs them, and images as they take them."""
