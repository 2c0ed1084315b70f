# SPDX-License-Identifier: Apache-2.0
"""Answers of a live graph to clicks: alternatives, corrections, and tickets for what is slow."""

import threading
from functools import partial

import numpy as np
import pytest
from geometry_msgs.msg import Point
from sam3d_msgs.msg import Prompt
from sam3d_msgs.srv import AddPrompt

from sam3d_ros.geometry.cameras import project
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.nodes.requests import BAD_REQUEST, NOT_FOUND

pytestmark = pytest.mark.dds

ON_SECOND = (0.05, -0.15, 0.08)


@pytest.fixture(scope='module')
def graph(ros):
    return ros.graph('/clicked')


def click_on(frame):
    """Return the pixel of a place on the second box."""
    return map(float, project(apply(inverse(frame.T_fixed_cam), ON_SECOND), frame.camera))


def test_an_answer_has_alternatives_is_corrected_and_one_of_them_chosen(
    graph, camera, objects, frames, play
):
    shown = frames(3)
    play(camera, objects, shown)
    u, v = click_on(shown[-1])
    ask = partial(graph.call, AddPrompt, 'segmentation/add_prompt')
    first = ask(prompt=points((u, v, 1)))
    assert first.success, first.message
    assert len(first.masks) == len(first.scores) == len(first.levels) >= 1
    height, width = shown[-1].depth_m.shape
    masks = [np.array(it.data).reshape(height, width) > 0 for it in first.masks]
    assert all(mask[round(v), round(u)] for mask in masks)
    assert first.levels[first.chosen] in ('whole', 'part', 'sub-part')
    again = ask(corrects=first.number)
    assert (again.number, again.levels) == (first.number, first.levels)
    rows, columns = np.nonzero(masks[first.chosen])
    off = points((float(columns[0]), float(rows[0]), 0))
    second = ask(prompt=off, corrects=first.number)
    assert second.success, second.message
    corrected = np.array(second.masks[second.chosen].data).reshape(height, width) > 0
    assert corrected[round(v), round(u)] and not corrected[rows[0], columns[0]]
    smallest = first.levels[int(np.argmin([mask.sum() for mask in masks]))]
    third = ask(prompt=points((u, v, 1)))
    chosen = ask(corrects=third.number, choice=smallest, apart=True)
    assert chosen.levels[chosen.chosen] == smallest
    for fields, code in (
        ({'corrects': 999}, NOT_FOUND),
        # The number that it would get itself: nothing waits for its own answer.
        ({'prompt': off, 'corrects': chosen.number + 1}, NOT_FOUND),
        ({'corrects': third.number, 'choice': 'half'}, BAD_REQUEST),
        ({'prompt': off, 'choice': 'part'}, BAD_REQUEST),
        ({'prompt': Prompt(type=Prompt.TEXT, text='cup'), 'corrects': third.number}, BAD_REQUEST),
    ):
        refused = ask(**fields)
        assert (refused.success, refused.code) == (False, code) and refused.message


def points(*places):
    """Return a prompt by places (u, v, label)."""
    return Prompt(
        type=Prompt.POINTS,
        points=[Point(x=u, y=v) for u, v, _ in places],
        labels=[label for *_, label in places],
    )


class Slow:
    """A segmenter that answers prompts only when it may."""

    def __init__(self, usual):
        self._usual, self.may = usual, threading.Event()

    def segment(self, frame, prompts=()):
        if prompts and threading.current_thread().name.startswith('prompts'):
            assert self.may.wait(30)
        return self._usual.segment(frame, prompts)


def test_a_slow_backend_answers_late_by_ticket_and_frames_go_on(
    graph, camera, objects, frames, play, monkeypatch
):
    monkeypatch.setattr('sam3d_ros.nodes.objects.tickets.PATIENCE_S', 0.2)
    shown = frames(3)
    play(camera, objects, shown)
    u, v = click_on(shown[-1])
    session = graph.nodes['objects']._session
    slow = session.segmenter = Slow(session.segmenter)
    try:
        ask = partial(graph.call, AddPrompt, 'segmentation/add_prompt')
        ticket = ask(prompt=points((u, v, 1)))
        assert ticket.success and ticket.number and not ticket.masks
        assert f'corrects {ticket.number} alone' in ticket.message
        assert len(play(camera, objects, frames(3)).objects) == 2, 'poses leave meanwhile'
        assert not ask(corrects=ticket.number).masks
        slow.may.set()
        answers = []
        graph.ros.until(lambda: answers.append(ask(corrects=ticket.number)) or answers[-1].masks)
        assert answers[-1].track_ids
    finally:
        slow.may.set()
        session.segmenter = slow._usual
