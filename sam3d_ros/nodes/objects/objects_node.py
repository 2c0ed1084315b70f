# SPDX-License-Identifier: Apache-2.0
"""The node that holds the session: frames and prompts in, objects out to everyone."""

from __future__ import annotations

import sys
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, get_type_hints

from sam3d_msgs.srv import (
    AddPrompt,
    ClearScene,
    CorrectObject,
    EditObject,
    FindObjects,
    GetTexture,
    HoldObject,
    LoadScene,
    RemoveObject,
    SaveScene,
)

from sam3d_ros.core.corrections import Correction
from sam3d_ros.core.errors import InputError, NotFoundError, NotReadyError, PromptError
from sam3d_ros.core.registry import close, make_backend
from sam3d_ros.core.types import (
    Frame,
    Instances,
    ObjectState,
    Prompt,
    Scene,
    SceneObject,
)
from sam3d_ros.export.scene_files import read_scene, write_scene
from sam3d_ros.language.grounding import find
from sam3d_ros.messages.headers import frame_name
from sam3d_ros.messages.prompts import correction_from, prompt_from, stamp_from
from sam3d_ros.messages.results.external import external_instances, labelled_instances
from sam3d_ros.messages.results.meshes import mesh_hash
from sam3d_ros.messages.results.textures import encode_png
from sam3d_ros.messages.topics import EXTERNAL_INSTANCES, EXTERNAL_LABELS
from sam3d_ros.messages.types import ClassTypes, import_message
from sam3d_ros.nodes.bus import Bus
from sam3d_ros.nodes.links import FRAMES, Arrival, receive
from sam3d_ros.nodes.objects.clicks import Clicks
from sam3d_ros.nodes.objects.reconstruct_action import ReconstructServer
from sam3d_ros.nodes.objects.ros_sink import RosSink
from sam3d_ros.nodes.objects.tickets import Tickets, answer_in_time, fill_answer
from sam3d_ros.nodes.program import run
from sam3d_ros.nodes.reconstruction.work import WorkElsewhere
from sam3d_ros.nodes.stage_node import StageNode
from sam3d_ros.reconstruction.appearance.texture import TextureSource, with_textures
from sam3d_ros.reconstruction.completion.completer import Completed
from sam3d_ros.reconstruction.completion.two_lanes import make_lane
from sam3d_ros.session.config import Config, SessionConfig, config_kind
from sam3d_ros.session.session import Session

ELSEWHERE = ('pointmaps', 'masks3d')
"""Groups of options that the pointmap node and the command segment3d read."""
MASKS = {EXTERNAL_INSTANCES: external_instances, EXTERNAL_LABELS: labelled_instances}
"""Where other nodes publish masks, and how they are read."""
IDLE_S = 0.5
"""Without a frame for this long, what was held back goes out."""


