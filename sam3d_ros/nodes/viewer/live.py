# SPDX-License-Identifier: Apache-2.0
"""The running graph as moments for the page; what is done on the page goes to its services.

Callbacks only keep the newest bytes; one thread decodes those of frames that came whole. So a
viewer costs the graph what it publishes for it, whatever the viewer itself is busy with.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from rclpy.action import ActionClient
from rclpy.node import Node
from sam3d_msgs.action import Reconstruct
from sam3d_msgs.srv import AddPrompt, CorrectObject, EditObject, RemoveObject, SaveScene

from sam3d_ros.core.corrections import Correction
from sam3d_ros.core.errors import InputError, NotReadyError
from sam3d_ros.core.types import Mesh, PointPrompt, Prompt, Scene
from sam3d_ros.messages.frames import decode_frame
from sam3d_ros.messages.prompts import prompt_message
from sam3d_ros.messages.results.instances import tracks_from
from sam3d_ros.messages.results.people import people_from
from sam3d_ros.messages.topics import (
    DETECTIONS,
    NAMESPACE,
    OBJECTS,
    PEOPLE,
    VIEW,
    VIEW_INSTANCES,
    absolute,
)
from sam3d_ros.messages.types import ClassTypes, import_message
from sam3d_ros.messages.typestore import typestore
from sam3d_ros.nodes.links import stamp_of
from sam3d_ros.nodes.requests import call
from sam3d_ros.ros.qos import profile
from sam3d_ros.ros.spinning import own_spun_node
from sam3d_ros.ros.transport import use_large_segments
from sam3d_ros.session.result import NOBODY
from sam3d_ros.viewer.moments import Moment, Timeline, view_of
from sam3d_ros.viewer.results import placed, scene_of
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

LISTENED = (VIEW, VIEW_INSTANCES, OBJECTS, DETECTIONS, PEOPLE)
KEPT = 12
"""Messages of a topic that wait for those of the same frame."""
ANSWER_S = 60.0
REBUILD_S = 300.0


class LiveGraph:
    """Listens to a graph until closed.

    :param namespace: of the graph.
    """

    can = frozenset({PROMPT, TEXT, CORRECT, EDIT, REMOVE, REBUILD, SAVE})
    is_live = True

    def __init__(self, namespace: str = NAMESPACE) -> None:
        use_large_segments()
        self._stack = ExitStack()
        name = f'viewer_{id(self) % 100_000}'
        self._node = self._stack.enter_context(
            own_spun_node(lambda context: Node(name, context=context))
        )
        namespace = absolute(namespace)
        self.timeline = Timeline()
        self._namespace = namespace
        self._kept: dict[str, OrderedDict[int, bytes]] = {
            topic.name: OrderedDict() for topic in LISTENED
        }
        self._lock = threading.Lock()
        self._came = threading.Event()
        self._closing = threading.Event()
        self._meshes: dict[str, Mesh] = {}
        self._scene: Scene | None = None
        self._shown_ns = -1
        self._steps: dict[str, int] = {}
        for topic in LISTENED:
            self._node.create_subscription(
                import_message(topic.type),
                topic.resolve(namespace),
                partial(self._take, topic.name),
                profile(topic.quality),
                raw=True,
            )
        self._clients = {
            kind: self._node.create_client(kind, f'{namespace}/{name}')
            for kind, name in (
                (AddPrompt, 'segmentation/add_prompt'),
                (CorrectObject, 'scene/correct'),
                (EditObject, 'scene/edit'),
                (RemoveObject, 'scene/remove'),
                (SaveScene, 'scene/save'),
            )
        }
        self._rebuild = ActionClient(
            self._node, Reconstruct, f'{namespace}/reconstruction/reconstruct'
        )
        self._thread = threading.Thread(target=self._work, name='live', daemon=True)
        self._thread.start()

    def status(self) -> str:
        """Return whether the graph is there."""
        if not self._node.count_publishers(DETECTIONS.resolve(self._namespace)):
            return f'no graph in {self._namespace}: start one by "sam3d up"'
        return 'live' if len(self.timeline) else 'the graph is there; no frame yet'

    def prompt(self, prompt: Prompt | Correction, stamp_ns: int) -> Reply:
        """Look for something from now on, or correct it; see :class:`Source`."""
        about: dict[str, Any] = {}
        if isinstance(prompt, Correction):
            said: Prompt = PointPrompt(prompt.points_px, prompt.labels)
            about = {
                'corrects': prompt.number, 'choice': prompt.choice, 'apart': prompt.apart,
            }  # fmt: skip
        else:
            said = prompt
        message = prompt_message(ClassTypes(), said, stamp_ns)
        answer = self._call(AddPrompt, prompt=message, **about)
        until_s = time.monotonic() + ANSWER_S
        while answer.number and not answer.masks and time.monotonic() < until_s:
            answer = self._call(AddPrompt, corrects=answer.number)
        ids = tuple(map(int, answer.track_ids))
        sentence = told(ids) or str(answer.message)
        return Reply(sentence, ids, answer.number, tuple(answer.levels), answer.chosen)

    def correct(self, object_id: int, prompt: Prompt, stamp_ns: int) -> str:
        """Say which surface an object is; see :class:`Source`."""
        message = prompt_message(ClassTypes(), prompt, stamp_ns)
        return str(self._call(CorrectObject, id=str(object_id), prompt=message).message)

    def edit(self, object_id: int, label: str, locked: bool) -> str:
        """Name an object, and lock or unlock it."""
        answer = self._call(EditObject, id=str(object_id), label=label, locked=locked)
        return str(answer.message)

    def remove(self, object_id: int) -> str:
        """Forget an object."""
        return str(self._call(RemoveObject, id=str(object_id)).message)

    def rebuild(self, object_id: int) -> str:
        """Make the shape of an object again."""
        if not self._rebuild.wait_for_server(timeout_sec=2.0):
            raise NotReadyError('nobody makes shapes again', wanted='the node "objects"')
        goal = Reconstruct.Goal(ids=[str(object_id)])
        handle = self._result(self._rebuild.send_goal_async(goal), ANSWER_S)
        if not handle.accepted:
            raise InputError(f'object {object_id} cannot be made again now')
        result = self._result(handle.get_result_async(), REBUILD_S).result
        if not result.success:
            raise InputError(str(result.message))
        return f'object {object_id} has a new shape'

    def save(self, folder: Path) -> str:
        """Have the graph write its scene, on the machine where it runs."""
        return str(self._call(SaveScene, path=str(folder.absolute())).message)

    def close(self) -> None:
        """Stop listening."""
        self._closing.set()
        self._came.set()
        self._thread.join(5.0)
        self._stack.close()

    def _call(self, kind: Any, **fields: Any) -> Any:
        return call(self._clients[kind], kind.Request(**fields), ANSWER_S)

    @staticmethod
    def _result(future: Any, timeout_s: float) -> Any:
        done = threading.Event()
        future.add_done_callback(lambda _: done.set())
        if not done.wait(timeout_s):
            raise NotReadyError(f'no answer in {timeout_s:.0f} s')
        return future.result()

    def _take(self, name: str, data: bytes) -> None:
        with self._lock:
            kept = self._kept[name]
            kept[stamp_of(data)] = data
            while len(kept) > KEPT:
                kept.popitem(last=False)
        self._came.set()

    def _work(self) -> None:
        while not self._closing.is_set():
            self._came.wait(1.0)
            self._came.clear()
            try:
                self._read_list()
                self._read_frame()
            except Exception as error:  # the next message gets its chance
                self._node.get_logger().error(f'not shown: {type(error).__name__}: {error}')

    def _read_list(self) -> None:
        """Take the newest list of objects, and show it at once if no frame is coming."""
        with self._lock:
            kept = self._kept[OBJECTS.name]
            data = kept.popitem()[1] if kept else None
            kept.clear()
        if data is None:
            return
        scene = scene_of(_decoded(data, OBJECTS.type), self._meshes)
        hashes = {id(item.mesh) for item in scene.objects}
        self._meshes = {key: mesh for key, mesh in self._meshes.items() if id(mesh) in hashes}
        self._scene = scene
        if scene.stamp_ns >= self._shown_ns:
            self.timeline.put(scene)

    def _read_frame(self) -> None:
        """Show the newest frame whose masks and poses have come."""
        views, masks, poses, people = (
            self._kept[topic.name] for topic in (VIEW, VIEW_INSTANCES, DETECTIONS, PEOPLE)
        )
        with self._lock:
            whole = [ns for ns in views if ns in masks and ns in poses]
            if not whole:
                return
            stamp_ns = whole[-1]
            view, mask, pose = views[stamp_ns], masks[stamp_ns], poses[stamp_ns]
            somebody = people.get(stamp_ns)
            for kept in (views, masks, poses, people):
                for old in [ns for ns in kept if ns <= stamp_ns]:
                    del kept[old]
        tracks = tracks_from(_decoded(mask, VIEW_INSTANCES.type))
        detections = _decoded(pose, DETECTIONS.type)
        scene = placed(self._scene or Scene(stamp_ns, ''), detections)
        seen = NOBODY if somebody is None else people_from(_decoded(somebody, PEOPLE.type))
        frame = decode_frame(view)
        # The frame has every so manieth pixel of what the masks are of.
        whole_masks = tracks.instances.items
        step = self._steps.get(frame.camera_id, 1)
        if whole_masks:
            step = round(whole_masks[0].mask.shape[1] / frame.camera.width)
            self._steps[frame.camera_id] = step
        small = tuple(replace(it, mask=it.mask[::step, ::step]) for it in whole_masks)
        tracks = replace(tracks, instances=replace(tracks.instances, items=small))
        self.timeline.add(Moment(stamp_ns, scene, seen, view_of(frame, tracks, step)))
        self._shown_ns = stamp_ns


def _decoded(data: bytes, kind: str) -> Any:
    return typestore().deserialize_cdr(data, kind)
