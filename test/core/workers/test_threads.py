# SPDX-License-Identifier: Apache-2.0
"""Every program chooses the threads of BLAS before numpy is loaded."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize('name', ['sam3d_ros.cli.main', 'sam3d_ros.nodes'])
@pytest.mark.parametrize('wished', [None, '3'])
def test_blas_has_one_thread_unless_somebody_wished_otherwise(name, wished):
    environment = {k: v for k, v in os.environ.items() if k != 'OPENBLAS_NUM_THREADS'}
    if wished is not None:
        environment['OPENBLAS_NUM_THREADS'] = wished
    program = (
        f'import os, sys, {name}\n'
        'print(os.environ["OPENBLAS_NUM_THREADS"], "numpy" in sys.modules)'
    )
    command = [sys.executable, '-c', program]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.split() == [wished or '1', 'False']
