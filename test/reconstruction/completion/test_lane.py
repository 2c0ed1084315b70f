# SPDX-License-Identifier: Apache-2.0
"""Completion beside the poses: the same shapes, the newest need first, deaths cost one job."""

import os
import signal
import time
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sam3d_ros.core.errors import BackendError
from sam3d_ros.core.workers.process import CancelledError
from sam3d_ros.geometry.shapes.convex import convex_parts
from sam3d_ros.geometry.transforms import inverse, transform
from sam3d_ros.reconstruction.completion.completer import Job
from sam3d_ros.reconstruction.completion.lane import CompletionHere, CompletionWorker
from sam3d_ros.reconstruction.config import ReconstructionConfig
from sam3d_ros.reconstruction.views import crop_view

CONFIG = replace(ReconstructionConfig(), backend='geometric')


WAIT_S = 60.0


@pytest.fixture(scope='module')
def view(scenes):
    frame, instances = scenes.see([scenes.Box((0.0, 0.0, 0.05), (0.07, 0.11, 0.10))], noise_seed=1)
    return crop_view(frame, instances, 0)


def job(view, track_id, backend='geometric', is_first=False):
    return Job(track_id, (view,), backend, is_first)


@pytest.fixture
def failures():
    return []


@pytest.fixture
def lane(failures):
    made = CompletionWorker(CONFIG, failures.append)
    yield made
    made.close()


def wait_for(condition, timeout_s=WAIT_S):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, 'it did not come to pass'
        time.sleep(0.01)


def collect(lane, count):
    got = []
    wait_for(lambda: got.extend(lane.finished()) or len(got) >= count)
    return got


@pytest.fixture
def held(lane, view):
    """A worker that has begun with object 1 and stands still."""
    os.kill(lane.pid, signal.SIGSTOP)
    lane.ask([job(view, 1)])
    wait_for(lambda: lane._running is not None)
    return lane.pid


def test_the_worker_makes_the_same_shape(lane, view):
    R = Rotation.from_rotvec([0.0, 0.4, 1.0]).as_matrix()
    T_ref_obj = transform(R, np.array([1.0, 2.0, 3.0]))
    lane.ask([replace(job(view, 7, is_first=True), T_ref_obj=T_ref_obj)])
    here = CompletionHere(CONFIG)
    here.ask([job(view, 7)])
    (there,), (expected,) = collect(lane, 1), here.finished()
    assert there.track_id == 7 and there.backends == ('geometric',)
    assert there.shape.score == expected.shape.score
    assert there.shape.provenance == expected.shape.provenance
    for name in ('vertices_m', 'faces', 'colors', 'face_labels', 'face_confidence'):
        np.testing.assert_array_equal(
            getattr(there.shape.mesh, name), getattr(expected.shape.mesh, name)
        )
    # Its convex parts come with it, cut along the axes of the object frame.
    in_object = there.shape.moved(inverse(T_ref_obj)).mesh
    wanted = convex_parts(in_object.vertices_m, in_object.faces)
    spans, wanted_spans = (
        [np.ptp(part.corners_m, axis=0) for part in parts] for parts in (in_object.parts, wanted)
    )
    np.testing.assert_allclose(spans, wanted_spans, atol=1e-4)
    assert lane.finished() == [] == here.finished()


def test_asking_never_waits(held, lane, view):
    begin = time.monotonic()
    lane.ask([job(view, 2), job(view, 3)])
    assert lane.finished() == []
    assert time.monotonic() - begin < 1.0


def test_first_shapes_come_first_and_then_the_newest_need(held, lane, view):
    lane.ask([job(view, 2)])
    lane.ask([job(view, 3, is_first=True)])
    lane.ask([job(view, 4)])
    lane.ask([job(view, 2)])  # replaces the first one
    os.kill(held, signal.SIGCONT)
    assert [item.track_id for item in collect(lane, 4)] == [1, 3, 2, 4]


def test_a_worker_that_dies_costs_the_job_it_was_at(held, lane, view, failures):
    lane.ask([job(view, 2)])
    os.kill(held, signal.SIGKILL)
    lost, kept = collect(lane, 2)
    assert (lost.track_id, lost.shape, lost.backends) == (1, None, ())
    assert kept.track_id == 2 and kept.shape is not None
    assert lane.pid != held
    assert ['is gone' in str(error) for error in failures] == [True]


def test_what_nobody_wants_is_dropped_and_the_worker_made_anew(held, lane, view, failures):
    lane.ask([job(view, 2), job(view, 3)])
    lane.keep([3])
    assert [item.track_id for item in collect(lane, 1)] == [3]
    assert lane.pid != held
    assert failures == []


def test_a_backend_that_is_not_there_costs_its_job(lane, view, failures):
    with pytest.raises(BackendError, match='no reconstruction backend "dreams"'):
        lane.order(job(view, 1, backend='dreams')).result(WAIT_S)
    lane.ask([job(view, 2, backend='dreams'), job(view, 3)])
    by_id = {item.track_id: item for item in collect(lane, 2)}
    assert by_id[2].shape is None and by_id[3].shape is not None
    assert len(failures) == 1


def test_a_backend_that_cannot_be_loaded_is_told_at_the_start():
    config = replace(ReconstructionConfig(), backend='sam3d_objects')
    for make in (CompletionHere, lambda config: CompletionWorker(config, print)):
        with pytest.raises(BackendError, match='backend "sam3d_objects" without python'):
            make(config)


def test_closing_ends_what_runs(held, lane, view):
    begin = time.monotonic()
    lane.close()
    assert time.monotonic() - begin < 3.0
    assert lane.pid is None
    with pytest.raises(BackendError, match='completion has ended'):
        lane.order(job(view, 1))


def test_who_waits_in_person_is_told_of_the_end(held, lane, view):
    order = lane.order(job(view, 5))
    lane.close()
    with pytest.raises(CancelledError, match='completion ended before this job'):
        order.result(WAIT_S)


def test_who_is_patient_comes_last(held, lane, view):
    patient = lane.order(job(view, 5), patient=True)
    lane.ask([job(view, 3)])
    order = lane.order(job(view, 6))
    os.kill(held, signal.SIGCONT)
    assert patient.result(WAIT_S).track_id == 5
    assert order.done()
    assert [item.track_id for item in lane.finished()] == [1, 3]


def test_an_order_that_is_cancelled_while_it_waits_costs_nothing(held, lane, view):
    first, second = lane.order(job(view, 5)), lane.order(job(view, 6))
    assert second.cancel()
    os.kill(held, signal.SIGCONT)
    assert first.result(WAIT_S).track_id == 5
    lane.ask([job(view, 3)])
    assert [item.track_id for item in collect(lane, 2)] == [1, 3]
    assert lane.pid == held


def test_an_order_that_is_cancelled_while_it_runs_is_given_up(lane, view):
    os.kill(lane.pid, signal.SIGSTOP)
    order = lane.order(job(view, 5))
    wait_for(lambda: lane._running is not None)
    assert order.cancel()
    lane.ask([job(view, 3)])
    assert [item.track_id for item in collect(lane, 1)] == [3]
