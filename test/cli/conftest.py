# SPDX-License-Identifier: Apache-2.0
"""Makes the made-up recordings and scenes of other tests importable."""

import sys
from pathlib import Path

for folder in ('bags', 'messages'):
    sys.path.insert(0, str(Path(__file__).parents[1] / folder))
