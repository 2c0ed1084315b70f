# SPDX-License-Identifier: Apache-2.0
"""Tiny random checkpoints in the official formats, and a picture for them."""

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('torch', reason='the SAM backends need torch (extra: sam)')
pytest.importorskip('transformers', reason='the SAM backends need it (extra: sam)')

sys.path.insert(0, str(Path(__file__).parent))

import tiny_models


@pytest.fixture(scope='session')
def tiny_sam():
    """Return a random SamModel of 64 px input."""
    return tiny_models.tiny_sam()


@pytest.fixture(scope='session')
def tiny_sam2():
    """Return a random Sam2Model of 64 px input."""
    return tiny_models.tiny_sam2()


@pytest.fixture(scope='session')
def tiny_sam3(tmp_path_factory):
    """Return the folder of a random SAM 3 video checkpoint."""
    folder = tmp_path_factory.mktemp('sam3')
    tiny_models.save_tiny_sam3(folder)
    return folder


@pytest.fixture
def image():
    """Return a (48, 80, 3) uint8 picture with structure."""
    v, u = np.mgrid[:48, :80]
    return np.stack([u * 3, v * 5, (u + v) * 2], axis=-1).astype(np.uint8)
