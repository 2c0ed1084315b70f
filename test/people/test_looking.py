# SPDX-License-Identifier: Apache-2.0
"""Network passes are few for each frame, and nobody waits for ever."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from sam3d_ros.people import looking
from sam3d_ros.people.blazepose.detector import Detection, Square
from sam3d_ros.people.blazepose.landmarks import Landmarks
from sam3d_ros.people.config import PeopleConfig
from sam3d_ros.people.looking import Looking, window_about


class Networks:
    """Finds nobody new and everybody again; counts its passes."""

    passes = 0

    def __init__(self, threshold: float, device: str) -> None: ...

    def detect(self, rgb: np.ndarray, window_px: Square | None = None) -> list[Detection]:
        Networks.passes += 1
        return []

    def landmarks(self, rgb: np.ndarray, square: Square) -> Landmarks:
        Networks.passes += 1
        return Landmarks(0.9, np.zeros((33, 2)), np.ones(33), np.zeros((33, 3)), square)


@pytest.mark.parametrize('passes', [1, 3])
def test_ten_people_take_turns(
    passes: int, drawn: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, 'BodyNetworks', Networks)
    first = drawn('standing', seed=1)[1][0].frame()
    looks = Looking(PeopleConfig(passes=passes, detect_every_s=100.0))
    seen = dict.fromkeys(range(1, 11), 0)
    count: Counter[int] = Counter()
    for k in range(22):
        frame = replace(first, stamp_ns=first.stamp_ns + k * 10**8)
        squares = [
            (id_, stamp, Square((40.0 * id_, 100.0), 100.0, 0.0)) for id_, stamp in seen.items()
        ]
        before = Networks.passes
        for look in looks.look(frame, squares, []):
            count[look.owner] += 1
            seen[look.owner] = frame.stamp_ns
        assert Networks.passes - before <= passes
    assert set(count) == set(seen) and min(count.values()) > 0.6 * max(count.values())


def test_a_window_holds_the_body_and_not_what_is_behind_the_camera(drawn: Callable) -> None:
    camera = drawn('standing', seed=1)[1][0].frame().camera
    body = np.array([[0.0, 0.5, 2.0], [0.0, -0.5, 2.0]])
    window = window_about(camera, body)
    assert window is not None and window.side_px > camera.fy / 2
    assert window_about(camera, body * [1, 1, -1]) is None
