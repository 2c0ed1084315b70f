# SPDX-License-Identifier: Apache-2.0
"""What ``sam3d process``, ``demo`` and ``segment3d`` have written, and the images it was made of.

Poses, masks and people of each frame come from the result recording, images and pointmaps from
the recording that was processed, as long as it lies where it lay then.
"""

from __future__ import annotations

import json
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sam3d_ros.bags.recording import RawMessage, Recording
from sam3d_ros.core.config import build
from sam3d_ros.core.corrections import Correction
from sam3d_ros.core.errors import InputError, NotFoundError, PromptError, Sam3dError
from sam3d_ros.core.people import People
from sam3d_ros.core.types import (
    Frame,
    Instances,
    Mesh,
    ObjectState,
    Prompt,
    Scene,
    SceneObject,
    TextPrompt,
    Tracks,
)
from sam3d_ros.export.scene_files import read_scene, write_scene
from sam3d_ros.export.scene_json import FILE as SCENE_JSON
from sam3d_ros.geometry.shapes.gaussians import decode_gaussians
from sam3d_ros.language.grounding import find_present
from sam3d_ros.messages.headers import covariance_matrix, nanoseconds, pose_matrix
from sam3d_ros.messages.results.instances import tracks_from
from sam3d_ros.messages.results.people import people_from
from sam3d_ros.messages.results.scene import object_from
from sam3d_ros.messages.topics import DETECTIONS, INSTANCES, OBJECTS, PEOPLE
from sam3d_ros.pipeline.cameras import in_stamp_order, read_cameras
from sam3d_ros.pipeline.frames import BadFrame, overrides_of
from sam3d_ros.session.config import config_kind
from sam3d_ros.session.result import NOBODY
from sam3d_ros.viewer.moments import Moment, Timeline, view_of
from sam3d_ros.viewer.sources import EDIT, REMOVE, SAVE, TEXT, Reply

RESULT, REPORT, GAUSSIANS = 'result', 'report.json', 'object_gaussians.ply'
RESULT_FILES = (SCENE_JSON, RESULT, GAUSSIANS)
"""A folder of results has one of these."""
DEMO_RECORDING = Path('world') / 'recording'
"""Where the demo leaves what it made up, below its folder."""
READ_ONLY = 'a result is finished: it can be searched, renamed, locked, removed from and saved'
OPEN = 'Open the recording itself: "sam3d view RECORDING".'


