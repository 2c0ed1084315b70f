# SPDX-License-Identifier: Apache-2.0
"""Makes what the fuzz tests share importable, and the made-up recordings."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / 'bags'))


@pytest.fixture(autouse=True)
def _numbers_that_are_none():
    """Let numpy not warn about them."""
    with np.errstate(all='ignore'):
        yield
