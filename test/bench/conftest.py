# SPDX-License-Identifier: Apache-2.0
"""One small made-up episode that the tests of the bench share."""

import pytest


@pytest.fixture(scope='session')
def spaced_case():
    """Return the first spaced episode of procedural solids, two frames."""
    pytest.importorskip('open3d', reason='the world is drawn by Open3D (extra: bench)')
    from sam3d_ros.bench.harness import BenchOptions
    from sam3d_ros.bench.worlds import cases

    (case,) = cases('spaced', 1, BenchOptions(), frames=2)
    return case
