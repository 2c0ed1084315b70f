# SPDX-License-Identifier: Apache-2.0
"""Makes made-up scenes and recordings of other tests importable."""

import sys
from pathlib import Path

for room in ('messages', 'bags'):
    sys.path.insert(0, str(Path(__file__).parents[1] / room))
