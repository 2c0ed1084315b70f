# SPDX-License-Identifier: Apache-2.0
"""What a session knew of a place, until it is known again where that is.

A session that is resumed where own odometry or the fixed frame is another one, or whose odometry
was lost and has begun anew, cannot say where its objects are. They wait, and come back with their
ids as soon as three or more of them are recognised among what is seen
(:mod:`sam3d_ros.session.places.recognition`), or as own odometry has found its way back into their
fixed frame. So do those of a few places before, which were not recognised either.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.state import from_tree, to_tree
from sam3d_ros.core.types import Frame, ObjectState, Scene
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

    def keep(self, scene: Scene, is_restored: bool = False) -> None:
        """Wait until a scene is recognised, or its fixed frame is back.

        :param scene: what was known.
        :param is_restored: it was saved, and nobody knows its fixed frame any more.
        """
        if len(scene.objects) >= (LEAST_OBJECTS if is_restored else 1):
            scene = replace(scene, fixed_frame='') if is_restored else scene
            scenes = [*self._scenes, scene][-MOST_SCENES:]
            self.clear()
            self._scenes = scenes

    def displace(self) -> None:
        """Wait for objects alone: no fixed frame to come is one of before, whatever its name."""
        self._scenes = [replace(scene, fixed_frame='') for scene in self._scenes]

    def is_of(self, frame: Frame) -> bool:
        """Return whether own odometry has found its way back to where a scene was."""
        return frame.pose_covariance is not None and any(
            _is_home(scene, frame.fixed_frame, frame.stamp_ns) for scene in self._scenes
        )

    def look(self, now: Scene) -> None:
        """Load scenes whose fixed frame is back, and the latest one that is recognised.

        :param now: what is known after a frame.
        """
        for scene in [s for s in self._scenes if _is_home(s, now.fixed_frame, now.stamp_ns)]:
            self._scenes.remove(scene)
            back = f'own odometry has found its way back into "{scene.fixed_frame}"'
            try:
                self._load(scene)
            except InputError as error:
                self._scenes.append(replace(scene, fixed_frame=''))
                self._say(f'{back}, but what was known there waits: {error}')
            else:
                self._say(f'{back}: what was known there is known again')
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
        for scene in reversed([s for s in self._scenes if len(s.objects) >= LEAST_OBJECTS]):
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
        self.displace()


def _is_home(scene: Scene, fixed_frame: str, stamp_ns: int) -> bool:
    """Return whether a fixed frame is that of a scene of before, and no later one of its name."""
    return scene.fixed_frame == fixed_frame != '' and scene.stamp_ns < stamp_ns
