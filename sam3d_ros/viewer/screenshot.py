# SPDX-License-Identifier: Apache-2.0
"""A picture of the page by a browser without a window: Chromium, told over its DevTools protocol.

It draws with its own software renderer, so that neither a display nor a GPU is needed.
"""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
import time
from base64 import b64decode
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from websockets.sync.client import connect
from websockets.sync.connection import Connection

from sam3d_ros.core.errors import BackendError
from sam3d_ros.setup.machine import BROWSERS

FLAGS = (
    '--headless=new', '--no-sandbox', '--use-angle=swiftshader', '--enable-unsafe-swiftshader',
    '--ignore-gpu-blocklist', '--disable-background-networking', '--disable-dev-shm-usage',
    '--hide-scrollbars', '--no-first-run',
)  # fmt: skip
SIZE_PX = (1600, 900)
_STARTS_S, _ANSWERS_S = 30.0, 60.0
_SETTLED = "document.querySelector('.sam3d-image image, .sam3d .row, .sam3d .empty') ? 1 : 0"
_HIDE_NOTES = (
    "document.querySelectorAll('.mantine-Notification-root')"
    ".forEach(note => note.style.display = 'none')"
)
_TWO_FRAMES = (
    'new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))'
)


def browser() -> str:
    """Return the path of a browser.

    :raises BackendError: when this machine has none that can do it.
    """
    for name in BROWSERS:
        if (path := shutil.which(name)) is not None:
            return path
    raise BackendError(
        'no Chromium on PATH',
        wanted=f'one of {", ".join(BROWSERS)}',
        remedy='Debian and Ubuntu have it: sudo apt-get install chromium',
    )


def write_screenshot(
    url: str, path: Path, size_px: tuple[int, int] = SIZE_PX, settle_s: float = 3.0
) -> None:
    """Write what a browser shows at an address as a PNG.

    :param url: of the page.
    :param path: of the picture.
    :param size_px: width and height of the window.
    :param settle_s: how long the 3D scene may take to appear once the panels have.
    :raises BackendError: when there is no browser, or the page does not appear in it.
    """
    width, height = size_px
    with TemporaryDirectory(prefix='sam3d_browser_', ignore_cleanup_errors=True) as folder:
        command = [
            *(browser(), *FLAGS, f'--window-size={width},{height}'),
            *('--remote-debugging-port=0', f'--user-data-dir={folder}', 'about:blank'),
        ]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
        try:
            with connect(_page_address(process), max_size=2**27) as page:
                _photograph(page, url, path, size_px, settle_s)
        finally:
            process.terminate()
            process.wait(10.0)


def _page_address(process: subprocess.Popen[bytes]) -> str:
    """Return the DevTools address of the browser's first page."""
    assert process.stderr is not None
    deadline = time.monotonic() + _STARTS_S
    for line in iter(process.stderr.readline, b''):
        found = re.search(rb'DevTools listening on (ws://\S+)', line)
        if found:
            address = found[1].decode()
            with connect(address) as whole:
                targets = _call(whole, 'Target.getTargets')['targetInfos']
                page = next(it['targetId'] for it in targets if it['type'] == 'page')
            return re.sub(r'/devtools/.*', f'/devtools/page/{page}', address)
        if time.monotonic() > deadline:
            break
    raise BackendError('the browser did not start', remedy='Try "chromium --version".')


def _photograph(
    page: Connection, url: str, path: Path, size_px: tuple[int, int], settle_s: float
) -> None:
    _call(
        page, 'Emulation.setDeviceMetricsOverride',
        width=size_px[0], height=size_px[1], deviceScaleFactor=1, mobile=False,
    )  # fmt: skip
    _call(page, 'Page.navigate', url=url)
    deadline = time.monotonic() + _ANSWERS_S
    while not _evaluated(page, _SETTLED):
        if time.monotonic() > deadline:
            raise BackendError(f'nothing appeared at {url} in {_ANSWERS_S:.0f} s')
        time.sleep(0.2)
    end_s = time.monotonic() + settle_s
    while time.monotonic() < end_s:
        _evaluated(page, _TWO_FRAMES)
    _evaluated(page, _HIDE_NOTES)
    shot = _call(page, 'Page.captureScreenshot', format='png')
    path.write_bytes(b64decode(shot['data']))


def _evaluated(page: Connection, expression: str) -> Any:
    answer = _call(page, 'Runtime.evaluate', expression=expression, awaitPromise=True)
    return answer['result'].get('value')


_NUMBERS = itertools.count(1)


def _call(page: Connection, method: str, **parameters: Any) -> Any:
    number = next(_NUMBERS)
    page.send(json.dumps({'id': number, 'method': method, 'params': parameters}))
    while True:
        answer = json.loads(page.recv(_ANSWERS_S))
        if answer.get('id') == number:
            if 'error' in answer:
                raise BackendError(f'the browser refused {method}: {answer["error"]["message"]}')
            return answer['result']