class ObjectsNode(StageNode):
    """Frames to objects; services and the action Reconstruct are methods of the session."""

    def __init__(self, bus: Bus | None = None, **arguments: Any) -> None:
        kinds = get_type_hints(config_kind())
        self._stages = {name: kind for name, kind in kinds.items() if name not in ELSEWHERE}
        super().__init__('objects', self._stages, bus, live=('segmentation',), **arguments)
        self.serve(AddPrompt, 'segmentation/add_prompt', self._add_prompt)
        self.serve(ClearScene, 'scene/clear', self._clear)
        self.serve(CorrectObject, 'scene/correct', self._correct)
        self.serve(EditObject, 'scene/edit', self._edit)
        self.serve(FindObjects, 'scene/find', self._find)
        self.serve(HoldObject, 'scene/hold', self._hold)
        self.serve(RemoveObject, 'scene/remove', self._remove)
        self.serve(SaveScene, 'scene/save', self._save)
        self.serve(LoadScene, 'scene/load', self._load)
        self.serve(GetTexture, 'reconstruction/texture', self._texture)

    def build(self) -> None:
        """Load the backends, resume what was saved, and offer the results."""
        config = Config(**{name: self.config(name) for name in self._stages})
        listens = config.session.external == 'replace'
        self._elsewhere = WorkElsewhere(self) if listens else None
        self._lane = make_lane(config.reconstruction, self._failed, self._elsewhere)
        with ExitStack() as unfinished:
            unfinished.callback(self._lane.close)
            self._session = Session.from_config(config, self.get_logger().warning, self._lane)
            unfinished.callback(self._session.close)
            self._sink = RosSink(self.publish_topic, config.outputs, config.tf, self._failed)
            unfinished.pop_all()
        self._is_idle = True
        self._at_work: str | None = None
        self._came: Counter[str] = Counter()
        self._taken: Counter[str] = Counter()

    def connect(self) -> None:
        """Listen to frames, prompts and masks that other nodes make."""
        session: SessionConfig = self.config('session')
        for camera in session.camera_ids:
            frames = replace(FRAMES, topic=FRAMES.topic.of(camera))
            take = partial(self._take, camera)
            self.on_close(receive(self, frames, self.bus, take))
        if session.external == 'replace':
            for topic, read in MASKS.items():
                self.listen(import_message(topic.type), topic.name, partial(self._on_masks, read))
        if self._elsewhere is not None:
            self._elsewhere.listen()
        self._tickets = Tickets(self, self._session)
        Clicks(self, self._session, self._tickets)
        action = ReconstructServer(self, self._chosen, self._session.rebuild, self._delivered)
        self.on_close(action.close)
        self.every(IDLE_S, lambda: self.tell_worker(self._rest))
        self.tell_worker(self._publish_scene)

    def release(self) -> None:
        """End the workers and save for the last time."""
        is_built = self.is_configured
        super().release()
        if is_built:
            self._sink.close()
            self._session.close()
            self._lane.close()

    def process(self, item: Callable[[], None]) -> None:
        """Take one frame, or the masks that another node has made of one."""
        item()

    def _take(self, camera: str, arrival: Arrival[Frame]) -> None:
        self._came[camera] += 1
        is_early = self._at_work == camera
        step = partial(self._step, camera, self._came[camera], arrival, is_early)
        self.offer(step, source=camera)

    def _step(self, camera: str, number: int, arrival: Arrival[Frame], is_early: bool) -> None:
        """Take the frame of a camera that came as such a number.

        It is taken in a hurry when it came while the one before it was worked on, or others of its
        camera were left out for it.
        """
        self._is_idle = False
        hurry = is_early or number > self._taken[camera] + 1
        self._taken[camera] = number
        self._at_work = camera
        try:
            frame = arrival.get()
            if frame is not None:
                result = self._session.step(frame, hurry=hurry, early=self._sink.write_early)
                self.health.took(result.times.by_stage())
                self._sink.write(result)
        finally:
            self._at_work = None

    def _on_masks(self, read: Callable[[Any], Instances], message: Any) -> None:
        frame_id = frame_name(message.header.frame_id)

        def join() -> None:
            scene = self._session.join(frame_id, read(message))
            if scene is not None:
                self._sink.write_shapes(scene)

        self.offer(join, source=f'masks of {frame_id}')

    def reconfigure(self) -> None:
        """Take new options of the segmentation; tracks stay."""
        config, former = self.config('segmentation'), self._session.segmenter
        self._session.segmenter = make_backend('segmentation', config.backend, config)
        close(former)

    def _rest(self) -> None:
        """Do what frames do not give an occasion for."""
        if self._is_idle:
            late = self._session.late()
            if late is not None:
                self._sink.write_shapes(late)
            self._sink.flush()
        self._is_idle = True
        self._sink.greet_planners()

    def _publish_scene(self) -> None:
        scene = self._session.scene()
        if scene is not None:
            self._sink.write_scene(scene)

    def _published(self) -> tuple[Scene, dict[int, TextureSource]]:
        """Return the scene as it was published last, and what its textures are made from."""
        scene = self._sink.scene
        if scene is None:
            raise NotReadyError('no frame yet', wanted='a scene')
        return scene, self._session.texture_sources(scene)

    def _add_prompt(self, request: Any, response: Any) -> str:
        """Have a prompt or a correction answered, or tell the answer of an earlier one."""
        corrected = int(request.corrects)
        if corrected:
            # Before it gets a ticket of its own, which it must not wait for.
            earlier = self._tickets.of(corrected)
            said: Prompt | Correction = correction_from(request)
        else:
            said = prompt_from(request.prompt)
            if request.choice or request.apart:
                raise PromptError(
                    'a choice before there is an answer', wanted='the number of one in corrects'
                )
        if said == Correction(corrected):
            response.number, future = corrected, earlier
        else:
            ticket, future = self._tickets.ask(lambda: said, stamp_from(request.prompt))
            response.number = ticket
        answer = answer_in_time(future)
        if answer is None:
            return f'the answer takes longer: ask again with corrects {response.number} alone'
        fill_answer(ClassTypes(), response, answer)
        ids = ', '.join(response.track_ids)
        return f'object {ids}' if ids else 'a new object; its id comes with the next frames'

    def _clear(self, request: Any, response: Any) -> str:
        def clear() -> None:
            self._session.clear()
            self._publish_scene()

        self.ask_worker(clear)
        return 'the scene is empty; ids start at 1'

    def _correct(self, request: Any, response: Any) -> str:
        object_id, prompt = id_from(request.id), prompt_from(request.prompt)
        stamp_ns = stamp_from(request.prompt)
        self.ask_worker(lambda: self._session.correct(object_id, prompt, stamp_ns))
        return f'object {object_id} is what lies there; its shape comes with the next frames'

    def _edit(self, request: Any, response: Any) -> str:
        object_id = id_from(request.id)

        def edit() -> None:
            self._session.edit(object_id, request.label, request.locked)
            self._publish_scene()

        self.ask_worker(edit)
        name = f'"{request.label}"' if request.label else 'named by segmentation'
        return f'object {object_id} is {name}' + ', locked' * request.locked

    def _find(self, request: Any, response: Any) -> str:
        like, unlike = map(id_from, request.like), map(id_from, request.unlike)
        exemplars = tuple(like), tuple(unlike)
        answer = find(self.ask_worker(self._session.known), request.phrase, *exemplars)
        response.presence = float(answer.presence)
        response.ids = [str(item.id) for item in answer.objects]
        response.scores = array('f', [item.score for item in answer.objects])
        response.reasons = [item.why for item in answer.objects]
        response.frame = answer.frame
        return f'{len(answer.objects)} objects, presence {answer.presence:.2f}'

    def _hold(self, request: Any, response: Any) -> str:
        object_id, gripper = id_from(request.id), frame_name(request.gripper)

        def hold() -> None:
            self._session.hold(object_id, gripper)
            self._publish_scene()

        self.ask_worker(hold)
        if gripper:
            return f'object {object_id} moves with "{gripper}"'
        return f'object {object_id} is held by nothing'

    def _remove(self, request: Any, response: Any) -> str:
        object_id = id_from(request.id)

        def remove() -> None:
            self._session.remove(object_id)
            self._publish_scene()

        self.ask_worker(remove)
        return f'object {object_id} is removed'

    def _save(self, request: Any, response: Any) -> str:
        """Write the scene and its textures while frames go on."""
        if not request.path:
            raise InputError('an empty path', wanted='a folder')
        scene, sources = self.ask_worker(self._published)
        folder = Path(request.path)
        write_scene(with_textures(scene, sources), folder)
        response.ids = [str(item.id) for item in scene.objects]
        message = f'{len(response.ids)} objects in {folder}, {len(sources)} with a texture'
        bare = [str(item.id) for item in scene.objects if not len(item.mesh.faces)]
        return f'{message}; without a shape yet, as points: {", ".join(bare)}' if bare else message

    def _load(self, request: Any, response: Any) -> str:
        scene = read_scene(Path(request.path))

        def load() -> str:
            how = self._session.load(scene)
            self._publish_scene()
            return how

        how = self.ask_worker(load)
        response.ids = [str(item.id) for item in scene.objects]
        message = f'{len(response.ids)} objects taken over'
        return f'{message}; {how}' if how else message

    def _texture(self, request: Any, response: Any) -> str:
        """Take what a texture needs from the session, and make it while frames go on."""
        object_id = id_from(request.id)
        scene, sources = self.ask_worker(self._published)
        source = sources.get(object_id)
        shown = {mesh_hash(item.mesh) for item in scene.objects if item.id == object_id}
        if source is None or request.mesh_hash not in shown:
            raise NotFoundError(f'object {object_id} has no mesh {request.mesh_hash[:8]} here')
        texture = source.texture()
        response.uv = array('f', texture.uv.tobytes())
        response.png = array('B', encode_png(texture.image))
        rows, columns = texture.image.shape[:2]
        return f'{columns}x{rows} texels'

    def _chosen(self, request: Any) -> tuple[int, ...]:
        """Return the ids of a goal of Reconstruct: by id, by region, or all confirmed objects.

        :raises NotFoundError: when one is not known, or nothing lies in the region.
        """
        if request.ids:
            return tuple(self._session.get(id_from(text)).id for text in request.ids)
        region = request.region
        if region.width and region.height:
            left, top = int(region.x_offset), int(region.y_offset)
            inside = self._session.seen_in(
                (left, top, left + int(region.width), top + int(region.height))
            )
            if not inside:
                raise NotFoundError('nothing in the region', wanted='one around an object')
            return inside
        scene, _ = self._published()
        return tuple(it.id for it in scene.objects if it.state != ObjectState.TENTATIVE)

    def _delivered(self, completed: Completed) -> tuple[Scene, SceneObject]:
        """Take over a shape that was made again; return the scene it is in, and its object."""
        made = self._session.deliver(completed)
        self._publish_scene()
        return self._published()[0], made


def id_from(text: str) -> int:
    """Return the id in a request.

    :raises InputError: when it is no decimal number.
    """
    if not text.isdecimal():
        raise InputError(f'id "{text}"', wanted='a decimal number')
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until Ctrl-C."""
    return run(lambda: [ObjectsNode()], arguments)


if __name__ == '__main__':
    sys.exit(main())
