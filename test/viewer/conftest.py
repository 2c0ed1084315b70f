# SPDX-License-Identifier: Apache-2.0
"""Made-up scenes and recordings for the viewer, and a real browser."""

import sys
from pathlib import Path

import pytest

from sam3d_ros.core.errors import BackendError
from sam3d_ros.viewer.screenshot import FLAGS, browser

for folder in ('messages', 'bags'):
    sys.path.insert(0, str(Path(__file__).parents[1] / folder))


@pytest.fixture(scope='session')
def chromium():
    """Return a headless Chromium, driven by Playwright, or skip saying what is missing."""
    playwright = pytest.importorskip('playwright.sync_api', reason='Playwright is not installed')
    try:
        path = browser()
    except BackendError as error:
        pytest.skip(str(error))
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=path, args=list(FLAGS))
        yield running
        running.close()
