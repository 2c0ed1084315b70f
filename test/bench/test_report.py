# SPDX-License-Identifier: Apache-2.0
"""The report page: escaped, self-contained, and clear about which case is which."""

import re

import numpy as np
import pytest

pytest.importorskip('matplotlib', reason='plots are made by matplotlib (extra: bench)')

from sam3d_ros.bench.harness import BenchOptions, Measurement, Picture, Table
from sam3d_ros.bench.report import bar_plot, best_median_worst, line_plot, page

GRAY = np.full((20, 30, 3), 128, np.uint8)


def test_page_escapes_text_and_refers_to_nothing_outside():
    table = Table('a <b> & "c"', ('', '<th>'), (('<script>alert(1)</script>', '1'),))
    measurement = Measurement(
        'segmentation', {}, (table,), (Picture('x"><img src=y>', GRAY),), ('1 < 2',)
    )
    html = page([measurement], BenchOptions())
    assert '<script' not in html
    assert '&lt;script&gt;alert(1)&lt;/script&gt;' in html
    assert 'a &lt;b&gt; &amp; &quot;c&quot;' in html
    assert '1 &lt; 2' in html
    sources = re.findall(r'(?:src|href)="([^"]*)"', html)
    assert sources
    assert all(source.startswith(('data:image/', '#')) for source in sources)


def test_page_shows_every_bench_and_keeps_published_figures_apart():
    html = page([Measurement(name, {}) for name in ('segmentation', 'tracking')], BenchOptions())
    order = [html.index(part) for part in ('id="segmentation"', 'id="tracking"', 'Published')]
    assert order == sorted(order)
    assert html.index('Trellis') > order[-1]


@pytest.mark.parametrize(
    ('scores', 'expected'),
    [
        ([0.4, 0.1, 0.9, 0.3, 0.8], ['Worst of 5: 0.1', 'Median of 5: 0.4', 'Best of 5: 0.9']),
        ([0.4, 0.1], ['Worst of 2: 0.1', 'Best of 2: 0.4']),
        ([0.4], ['The only one: 0.4']),
        ([], []),
    ],
)
def test_best_median_and_worst_say_which_they_are(scores, expected):
    gallery = [(score, Picture(f'{score}', GRAY)) for score in scores]
    assert [picture.caption for picture in best_median_worst(gallery)] == expected


def test_as_many_of_the_worst_as_wished_come_first():
    gallery = [(score, Picture(f'{score}', GRAY)) for score in (0.4, 0.1, 0.9, 0.3, 0.8)]
    captions = [picture.caption for picture in best_median_worst(gallery, worst=2)]
    assert captions == [
        'Worst of 5: 0.1',
        'Worst but 1 of 5: 0.3',
        'Median of 5: 0.4',
        'Best of 5: 0.9',
    ]
    # More than there are: every one of them once.
    every = [picture.caption for picture in best_median_worst(gallery, worst=9)]
    assert [caption.split(': ')[1] for caption in every] == ['0.1', '0.3', '0.4', '0.8', '0.9']


def test_plots_are_pictures():
    bars = bar_plot('bars', ['a', 'b'], [('ours', [0.5, 0.6]), ('peer', [0.1, float('nan')])])
    lines = line_plot('lines', ('objects', [1, 5]), 'ms', [('p50', [1.0, 2.0])])
    for picture in (bars, lines):
        assert picture.image.dtype == np.uint8
        assert picture.image.shape[2] == 3
        assert picture.image.std() > 5
