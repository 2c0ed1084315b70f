# SPDX-License-Identifier: Apache-2.0
"""The worker with a stand-in of the official call signature: answers, errors, ends."""

import os
import signal
import socket
import threading
from time import monotonic

import numpy as np
import pytest

from sam3d_ros.core.errors import BackendError
from sam3d_ros.core.workers.process import CancelledError
from sam3d_ros.core.workers.protocol import Kind, Message, send
from sam3d_ros.reconstruction.completion.completion_worker import until_cancelled
from sam3d_ros.reconstruction.completion.lane import CompletionHere
from sam3d_ros.reconstruction.config import ReconstructionConfig
from sam3d_ros.reconstruction.generators.client import GeneratorWorker
from sam3d_ros.reconstruction.generators.config import Sam3dObjectsConfig


@pytest.fixture
def worker(official):
    made = []

    def make(settings=None, **changes):
        own = official(settings, **changes).sam3d_objects
        arguments = [
            '--generator=sam3d_objects',
            f'--home={own.notebook}',
            f'--weights={own.pipeline}',
        ]
        made.append(
            GeneratorWorker(
                'SAM 3D Objects',
                'sam3d_objects',
                own.python,
                arguments,
                timeout_s=own.timeout_s,
                stays=own.memory == 'resident',
            )
        )
        return made[-1]

    yield make
    for item in made:
        item.close()


@pytest.fixture(scope='module')
def request_arrays():
    mask = np.zeros((6, 8), bool)
    mask[1:4, 2:6] = True
    pointmap = np.random.default_rng(0).uniform(0.5, 1, (6, 8, 3)).astype(np.float32)
    pointmap[2, 3] = np.nan
    return {'image': np.zeros((6, 8, 3), np.uint8), 'mask': mask, 'pointmap': pointmap}


@pytest.mark.parametrize('memory', ['resident', 'on_demand'])
def test_one_answer_comes_for_each_seed(worker, official, tmp_path, request_arrays, memory):
    client = worker({'seed': 7}, memory=memory)
    for _ in range(2):
        others, right = client.generate(request_arrays, [11, 7])
        assert others['vertices'].shape == right['vertices'].shape == (512, 3)
        np.testing.assert_allclose(others['scale'], 1.2 * right['scale'])
        assert right['colors'].shape == (512, 3) and right['rotation'].tolist() == [1, 0, 0, 0]
        assert right['splats'].tobytes().startswith(b'ply')
    loads = (tmp_path / 'pipeline.loads').read_text().count('loaded')
    assert loads == (1 if memory == 'resident' else 2)


@pytest.mark.parametrize(
    ('behaviour', 'said'),
    [
        ('fail', 'ValueError: no such luck'),
        ('out_of_memory', 'OutOfMemoryError: CUDA out of memory'),
    ],
)
def test_failure_is_told_and_the_models_stay(worker, tmp_path, request_arrays, behaviour, said):
    client = worker({'behaviour': behaviour})
    for _ in range(2):
        with pytest.raises(BackendError, match=said):
            client.generate(request_arrays, [0])
    assert (tmp_path / 'pipeline.loads').read_text().count('loaded') == 1


def test_death_is_told_and_the_next_request_starts_anew(worker, official, request_arrays):
    client = worker({'behaviour': 'die'})
    with pytest.raises(BackendError, match=r'gone \(exit code 7\)'):
        client.generate(request_arrays, [0])
    official({})
    assert len(client.generate(request_arrays, [0])) == 1


def test_killed_worker_is_replaced(worker, request_arrays):
    client = worker()
    client.generate(request_arrays, [0])
    os.kill(client.pid, signal.SIGKILL)
    os.waitid(os.P_PID, client.pid, os.WEXITED | os.WNOWAIT)
    assert len(client.generate(request_arrays, [0])) == 1


def test_a_cancel_is_obeyed_at_once_and_the_models_stay(worker, tmp_path, request_arrays):
    client = worker({'behaviour': 'hang', 'hang_s': 1.5})
    threading.Timer(1.0, client.cancel).start()
    with pytest.raises(CancelledError):
        client.generate(request_arrays, [0])
    begin, pid = monotonic(), client.pid
    # What was cancelled goes on unheard; the next request has to wait for it, not to load.
    assert len(client.generate(request_arrays, [0])) == 1
    assert monotonic() - begin > 1.0
    assert client.pid == pid
    assert (tmp_path / 'pipeline.loads').read_text().count('loaded') == 1


def test_too_long_is_said(worker, request_arrays):
    client = worker({'behaviour': 'hang'}, timeout_s=1.5)
    with pytest.raises(BackendError, match=r'did not answer within 1\.5 s'):
        client.generate(request_arrays, [0])


def test_missing_interpreter_is_said(worker, request_arrays):
    with pytest.raises(BackendError, match='cannot be started'):
        worker(python='/nowhere/python').generate(request_arrays, [0])


@pytest.mark.parametrize('kind', [Kind.CANCEL, Kind.QUIT, None])
def test_a_cancel_is_told_until_the_work_ends_and_an_end_is_one(kind):
    client, worker = socket.socketpair()
    told = threading.Semaphore(0)
    with client, worker, until_cancelled(worker, told.release):
        assert not told.acquire(blocking=False)
        if kind is None:
            client.close()
        else:
            send(client, Message(kind))
        assert told.acquire(timeout=10) and told.acquire(timeout=10)


def test_the_slowest_generator_in_use_says_how_long_one_may_take():
    config = ReconstructionConfig(
        backend='triposr',
        without_depth='sam3d_objects',
        sam3d_objects=Sam3dObjectsConfig(seeds=8, timeout_s=100.0),
    )
    assert config.generation_s == 800.0
    assert ReconstructionConfig().generation_s == 0.0


def test_a_backend_for_things_without_depth_that_is_not_there_is_told_at_the_start():
    with pytest.raises(BackendError, match='geometrical'):
        CompletionHere(ReconstructionConfig(backend='geometric', without_depth='geometrical'))
