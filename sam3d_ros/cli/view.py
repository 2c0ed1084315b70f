# SPDX-License-Identifier: Apache-2.0
"""``sam3d view``: a page with image, 3D scene, objects and timeline, at localhost.

Of the running graph when nothing is named, of a recording, which is processed meanwhile, or of a
folder that "sam3d process", "demo" or "segment3d" has written.
"""

from __future__ import annotations

import argparse
import sys
import threading
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sam3d_ros.cli.console import working
from sam3d_ros.cli.inputs import (
    add_camera_argument,
    add_reading_arguments,
    add_topic_arguments,
    named_topics,
    reading_config,
)
from sam3d_ros.core.errors import ConfigurationError
from sam3d_ros.messages.topics import NAMESPACE

if TYPE_CHECKING:
    from sam3d_ros.viewer.page import Page
    from sam3d_ros.viewer.sources import Source

PORT = 8080
FIRST_MOMENT_S = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``sam3d view``."""
    parser.add_argument(
        'what', type=Path, nargs='?', metavar='RECORDING|FOLDER',
        help='a recording, or a folder of results; without it, the running graph',
    )  # fmt: skip
    parser.add_argument('--port', type=int, default=PORT, help='default %(default)s; 0 = any')
    parser.add_argument(
        '--host', default='localhost', metavar='ADDRESS',
        help='where to listen; 0.0.0.0 = everywhere, which asks visitors for a token',
    )  # fmt: skip
    parser.add_argument('--token', metavar='TEXT', help='that visitors bring; made up without')
    parser.add_argument(
        '--screenshot', type=Path, metavar='FILE',
        help='write a picture of the page as a PNG and end; needs Chromium, no display',
    )  # fmt: skip
    parser.add_argument('--namespace', default=NAMESPACE, metavar='NS', help='of the graph')
    parser.add_argument(
        '--recording', type=Path, metavar='PATH',
        help='that a folder of results was made of, when it has moved',
    )  # fmt: skip
    parser.add_argument('--config', type=Path, metavar='YAML', help='a ROS parameter file')
    add_topic_arguments(parser)
    add_camera_argument(parser)
    add_reading_arguments(parser)
    parser.add_argument('--fixed-frame', default='', metavar='F', help='frame to keep objects in')


def run(args: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C; 0 then, and after a screenshot."""
    with ExitStack() as stack:
        source = _source(args, stack)
        where = args.what.name if args.what is not None else 'live'
        save_to = (args.what if args.what and args.what.is_dir() else Path('out')) / 'saved'
        show(
            source, args.host, args.port, args.screenshot,
            heading=f'sam3d · {where}', save_to=save_to, token=args.token,
        )  # fmt: skip
    return 0


def show(
    source: Source,
    host: str,
    port: int,
    screenshot: Path | None = None,
    *,
    heading: str = 'sam3d',
    save_to: Path = Path('out/saved'),
    token: str | None = None,
) -> None:
    """Serve a page until Ctrl-C or SIGTERM, or for a screenshot.

    :param source: what is shown; closed at the end.
    :param host: to listen at.
    :param port: 0 = any.
    :param screenshot: picture to write, after which the page ends; None = serve.
    :param heading: stands above everything.
    :param save_to: folder that is offered for saving.
    :param token: that visitors bring beyond localhost.
    :raises ConfigurationError: when the port is taken.
    :raises BackendError: when no picture can be taken.
    """
    from sam3d_ros.nodes.processes import stop_on_signals
    from sam3d_ros.viewer.page import Page

    stop = threading.Event() if screenshot else stop_on_signals()
    try:
        page = Page(
            source, host, port if screenshot is None else 0,
            save_to=save_to, heading=heading, token=token,
        )  # fmt: skip
    except BaseException:
        source.close()
        raise
    try:
        if screenshot is not None:
            _photograph(page, source, screenshot)
            print(screenshot)
        else:
            print(f'{page.url}  (Ctrl-C ends it)', flush=True)
            stop.wait()
    finally:
        page.close()


def _photograph(page: Page, source: Source, path: Path) -> None:
    """Write a picture once there is something to see and nothing more is read."""
    from sam3d_ros.viewer.screenshot import write_screenshot

    pause, before = threading.Event(), -1
    with working('taking a picture of the page'):
        for _ in range(int(FIRST_MOMENT_S)):
            if len(source.timeline) and source.timeline.changes == before:
                break
            before = source.timeline.changes
            pause.wait(1.0)
        write_screenshot(page.url, path)


def _source(args: argparse.Namespace, stack: ExitStack) -> Source:
    if args.what is None:
        from sam3d_ros.nodes.viewer.live import LiveGraph

        return LiveGraph(args.namespace)
    if not args.what.exists():
        raise ConfigurationError(
            f'{args.what} does not exist', wanted='a recording or a folder of results'
        )
    if args.what.is_dir():
        from sam3d_ros.viewer.results import RESULT_FILES, ResultFolder

        if any((args.what / name).exists() for name in RESULT_FILES):
            return ResultFolder(args.what, args.recording)
        if not any(args.what.iterdir()):
            raise ConfigurationError(
                f'{args.what} is empty',
                wanted='a recording or a folder of results',
                remedy='"sam3d demo" makes one in out/demo.',
            )
    from sam3d_ros.bags.recording import Recording
    from sam3d_ros.core.notes import Notes
    from sam3d_ros.pipeline.cameras import read_cameras
    from sam3d_ros.session.config import load_config
    from sam3d_ros.session.session import Session
    from sam3d_ros.viewer.processing import ProcessedRecording

    config = load_config(args.config)
    pointmaps = reading_config(args, config.pointmaps)
    config = replace(config, pointmaps=pointmaps)
    notes = Notes(lambda text: print(f'note: {text}', file=sys.stderr))
    recording = stack.enter_context(Recording(args.what))
    overrides = named_topics(args, recording, pointmaps)
    readers = read_cameras(recording, args.camera or [''], pointmaps, args.slop, notes, overrides)
    return ProcessedRecording(readers, Session.from_config(config, notes.add))
