# SPDX-License-Identifier: Apache-2.0
"""Growth over the turns of a recording: of made-up figures, and of a session kept small."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sam3d_ros.bench.live.memory import Turns
from sam3d_ros.session.config import Config
from sam3d_ros.session.session import Session

STEP_NS = 100_000_000
BOXES = (
    ((0.0, 0.15, 0.06), (0.10, 0.08, 0.12), (200, 40, 40)),
    ((0.05, -0.15, 0.05), (0.12, 0.12, 0.10), (40, 200, 40)),
)


def test_growth_is_that_of_the_later_turns():
    filling = [200.0, 300.0, 350.0, 380.0]
    turns = Turns(length_s=18.0)
    steady, error = turns.growth([*filling, *[400.0] * 8])
    assert steady == pytest.approx(0.0, abs=1e-9) and error == pytest.approx(0.0, abs=1e-9)
    leaking, error = turns.growth([*filling, *(400.0 + 0.1 * np.arange(8))])
    assert leaking == pytest.approx(100 * 0.1 * 100 / 400.35, rel=0.01)
    assert error < 1e-6
    assert np.isnan(turns.growth([1.0, 2.0])[0])


@pytest.mark.parametrize('goes_on', [True, False], ids=['stamps go on', 'stamps go back'])
def test_what_a_session_keeps_does_not_grow_with_the_turns(boxes_world, tmp_path, goes_on):
    default = Config()
    running = Session.from_config(
        replace(
            default,
            reconstruction=replace(default.reconstruction, backend='geometric'),
            segmentation=replace(default.segmentation, backend='geometric'),
        ),
        [].append,
    )
    eyes = [(0.9, 0.1 * at, 0.7) for at in range(-2, 3)]
    kept, held = [], []
    for turn in range(5):
        for at, eye in enumerate(eyes):
            # At each turn one box is taken away and put back.
            frame, _ = boxes_world(eye, BOXES if at < 2 else BOXES[:1], stamp_ns=0)
            number = at + (turn * len(eyes) if goes_on else 0)
            running.step(replace(frame, stamp_ns=(number + 1) * STEP_NS))
        folder = tmp_path / str(turn)
        running.save(folder)
        kept.append(sum(file.stat().st_size for file in Path(folder).rglob('*.np*')))
        held.append(len(running.scene().objects))
    assert max(kept[2:]) < 1.05 * min(kept[2:])
    assert max(held) <= 2
