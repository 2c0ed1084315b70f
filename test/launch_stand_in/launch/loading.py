# SPDX-License-Identifier: Apache-2.0
"""Launch files as modules."""

import importlib.util
from pathlib import Path


def described(file):
    """Return what a launch file describes."""
    spec = importlib.util.spec_from_file_location(Path(file).stem.replace('.', '_'), file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.generate_launch_description()
