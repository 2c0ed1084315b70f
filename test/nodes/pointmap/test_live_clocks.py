# SPDX-License-Identifier: Apache-2.0
"""Stamps of every stream of range are taken by its own clock, whichever comes."""

from sam3d_ros.nodes.pointmap.live_clocks import LiveClocks
from sam3d_ros.pointmaps.config import PointmapConfig

RGB, DEPTH, POINTS = '/rgb', '/depth', '/points'
BEGIN_NS, STEP_NS = 1_700_000_000_000_000_000, 100_000_000


def clocks(said, **options):
    return LiveClocks(PointmapConfig(**options), 0.05, (RGB, DEPTH, POINTS), said.append)


def test_a_cloud_without_stamps_is_taken_by_receipt_where_no_depth_comes():
    said = []
    live = clocks(said)
    for k in range(10):
        live.stamp(RGB, BEGIN_NS + k * STEP_NS, BEGIN_NS + k * STEP_NS)
        live.stamp(POINTS, 0, BEGIN_NS + k * STEP_NS + 1000)
    assert live.settle()
    now = BEGIN_NS + 10 * STEP_NS
    assert live.stamp(RGB, now, now) == now
    assert abs(live.stamp(POINTS, 0, now + 1000) - now) < 10_000
    assert len(said) == 1 and POINTS in said[0] and 'receive times' in said[0]


def test_offsets_count_for_every_stream():
    live = clocks([], stamps='header', stamp_offset=f'{DEPTH}=0.1,{POINTS}=-0.2')
    shifts = {topic: live.stamp(topic, BEGIN_NS, 0) - BEGIN_NS for topic in (RGB, DEPTH, POINTS)}
    assert shifts == {RGB: 0, DEPTH: 100_000_000, POINTS: -200_000_000}


def test_a_stream_that_joins_changes_nothing_about_the_others():
    live = clocks(said := [])
    for k in range(10):
        for topic in (RGB, DEPTH):
            live.stamp(topic, BEGIN_NS + k * STEP_NS, BEGIN_NS + k * STEP_NS)
    live.settle()
    for k in range(10, 20):
        now = BEGIN_NS + k * STEP_NS
        assert live.stamp(RGB, now, now) == now and live.stamp(DEPTH, now, now) == now
        live.stamp(POINTS, 0, now)
    live.settle()
    now = BEGIN_NS + 20 * STEP_NS
    assert {live.stamp(topic, now, now) for topic in (RGB, DEPTH)} == {now}
    assert live.stamp(POINTS, 0, now) == now and len(said) == 1
