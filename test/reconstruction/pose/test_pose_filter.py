# SPDX-License-Identifier: Apache-2.0
"""Static things stand still, pushed ones are followed, one bad registration moves nothing."""

import numpy as np

from sam3d_ros.reconstruction.pose.pose_filter import PoseFilter

SURE = np.diag(np.square([0.001] * 3 + [0.01] * 3))
SIGMA = np.sqrt(np.diag(SURE))
MOVED_SIGMAS = 5.0


def run(steps, truth=lambda k: np.zeros(6), gain=lambda off_m: 0.05, seed=0, noise=1.0):
    """Filter noisy views of a pose that is where ``truth`` says; return it after every step."""
    rng = np.random.default_rng(seed)
    pose, poses, moves = PoseFilter(), [np.zeros(6)], []
    for k in range(steps):
        measured = truth(k) + noise * SIGMA * rng.standard_normal(6) - poses[-1]
        correction = pose.correct(
            measured, SURE, gain(np.linalg.norm((truth(k) - poses[-1])[:3])), MOVED_SIGMAS
        )
        poses.append(poses[-1] + (0.0 if correction is None else correction.twist))
        moves.append(correction is not None and correction.is_move)
    return np.array(poses[1:]), np.array(moves)


def test_what_rests_stands_still():
    poses, moves = run(70)
    assert not moves.any()
    steps_m = np.linalg.norm(np.diff(poses[:, :3], axis=0), axis=1)
    assert np.quantile(steps_m[5:], 0.95) < 0.0003
    assert np.abs(poses[-1] / SIGMA).max() < 1.0


def test_what_is_pushed_a_centimetre_a_frame_is_followed():
    def pushed(k):
        return np.array([0.01 * np.clip(k - 29, 0, 10), 0, 0, 0, 0, 0])

    poses, moves = run(50, pushed, gain=lambda off_m: 0.05 + 20.0 * off_m)
    off_m = np.abs(poses[:, 0] - [pushed(k)[0] for k in range(50)])
    assert off_m.max() < 0.021
    assert off_m[45:].max() < 0.003
    assert not moves[:30].any()


def test_one_bad_registration_moves_nothing():
    def bad(k):
        return np.array([0.02, 0, 0, 0, 0, 0]) * (k == 30)

    poses, moves = run(40, bad, gain=lambda off_m: 0.2 if off_m > 0.01 else 0.05)
    assert not moves.any()
    assert np.abs(poses[:, 0]).max() < 0.003


def test_what_nothing_holds_does_not_spin():
    """Turns of a symmetric thing err by more than each view knows: they count less and less."""
    quiet, _ = run(80, noise=1.0)
    spun, moves = run(80, noise=4.0)
    assert not moves[30:].any()
    turned = np.abs(np.diff(spun[40:, 3:], axis=0)).mean()
    assert turned < 4.0 * np.abs(np.diff(quiet[40:, 3:], axis=0)).mean()
