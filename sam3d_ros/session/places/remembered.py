# SPDX-License-Identifier: Apache-2.0
"""What a session knew of a place, until it is known again where that is.

A session that is resumed where own odometry or the fixed frame is another one, or whose odometry
was lost and has begun anew, cannot say where its objects are. They wait, and come back with their
ids as soon as three or more of them are recognised among what is seen
(:mod:`sam3d_ros.session.places.recognition`). So do those of a few places before, which were not
recognised either.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.state import from_tree, to_tree
from sam3d_ros.core.types import ObjectState, Scene
from sam3d_ros.session.places.recognition import LEAST_OBJECTS, recognise

FIRST_NS, LONGEST_NS = 500_000_000, 30_000_000_000
"""Scenes are looked for so often; each time without success, after twice the time."""
MOST_SCENES = 4
"""The latest of what is not recognised that wait."""


class Remembered:
    """Scenes that wait to be recognised.

    :param load: takes over a scene that can be recognised; returns how it was.
    :param say: takes a sentence when it is recognised, and why it is not, once for each reason.
    """

    def __init__(self, load: Callable[[Scene], str], say: Callable[[str], object]) -> None:
        self._load = load
        self._say = say
        self.clear()

    def clear(self) -> None:
        """Wait for nothing."""
        self._scenes: list[Scene] = []
        self._known: set[int] = set()
        self._wait_ns = FIRST_NS
        self._next_ns = 0
        self._said: set[str] = set()

    def keep(self, scene: Scene) -> None:
        """Wait until a scene is recognised, unless it has too few objects for that.

        :param scene: what was known.
        """
        if len(scene.objects) >= LEAST_OBJECTS:
            scenes = [*self._scenes, scene][-MOST_SCENES:]
            self.clear()
            self._scenes = scenes

    def look(self, now: Scene) -> None:
        """Load the latest scene that is recognised.

        :param now: what is known after a frame.
        """
        known = {item.id for item in now.objects if item.state != ObjectState.TENTATIVE}
        if not self._scenes or len(known) < LEAST_OBJECTS:
            return
        if known != self._known:
            self._known, self._wait_ns = known, FIRST_NS
            self._next_ns = min(self._next_ns, now.stamp_ns + FIRST_NS)
        if now.stamp_ns < self._next_ns:
            return
        self._next_ns = now.stamp_ns + self._wait_ns
        self._wait_ns = min(2 * self._wait_ns, LONGEST_NS)
        for scene in reversed(self._scenes):
            try:
                recognise(scene, now)
            except InputError as error:
                if error.seen not in self._said:
                    self._said.add(error.seen)
                    self._say(f'what was known before is not recognised yet: {error}')
            else:
                self._scenes.remove(scene)
                self._say(f'what was known before is {self._load(scene)}')
                return

    def state(self) -> Any:
        """Return what is waited for, as a tree of :mod:`core.state`."""
        return to_tree(self._scenes)

    def restore(self, state: Any) -> None:
        """Wait for what :meth:`state` returned.

        :raises InputError: when it is of another version.
        """
        self.clear()
        self._scenes = from_tree(list[Scene], state)
