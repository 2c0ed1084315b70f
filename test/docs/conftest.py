# SPDX-License-Identifier: Apache-2.0
"""Makes what reads the pages, and the made-up recordings of the recording tests, importable."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / 'bags'))
