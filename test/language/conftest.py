# SPDX-License-Identifier: Apache-2.0
"""The made-up things that the tests of this folder share."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
