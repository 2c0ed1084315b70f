# SPDX-License-Identifier: Apache-2.0
"""Benches by name, and the flat JSON object they write."""

import json
from importlib import import_module

import pytest

from sam3d_ros.bench.harness import BENCHES, BenchOptions, Measurement, as_json, run_bench
from sam3d_ros.core.errors import BackendError, ConfigurationError


def test_every_bench_can_be_run():
    pytest.importorskip('open3d', reason='benches need the extra: bench')
    for module in BENCHES.values():
        assert callable(import_module(module).run)


def test_unknown_bench_names_the_known_ones():
    with pytest.raises(BackendError, match='segmentation'):
        run_bench('speed', BenchOptions())


def test_json_is_flat_and_valid_and_says_where_it_was_measured():
    one = Measurement('tracking', {'jitter_mm': 0.2, 'unmeasured': float('nan')})
    figures = as_json([one], BenchOptions(quick=True, seed=3))
    text = json.dumps(figures, allow_nan=False)
    assert figures['bench'] == 'tracking'
    assert (figures['jitter_mm'], figures['unmeasured']) == (0.2, None)
    assert (figures['quick'], figures['seed'], figures['objects']) == (True, 3, 'procedural')
    assert figures['sensor'] == 'structured_light'
    assert {'machine', 'commit', 'config'} <= json.loads(text).keys()


def test_sets_of_scenes_keep_the_order_of_the_bench():
    known = ('real', 'clutter', 'spaced')
    assert BenchOptions().chosen(known) == list(known)
    assert BenchOptions(suites=('spaced', 'piled', 'real')).chosen(known) == ['real', 'spaced']
    with pytest.raises(ConfigurationError, match='clutter'):
        BenchOptions(suites=('piled',)).chosen(known)


def test_several_benches_keep_their_figures_apart():
    both = [Measurement('tracking', {'objects': 1}), Measurement('latency', {'objects': 2})]
    figures = as_json(both, BenchOptions())
    assert figures['bench'] == 'all'
    assert (figures['tracking_objects'], figures['latency_objects']) == (1, 2)