class ResultFolder:
    """A finished result; objects may be found, named, locked, removed and saved, nothing else.

    :param folder: with scene.json, a result recording, or Gaussians.
    :param recording: that was processed; None = the one that the report names.
    :raises InputError: when there is no result in the folder.
    """

    can = frozenset({TEXT, EDIT, REMOVE, SAVE})
    is_live = False

    def __init__(self, folder: Path, recording: Path | None = None) -> None:
        self.timeline = Timeline()
        file = folder / GAUSSIANS
        self.splats = decode_gaussians(file.read_bytes()) if file.is_file() else None
        self._report: dict[str, Any] = {}
        if (folder / REPORT).is_file():
            self._report = json.loads((folder / REPORT).read_text())
        known = read_scene(folder) if (folder / SCENE_JSON).is_file() else None
        messages = folder / RESULT
        if known is None and not messages.is_dir() and self.splats is None:
            raise InputError(
                f'{folder} holds no result',
                wanted=f'a folder with {SCENE_JSON}, {RESULT}/ or {GAUSSIANS}, or a recording',
                remedy='"sam3d process RECORDING --out DIR" and "sam3d demo" make such folders.',
            )
        named = self._report.get('recording')
        made_of = recording or (Path(named) if named else folder / DEMO_RECORDING)
        self._status = 'reading'
        self._edits: dict[int, tuple[str, bool] | None] = {}
        self._closing = threading.Event()
        self._end = known
        if not messages.is_dir():
            scene = known or Scene(0, '')
            self.timeline.add(Moment(scene.stamp_ns, scene))
        self._thread = threading.Thread(
            target=self._read, args=(messages, made_of), name='results', daemon=True
        )
        self._thread.start()

    def status(self) -> str:
        """Return what was read, or what is missing."""
        return self._status

    def prompt(self, prompt: Prompt | Correction, stamp_ns: int) -> Reply:
        """Say which of the objects at the end a phrase means; refuse pixels.

        :raises PromptError: when it means none, or cannot be understood.
        """
        if not isinstance(prompt, TextPrompt):
            raise PromptError(READ_ONLY, remedy=OPEN)
        answer = find_present(self.edited(self._end or self._last().scene), prompt.text)
        sentences = [f'object {item.id}: {item.why}' for item in answer.objects]
        return Reply('; '.join(sentences), tuple(item.id for item in answer.objects))

    def correct(self, object_id: int, prompt: Prompt, stamp_ns: int) -> str:
        """Refuse: nobody looks into images here."""
        raise PromptError(READ_ONLY, remedy=OPEN)

    def rebuild(self, object_id: int) -> str:
        """Refuse: nobody completes shapes here."""
        raise InputError(READ_ONLY, remedy=OPEN)

    def edit(self, object_id: int, label: str, locked: bool) -> str:
        """Name an object, and lock or unlock it, in what is shown and saved."""
        self._require(object_id)
        self._edits[object_id] = (label, locked)
        self._show_edits()
        return f'object {object_id} is "{label}"' + ', locked' * locked

    def remove(self, object_id: int) -> str:
        """Leave an object out of what is shown and saved."""
        if self._require(object_id).locked:
            raise InputError(f'object {object_id} is locked', remedy='Unlock it first.')
        self._edits[object_id] = None
        self._show_edits()
        return f'object {object_id} is removed; the files are as they were until you save'

    def save(self, folder: Path) -> str:
        """Write the scene of the last moment."""
        scene = self.edited(self._last().scene)
        write_scene(scene, folder)
        return f'{len(scene.objects)} objects in {folder}'

    def edited(self, scene: Scene) -> Scene:
        """Return a scene with the names, locks and removals that were made here."""
        kept = []
        for item in scene.objects:
            if item.id not in self._edits:
                kept.append(item)
            elif (edit := self._edits[item.id]) is not None:
                kept.append(replace(item, label=edit[0], locked=edit[1]))
        return replace(scene, objects=tuple(kept))

    def close(self) -> None:
        """End reading."""
        self._closing.set()
        self._thread.join(5.0)

    def _last(self) -> Moment:
        moment = self.timeline.at(-1)
        if moment is None:
            raise NotFoundError('nothing was read yet', wanted='a scene')
        return moment

    def _require(self, object_id: int) -> SceneObject:
        for item in self.edited(self._last().scene).objects:
            if item.id == object_id:
                return item
        raise NotFoundError(f'no object {object_id}')

    def _show_edits(self) -> None:
        self.timeline.changes += 1

    def _read(self, messages: Path, made_of: Path) -> None:
        try:
            told = told_by(messages) if messages.is_dir() else {}
        except (Sam3dError, AttributeError) as error:
            # A field that is missing: another version has written the messages.
            self._status = f'only the scene at the end: {messages} cannot be read ({error})'
            if self._end is not None:
                self.timeline.add(Moment(self._end.stamp_ns, self._end))
            return
        if not told:
            self._status = 'a saved scene' if self._end is not None else 'Gaussians of one object'
            return
        try:
            moments = self._with_images(told, made_of)
            first = next(moments)
        except (Sam3dError, OSError, StopIteration) as error:
            reason = f' ({error})' if str(error) else ''
            self._status = f'without images: {made_of} cannot be read{reason}'
            moments = _alone(told)
            first = next(moments)
        else:
            self._status = f'{len(told)} frames'
        self.timeline.add(first)
        for moment in moments:
            if self._closing.is_set():
                return
            self.timeline.add(moment)
        last = self.timeline.at(-1)
        if self._end is not None and last is not None:
            self.timeline.put(replace(self._end, stamp_ns=last.stamp_ns))

    def _with_images(self, told: Mapping[int, Told], made_of: Path) -> Iterator[Moment]:
        """Yield the frames that the result tells of, with what the cameras saw."""
        config = build(config_kind(), self._report.get('config', {})).pointmaps
        cameras = self._report.get('cameras') or {'': self._report}
        topics: dict[str, str] = cameras[''].get('topics', {}) if '' in cameras else {}
        with Recording(made_of) as recording:
            overrides = overrides_of(recording, config, **topics)
            readers = read_cameras(recording, list(cameras), config, overrides=overrides)
            for frame in in_stamp_order(readers):
                if isinstance(frame, BadFrame) or frame.stamp_ns not in told:
                    continue
                it = told[frame.stamp_ns]
                yield Moment(frame.stamp_ns, it.scene, it.people, view_of(frame, it.tracks(frame)))


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What a result recording tells of one stamp; masks are decoded when asked for.

    :param scene: all objects, where they were then.
    :param people: everybody.
    :param masks: messages with the masks of each camera.
    :param decode: makes messages of them.
    """

    scene: Scene
    people: People
    masks: Sequence[RawMessage]
    decode: Callable[[RawMessage], Any]

    def tracks(self, frame: Frame) -> Tracks:
        """Return the tracks with their masks in a frame of this stamp."""
        for raw in self.masks:
            message = self.decode(raw)
            if message.header.frame_id == frame.frame_id:
                return tracks_from(message)
        return Tracks(self.scene.stamp_ns, Instances(self.scene.stamp_ns))


def told_by(path: Path) -> dict[int, Told]:
    """Return what a result recording tells, by stamp.

    :raises RecordingError: when it cannot be read.
    """
    wanted = {topic.resolve(): topic for topic in (OBJECTS, DETECTIONS, INSTANCES, PEOPLE)}
    told: dict[int, Told] = {}
    masks: dict[int, list[RawMessage]] = {}
    people: dict[int, Any] = {}
    lists: list[Scene] = []
    poses: dict[int, Any] = {}
    meshes: dict[str, Mesh] = {}
    with Recording(path) as recording:
        for raw in recording.messages(wanted):
            topic = wanted[raw.topic]
            stamp_ns = recording.stamp_of(raw)
            if topic is INSTANCES:
                masks.setdefault(stamp_ns, []).append(raw)
            elif topic is PEOPLE:
                people[stamp_ns] = people_from(recording.decode(raw))
            elif topic is DETECTIONS:
                poses[stamp_ns] = recording.decode(raw)
            else:
                lists.append(scene_of(recording.decode(raw), meshes))
        lists.sort(key=lambda scene: scene.stamp_ns)
        for stamp_ns in sorted(poses):
            before = bisect_right(lists, stamp_ns, key=lambda scene: scene.stamp_ns)
            scene = lists[before - 1] if before else Scene(stamp_ns, '')
            told[stamp_ns] = Told(
                placed(scene, poses[stamp_ns]),
                people.get(stamp_ns, NOBODY),
                masks.get(stamp_ns, ()),
                recording.decode,
            )
    return told


def scene_of(message: Any, meshes: dict[str, Mesh]) -> Scene:
    """Return the scene of a SceneObjectArray; a mesh that is known already is that very mesh.

    :param message: a SceneObjectArray.
    :param meshes: by hash; is added to.
    """
    objects = []
    for item in message.objects:
        known = meshes.get(item.mesh_hash)
        if known is not None:
            item.mesh.triangles, item.mesh.vertices = [], []
            item.vertex_colors = item.face_labels = np.zeros(0, np.uint8)
            item.face_confidence = np.zeros(0, np.float32)
        made = object_from(item)
        meshes.setdefault(item.mesh_hash, made.mesh)
        objects.append(replace(made, mesh=meshes[item.mesh_hash]))
    stamp_ns = nanoseconds(message.header.stamp)
    return Scene(stamp_ns, str(message.header.frame_id), tuple(objects))


def placed(scene: Scene, detections: Any) -> Scene:
    """Return a scene whose visible objects are where a Detection3DArray says.

    :param scene: the last list of objects.
    :param detections: of a later frame.
    """
    poses = {item.id: item.results[0].pose for item in detections.detections if item.results}
    return replace(
        scene,
        stamp_ns=nanoseconds(detections.header.stamp),
        fixed_frame=str(detections.header.frame_id),
        objects=tuple(
            replace(
                item,
                T_fixed_obj=pose_matrix(poses[str(item.id)].pose),
                covariance=covariance_matrix(poses[str(item.id)]),
                state=ObjectState.VISIBLE,
            )
            if str(item.id) in poses
            else item
            for item in scene.objects
        ),
    )


def _alone(told: Mapping[int, Told]) -> Iterator[Moment]:
    for stamp_ns, it in told.items():
        yield Moment(stamp_ns, it.scene, it.people)
