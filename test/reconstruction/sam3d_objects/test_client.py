# SPDX-License-Identifier: Apache-2.0
"""The worker with a stand-in of the official call signature: answers, errors, ends."""

import dataclasses
import os
import signal
import sys
import threading
from time import monotonic

import numpy as np
import pytest

from sam3d_ros.core.errors import BackendError
from sam3d_ros.core.workers.process import CancelledError
from sam3d_ros.reconstruction.sam3d_objects.client import OfficialRequest, OfficialWorker
from sam3d_ros.reconstruction.sam3d_objects.config import Sam3dObjectsConfig

STAND_IN = '''
import os, threading
from types import SimpleNamespace
import numpy as np

class Inference:
    """The official call signature; the mesh is the masked points themselves."""
    def __init__(self, config_file, compile=False):
        self.behaviour = open(config_file).read().strip()

    def __call__(self, image, mask, seed=None, pointmap=None):
        if self.behaviour == 'fail':
            raise ValueError('no such luck')
        if self.behaviour == 'die':
            os._exit(7)
        if self.behaviour == 'hang':
            threading.Event().wait()
        points = np.asarray(pointmap)[mask]
        points = points[np.isfinite(points[:, 2])]
        colors = np.full((len(points), 4), seed, np.uint8)
        mesh = SimpleNamespace(
            vertices=points, faces=np.array([[0, 1, 2]]),
            visual=SimpleNamespace(vertex_colors=colors))
        return {'glb': mesh, 'rotation': np.array([[1.0, 0, 0, 0]]),
                'translation': np.array([[0.1, 0.2, 0.9]]), 'scale': np.full((1, 3), 0.3)}
'''


@pytest.fixture
def settings_for(tmp_path):
    (tmp_path / 'inference.py').write_text(STAND_IN)

    def make(behaviour='', **changes):
        pipeline = tmp_path / 'pipeline.yaml'
        pipeline.write_text(behaviour)
        config = Sam3dObjectsConfig(
            python=sys.executable, notebook=str(tmp_path), pipeline=str(pipeline), timeout_s=20.0
        )
        return dataclasses.replace(config, **changes)

    return make


@pytest.fixture
def worker(settings_for):
    made = []

    def make(*args, **changes):
        made.append(OfficialWorker(settings_for(*args, **changes)))
        return made[-1]

    yield make
    for item in made:
        item.close()


def request(offset=0.0):
    mask = np.zeros((6, 8), bool)
    mask[1:4, 2:6] = True
    pointmap = np.arange(6 * 8 * 3, dtype=np.float32).reshape(6, 8, 3) + np.float32(offset)
    pointmap[2, 3] = np.nan
    return OfficialRequest(np.zeros((6, 8, 3), np.uint8), mask, pointmap)


def never():
    return False


@pytest.mark.parametrize('memory', ['resident', 'on_demand'])
def test_batch_comes_back_in_order(worker, memory):
    client = worker(memory=memory)
    requests = [request(), request(1000.0)]
    for _ in range(2):
        results = client.reconstruct(requests, 7, never)
        for asked, result in zip(requests, results, strict=True):
            expected = asked.pointmap[asked.mask]
            np.testing.assert_array_equal(result.vertices, expected[np.isfinite(expected[:, 2])])
            np.testing.assert_array_equal(result.translation, [0.1, 0.2, 0.9])
            assert result.colors.shape == (11, 3)
            assert (result.colors == 7).all()


def test_failure_is_told_and_the_worker_lives_on(worker, settings_for):
    client = worker('fail')
    for _ in range(2):
        with pytest.raises(BackendError, match='ValueError: no such luck'):
            client.reconstruct([request()], 0, never)


def test_death_is_told_and_the_next_request_starts_anew(worker, settings_for):
    client = worker('die')
    with pytest.raises(BackendError, match=r'gone \(exit code 7\)'):
        client.reconstruct([request()], 0, never)
    settings_for('')
    assert len(client.reconstruct([request()], 0, never)) == 1


def test_killed_worker_is_replaced(worker):
    client = worker()
    client.reconstruct([request()], 0, never)
    os.kill(client.pid, signal.SIGKILL)
    os.waitid(os.P_PID, client.pid, os.WEXITED | os.WNOWAIT)
    assert len(client.reconstruct([request()], 0, never)) == 1


def test_cancel_of_a_hanging_call_takes_effect_within_half_a_second(worker):
    client = worker('hang')
    called = threading.Event()
    threading.Timer(2.0, called.set).start()
    with pytest.raises(CancelledError):
        client.reconstruct([request()], 0, called.is_set)
    assert called.is_set()
    start = monotonic()
    with pytest.raises(CancelledError):
        client.reconstruct([request()], 0, lambda: True)
    assert monotonic() - start < 5.0


def test_too_long_is_said(worker):
    client = worker('hang', timeout_s=1.5)
    with pytest.raises(BackendError, match=r'did not answer within 1\.5 s'):
        client.reconstruct([request()], 0, never)


def test_missing_interpreter_is_said(worker):
    with pytest.raises(BackendError, match='cannot be started'):
        worker(python='/nowhere/python').reconstruct([request()], 0, never)
