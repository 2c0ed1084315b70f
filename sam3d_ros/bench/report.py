# SPDX-License-Identifier: Apache-2.0
"""One self-contained HTML page of measurements: tables, plots, pictures, machine and commit."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from sam3d_ros.bench.harness import BenchOptions, Measurement, Picture, Table, commit, machine
from sam3d_ros.bench.peers.published import PUBLISHED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #111; background: #fff; max-width: 72rem;
  margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 } caption { text-align: left; font-weight: 600 }
td, th { border-bottom: 1px solid #ccc; padding: .2rem .6rem; text-align: right }
th { vertical-align: bottom; font-weight: 600 } td { font-variant-numeric: tabular-nums }
td:first-child, th:first-child { text-align: left; padding-left: 0; white-space: nowrap }
figure { margin: 1rem 0 2rem }
img { max-width: 100%; image-rendering: auto } figcaption, .note { color: #444 }
"""


def page(measurements: Sequence[Measurement], options: BenchOptions) -> str:
    """Return the page as text.

    :param measurements: of one bench or of several.
    :param options: of the bench.
    """
    scope = 'quick' if options.quick else 'full'
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        f'<title>sam3d_ros bench</title><style>{STYLE}</style></head><body>',
        '<h1>sam3d_ros bench</h1>',
        f'<p>{html.escape(machine())}; commit {html.escape(commit())}; {scope}, '
        f'seed {options.seed}, sensor {html.escape(options.sensor)}; '
        f'segmentation {html.escape(options.config.segmentation.backend)}, '
        f'reconstruction {html.escape(options.config.reconstruction.backend)}.</p>',
    ]
    for measurement in measurements:
        parts.append(f'<h2 id="{measurement.name}">{measurement.name}</h2>')
        parts += [f'<p class="note">{html.escape(note)}</p>' for note in measurement.notes]
        parts += [_table(table) for table in measurement.tables]
        parts += [_figure(picture) for picture in measurement.pictures]
    parts.append(
        '<h2>Published figures of others</h2><p class="note">From their own papers, on '
        'their own data: for orientation, not comparable with the tables above.</p>'
    )
    parts += [_table(table) for table in PUBLISHED]
    parts.append('</body></html>')
    return '\n'.join(parts)


def _table(table: Table) -> str:
    head = ''.join(f'<th>{html.escape(name)}</th>' for name in table.columns)
    body = ''.join(
        '<tr>' + ''.join(f'<td>{html.escape(cell)}</td>' for cell in row) + '</tr>'
        for row in table.rows
    )
    return (
        f'<table><caption>{html.escape(table.title)}</caption>'
        f'<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    )


def _figure(picture: Picture) -> str:
    encoded = cv2.imencode('.jpg', picture.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    data = base64.b64encode(encoded.tobytes()).decode()
    caption = html.escape(picture.caption)
    return (
        f'<figure><img src="data:image/jpeg;base64,{data}" alt="{caption}">'
        f'<figcaption>{caption}</figcaption></figure>'
    )


def bar_plot(
    title: str, labels: Sequence[str], series: Sequence[tuple[str, Sequence[float]]]
) -> Picture:
    """Return grouped bars: one group a label, one bar a series (name, values).

    :param title: of the plot.
    :param labels: of the groups.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout='constrained')
    axes = figure.subplots()
    width = 0.8 / max(1, len(series))
    for index, (name, values) in enumerate(series):
        offset = (index - (len(series) - 1) / 2) * width
        axes.bar([x + offset for x in range(len(labels))], values, width, label=name)
    axes.set_xticks(range(len(labels)), labels)
    axes.set_title(title)
    axes.grid(axis='y', alpha=0.3)
    figure.legend(loc='outside lower center', ncols=4, fontsize='small')
    return _rendered(figure, title)


def line_plot(
    title: str,
    x: tuple[str, Sequence[float]],
    y_label: str,
    series: Sequence[tuple[str, Sequence[float]]],
) -> Picture:
    """Return lines with marks: (label, values) of x, and (name, values) of each line.

    :param title: of the plot.
    :param y_label: of the vertical axis.
    :param series: name and values of each line.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), layout='constrained')
    axes = figure.subplots()
    for name, values in series:
        axes.plot(x[1], values, 'o-', markersize=4, label=name)
    axes.set_xlabel(x[0])
    axes.set_ylabel(y_label)
    axes.set_ylim(bottom=0)
    axes.set_title(title)
    axes.grid(alpha=0.3)
    axes.legend(fontsize='small')
    return _rendered(figure, title)


def best_median_worst(gallery: Sequence[tuple[float, Picture]], worst: int = 1) -> list[Picture]:
    """Return the pictures of least, middle and greatest score, each saying which it is.

    :param gallery: score and picture of each.
    :param worst: how many of the least are shown, worst first.
    """
    ordered = [picture for _, picture in sorted(gallery, key=lambda item: item[0])]
    last = len(ordered) - 1
    if last < 1:
        roles = dict.fromkeys(range(len(ordered)), 'The only one')
    else:
        roles = {k: f'Worst but {k}' if k else 'Worst' for k in range(min(worst, last))}
        for k, role in ((last // 2, 'Median'), (last, 'Best')):
            roles.setdefault(k, role)
    of = f' of {len(ordered)}' if last > 0 else ''
    return [
        Picture(f'{role}{of}: {ordered[k].caption}', ordered[k].image) for k, role in roles.items()
    ]


def _rendered(figure: Figure, title: str) -> Picture:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Picture(title, np.asarray(canvas.buffer_rgba())[..., :3].copy())
