# SPDX-License-Identifier: Apache-2.0
"""What commands show: tables of objects, and a bar while something takes its time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO

import numpy as np
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from sam3d_ros.core.types import ObjectState, Scene, SceneObject

WIDTH = 120
"""Columns of what does not go to a terminal."""
COLORS = {
    ObjectState.VISIBLE: 'green',
    ObjectState.OCCLUDED: 'yellow',
    ObjectState.OUT_OF_VIEW: 'yellow',
}


def console() -> Console:
    """Return standard output, in colours and as wide as it is where it is a terminal."""
    return Console(width=None if sys.stdout.isatty() else WIDTH)


def print_table(table: Table) -> None:
    """Print a table to standard output."""
    console().print(table)


def plain(table: Table) -> str:
    """Return a table as text without colours."""
    file = StringIO()
    Console(file=file, width=WIDTH).print(table)
    return file.getvalue()


def objects_table(scene: Scene) -> Table:
    """Return a table of all objects of a scene: state, size, place, how sure, by whom."""
    table = Table(title=f'{len(scene.objects)} objects in frame {scene.fixed_frame}')
    for name in ('id', 'name', 'state', 'size, cm', 'position, m', '± mm', 'seen', 'shape'):
        table.add_column(name, justify='right' if name in ('id', '± mm', 'seen') else 'left')
    for item in scene.objects:
        sigma_mm = 1e3 * np.sqrt(np.trace(item.covariance[:3, :3]))
        table.add_row(
            str(item.id),
            item.label or '-',
            state_text(item),
            size_text(item),
            position_text(item),
            f'{sigma_mm:.1f}',
            f'{100 * item.observed_fraction:.0f} %',
            item.provenance.backend or 'points alone',
        )
    return table


def state_text(item: SceneObject) -> str:
    """Return an object's state in its colour."""
    words, color = item.state.words, COLORS.get(item.state)
    return f'[{color}]{words}[/]' if color else words


def size_text(item: SceneObject) -> str:
    """Return an object's extents in centimetres."""
    return ' x '.join(f'{100 * value:.1f}' for value in item.size_m)


def position_text(item: SceneObject) -> str:
    """Return an object's place in the fixed frame in metres."""
    return ' '.join(f'{value:7.3f}' for value in item.T_fixed_obj[:3, 3])


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show how far something is on standard error: a bar on a terminal, some lines elsewhere.

    :param what: is counted, e.g. ``frames``.
    :return: what is told how many are done, of how many.
    """
    if sys.stderr.isatty():
        bar = Progress(
            TextColumn('{task.description}'),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        with bar:
            task = bar.add_task(what, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
        return

    def show(done: int, total: int) -> None:
        if done == total or done % max(1, total // 10) == 0:
            print(f'{what}: {done} of {total}', file=sys.stderr, flush=True)

    yield show


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show on a terminal's standard error that something of unknown length goes on, and how long.

    :param what: is done, e.g. ``bench tracking``.
    """
    bar = Progress(
        TextColumn('{task.description}'),
        BarColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    )
    with bar:
        bar.add_task(what, total=None)
        yield
