# SPDX-License-Identifier: Apache-2.0
"""A recording that is processed while the page shows it; what is done goes to its session."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from sam3d_ros.core.corrections import Correction
from sam3d_ros.core.errors import NotReadyError, RecordingError, Sam3dError
from sam3d_ros.core.types import Frame, Prompt, TextPrompt
from sam3d_ros.export.scene_files import write_scene
from sam3d_ros.pipeline.cameras import in_stamp_order
from sam3d_ros.pipeline.frames import BadFrame, FrameReader
from sam3d_ros.session.prompts.standing import serves_concepts
from sam3d_ros.session.session import Session
from sam3d_ros.viewer.moments import Moment, Timeline, view_of
from sam3d_ros.viewer.sources import (
    CORRECT,
    EDIT,
    PROMPT,
    REBUILD,
    REMOVE,
    SAVE,
    TEXT,
    Reply,
    told,
)

LOG = logging.getLogger(__name__)
LOOKS = 3
"""After the last frame, what is asked for is looked for so often in that frame."""
ANSWER_S = 120.0

Answer = TypeVar('Answer')


class ProcessedRecording:
    """Steps a session through a recording in a thread of its own; what is asked comes between.

    :param readers: of the recording, by camera; their frames come in stamp order.
    :param session: takes them; closed with this.
    """

    can = frozenset({PROMPT, TEXT, CORRECT, EDIT, REMOVE, REBUILD, SAVE})
    is_live = False

    def __init__(self, readers: Mapping[str, FrameReader], session: Session) -> None:
        self.timeline = Timeline()
        self._readers = readers
        self._session = session
        self._total = sum(map(len, readers.values()))
        self._done = 0
        self._trouble = ''
        self._last: Frame | None = None
        self._asked: queue.Queue[Callable[[], None] | None] = queue.Queue()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name='session', daemon=True)
        self._thread.start()

    @property
    def is_done(self) -> bool:
        """Whether every frame was taken."""
        return self._done >= self._total

    def status(self) -> str:
        """Return how far it is, and what was left out last."""
        if not self.is_done:
            return f'processing frame {self._done + 1} of {self._total}'
        return self._trouble or f'all {self._total} frames are processed'

    def prompt(self, prompt: Prompt | Correction, stamp_ns: int) -> Reply:
        """Look for something from now on, or correct it; see :class:`Source`."""
        # A phrase means objects that are known, unless the segmenter reads it itself.
        looks = not isinstance(prompt, TextPrompt) or serves_concepts(self._session.segmenter)
        answer = self._ask(lambda: self._session.prompt(prompt, stamp_ns), looks=looks)
        sentence = told(answer.ids) or 'a new object'
        return Reply(sentence, answer.ids, answer.number, answer.levels, answer.chosen)

    def correct(self, object_id: int, prompt: Prompt, stamp_ns: int) -> str:
        """Say which surface an object is; see :class:`Source`."""
        self._ask(lambda: self._session.correct(object_id, prompt, stamp_ns), looks=True)
        return f'object {object_id} is what lies there'

    def edit(self, object_id: int, label: str, locked: bool) -> str:
        """Name an object, and lock or unlock it."""
        self._ask(lambda: self._session.edit(object_id, label, locked))
        return f'object {object_id} is "{label}"' + ', locked' * locked

    def remove(self, object_id: int) -> str:
        """Forget an object."""
        self._ask(lambda: self._session.remove(object_id))
        return f'object {object_id} is removed'

    def rebuild(self, object_id: int) -> str:
        """Make the shape of an object again."""

        def rebuild() -> None:
            self._session.deliver(self._session.rebuild(object_id).result(ANSWER_S))

        self._ask(rebuild)
        return f'object {object_id} has a new shape'

    def save(self, folder: Path) -> str:
        """Write the scene with its textures."""
        scene = self._ask(self._session.scene)
        if scene is None:
            raise NotReadyError('no frame yet', wanted='a scene')
        write_scene(self._ask(lambda: self._session.textured(scene)), folder)
        return f'{len(scene.objects)} objects in {folder}'

    def close(self) -> None:
        """End the thread after the frame it is at."""
        self._closing.set()
        self._asked.put(None)
        self._thread.join(10.0)
        self._session.close()

    def _ask(self, function: Callable[[], Answer], *, looks: bool = False) -> Answer:
        """Have the session's thread do something between two frames; return what comes of it."""
        answer: Future[Answer] = Future()

        def work() -> None:
            try:
                given = function()
                for _ in range(LOOKS if looks and self.is_done else 0):
                    self._look_again()
                scene = self._session.scene()
                if scene is not None:
                    self.timeline.put(scene)
                answer.set_result(given)
            except Exception as error:
                answer.set_exception(error)

        self._asked.put(work)
        return answer.result(ANSWER_S)

    def _look_again(self) -> None:
        """Step into the last frame once more, a nanosecond later."""
        if self._last is not None:
            self._step(replace(self._last, stamp_ns=self._last.stamp_ns + 1))

    def _run(self) -> None:
        coming = in_stamp_order(self._readers)
        while not self._closing.is_set():
            try:
                # While frames come, nobody is waited for.
                asked = self._asked.get(block=self.is_done)
                if asked is not None:
                    asked()
                continue
            except queue.Empty:
                pass
            try:
                frame = next(coming)
                if isinstance(frame, BadFrame):
                    self._trouble = f'a frame was left out: {frame.reason}'
                else:
                    self._step(frame)
                self._done += 1
            except StopIteration:
                self._done = self._total
            except RecordingError as error:
                self._trouble, self._done = str(error), self._total
            except Exception as error:  # the page goes on, and says so
                if not isinstance(error, Sam3dError):
                    LOG.exception('a frame was left out')
                self._trouble = f'a frame was left out: {error}'
                self._done += 1

    def _step(self, frame: Frame) -> None:
        result = self._session.step(frame)
        self._last = frame
        view = view_of(frame, result.tracks)
        self.timeline.add(Moment(frame.stamp_ns, result.scene, result.people, view))
