# SPDX-License-Identifier: Apache-2.0
"""The best stream that is alive makes the frames; a lost one is missed, and taken back."""

from types import SimpleNamespace

import numpy as np

from sam3d_ros.pointmaps.choice import LOOK_NS, Roll, SourceChoice, quality

DEPTH, POINTS = '/depth', '/points'
STEP_NS = 100_000_000


def frame(share, measured=None):
    """Return what :func:`quality` reads of a frame of which a share is known well."""
    depth_m = np.full(1000, 2.0, np.float32)
    sigma_m = np.where(np.arange(1000) < 1000 * share, 0.01, 0.5)
    return SimpleNamespace(depth_m=depth_m, sigma_m=sigma_m, measured=measured)


class Stream:
    """Plays two streams into a choice, and keeps who made each frame."""

    def __init__(self):
        self.said = []
        self.choice = SourceChoice((DEPTH, POINTS), self.said.append)
        self.at = 0
        self.looks = 0

    def play(self, steps, **shares):
        used = []
        for _ in range(steps):
            self.at += 1
            for topic in sorted(shares, key=lambda t: f'/{t}' != self.choice.current):
                use = self.choice.use_of(f'/{topic}', self.at * STEP_NS)
                if use != 'skip':
                    self.choice.judge(f'/{topic}', frame(shares[topic]))
                if use == 'use':
                    used.append(f'/{topic}')
                self.looks += use == 'look'
        return used


def test_what_counts_is_measured_and_well_known():
    assert quality(frame(0.4)) == 0.4
    assert quality(frame(0.4, np.arange(1000) >= 200)) == 0.2


def test_a_silent_stream_gives_way_and_comes_back():
    stream = Stream()
    assert set(stream.play(20, depth=0.8, points=0.7)) == {DEPTH}
    lost = stream.play(30, points=0.7)
    assert set(lost) == {POINTS} and len(lost) >= 30 - 11
    assert len(stream.said) == 1 and f'{DEPTH} is silent' in stream.said[0]
    back = stream.play(10, depth=0.8, points=0.7)
    assert back[-1] == DEPTH and back.count(POINTS) <= 2
    assert len(stream.said) == 2 and f'range comes from {DEPTH}' in stream.said[1]


def test_a_blind_stream_gives_way_to_one_that_sees():
    stream = Stream()
    stream.play(20, depth=0.8, points=0.6)
    used = stream.play(2 * LOOK_NS // STEP_NS, depth=0.02, points=0.6)
    assert used[-1] == POINTS
    assert f'{POINTS} knows 60% of the image' in stream.said[0]
    used = stream.play(2 * LOOK_NS // STEP_NS, depth=0.8, points=0.6)
    assert used[-1] == DEPTH


def test_streams_of_about_the_same_worth_do_not_take_turns():
    stream = Stream()
    used = stream.play(200, depth=0.6, points=0.7)
    assert set(used) == {DEPTH} and len(used) == 200 and not stream.said
    # The other one is looked at now and then, not all the time.
    assert stream.looks <= 200 * STEP_NS / LOOK_NS + 1


def test_whoever_comes_first_is_used_until_the_better_one_is_known():
    stream = Stream()
    assert stream.play(3, points=0.5) == [POINTS] * 3
    assert stream.play(3, depth=0.8, points=0.5)[-1] == DEPTH


def test_streams_that_are_fused_are_missed_once():
    said = []
    roll = Roll((DEPTH, POINTS), said.append)
    for at in range(40):
        roll.call((DEPTH,) if 5 < at < 30 else (DEPTH, POINTS), at * STEP_NS)
    assert said == [
        f'{POINTS} is silent: ranges are fused without it',
        f'{POINTS} is back: its ranges are fused again',
    ]


def test_what_was_not_heard_since_all_was_forgotten_says_nothing():
    choice = SourceChoice((DEPTH, POINTS), print)
    choice.judge(DEPTH, frame(0.9))
    assert choice.current == ''


def test_all_may_be_forgotten_while_a_stream_is_judged():
    """Frames are made in a thread of their own."""
    choice = SourceChoice((DEPTH, POINTS), print)
    for topic in (DEPTH, POINTS):
        choice.use_of(topic, STEP_NS)
        choice.judge(topic, frame(0.8))

    class Forgetting(SimpleNamespace):
        @property
        def sigma_m(self):
            choice.forget()
            return np.full(1000, 0.01)

    choice.judge(DEPTH, Forgetting(depth_m=np.full(1000, 2.0), measured=None))
    choice.use_of(POINTS, 2 * STEP_NS)
    choice.judge(POINTS, frame(0.5))
    assert choice.current == POINTS
