# SPDX-License-Identifier: Apache-2.0
"""The session: frames and prompts go in, one by one; objects with lasting ids come out.

Everything that is remembered lives here and nowhere else: tracks, views, shapes, poses, prompts.
The offline command, the bench and the node ``objects`` drive it alike. It belongs to one thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from sam3d_ros.core.corrections import Correction
from sam3d_ros.core.errors import InputError, NotFoundError
from sam3d_ros.core.interfaces import Segmenter, Tracker
from sam3d_ros.core.registry import close, make_backend
from sam3d_ros.core.types import Frame, Instances, Prompt, Reconstructions, Scene, SceneObject
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.language.naming import NamingStage
from sam3d_ros.people.masks import with_held, without_people
from sam3d_ros.people.stage import PeopleStage
from sam3d_ros.reconstruction.appearance.texture import TextureSource, with_textures
from sam3d_ros.reconstruction.completion.completer import Completed
from sam3d_ros.reconstruction.completion.lane import CompletionLane
from sam3d_ros.reconstruction.reconstructor import ObjectReconstructor
from sam3d_ros.scene.memory import ObjectMemory
from sam3d_ros.session.admission import Admission
from sam3d_ros.session.config import Config, PromptConfig, SessionConfig
from sam3d_ros.session.holding import Holding
from sam3d_ros.session.map_jumps import MapJump, MapJumps
from sam3d_ros.session.merging import Merging, Split, Union, settle
from sam3d_ros.session.outside import OutsideMasks
from sam3d_ros.session.places.recognition import settled
from sam3d_ros.session.places.remembered import Remembered
from sam3d_ros.session.prompts.answers import Answered, Question
from sam3d_ros.session.prompts.phrases import standing_prompts
from sam3d_ros.session.recent_frames import Kept, RecentFrames
from sam3d_ros.session.result import FrameResult, StageTimes
from sam3d_ros.session.saving.autosave import Autosave
from sam3d_ros.session.saving.saved import TRACKS, SavedState, Stage
from sam3d_ros.session.saving.store import SessionStore
from sam3d_ros.session.turns import Turns

LOG = logging.getLogger(__name__)
Say = Callable[[str], object]


class Session:
    """Segmentation, tracking, reconstruction and scene, and all that they know.

    :param segmenter: finds the instances of a frame; may be replaced while running.
    :param tracker: gives them ids.
    :param reconstructor: gives them shapes and poses.
    :param memory: knows where they are, seen or not.
    :param prompts: what is looked for from the start, and how many frames prompts may refer to.
    :param options: how often it looks anew; None = the defaults.
    :param say: takes what a user should know, a sentence at a time.
    :param people: finds people, whose pixels are no object's; None = nobody looks for them.
    :param names: says what objects are called.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        tracker: Tracker,
        reconstructor: ObjectReconstructor,
        memory: ObjectMemory,
        prompts: PromptConfig | None = None,
        options: SessionConfig | None = None,
        say: Say = LOG.warning,
        people: PeopleStage | None = None,
        names: NamingStage | None = None,
    ) -> None:
        prompts, options = prompts or PromptConfig(), options or SessionConfig()
        self.segmenter = segmenter
        self._tracker = tracker
        self._reconstructor = reconstructor
        self._memory = memory
        self._people = people or PeopleStage()
        self._prompts, self._phrases = standing_prompts(prompts, segmenter, say)
        self._names = names or NamingStage()
        self._recent = RecentFrames(prompts.keep_frames)
        self._outside = OutsideMasks(options.external_wait_s)
        self._turns = Turns(options.segment_every, options.hurry_s)
        self._say = say
        self._autosave: Autosave | None = None
        self._admission = Admission()
        self._jumps, self._merging = MapJumps(), Merging(reconstructor)
        self._holding = Holding(tracker, reconstructor, memory, say)
        self._remembered = Remembered(self.load, say)
        self._follows_map = options.map_jumps
        stages: dict[str, Stage] = {
            TRACKS: tracker, 'shapes': reconstructor, 'scene': memory, 'prompts': self._prompts,
            'people': self._people, 'names': self._names, 'phrases': self._phrases,
            'holding': self._holding, 'remembered': self._remembered,
        }  # fmt: skip
        self._saved = SavedState(stages, self._admission)

    @classmethod
    def from_config(
        cls,
        config: Config | None = None,
        say: Say = LOG.warning,
        lane: CompletionLane | None = None,
    ) -> Session:
        """Return a session of the configured backends; it resumes what its folder holds.

        :param config: None = the defaults.
        :param say: takes what a user should know, a sentence at a time.
        :param lane: who completes shapes; None = this thread, at each step.
        :raises BackendError: when a backend does not exist or cannot be loaded.
        """
        config = config or Config()
        session = cls(
            make_backend('segmentation', config.segmentation.backend, config.segmentation),
            make_backend('tracking', config.tracking.backend, config.tracking),
            ObjectReconstructor(config.reconstruction, lane),
            ObjectMemory(config.scene),
            config.prompts,
            config.session,
            say,
            PeopleStage(config.people, say, wait=lane is None),
            NamingStage(config.language, say, wait=lane is None),
        )
        if config.session.folder:
            store = SessionStore(Path(config.session.folder).expanduser())
            try:
                if (state := store.load()) is not None:
                    session._restore(state)
            except InputError as error:
                say(f'the session starts empty: {error}')
            session._autosave = Autosave(store, config.session.autosave_s, say)
        return session

    def step(
        self,
        frame: Frame,
        instances: Instances | None = None,
        prompts: Sequence[Prompt | Correction] = (),
        *,
        hurry: bool = False,
        early: Callable[[Scene], object] | None = None,
    ) -> FrameResult:
        """Return what is known after a frame.

        Frames of one camera come in stamp order. An older one means that time began anew: all is
        forgotten but the ids that were given.

        :param frame: one observation; all cameras have the same fixed frame.
        :param instances: its masks, when somebody else has segmented it; in place of all that the
            segmenter would find, but not of what prompts stand for.
        :param prompts: new ones, in pixels of this frame; they stand from now on.
        :param hurry: frames come faster than they can be segmented: this one is followed if one
            of its camera was segmented less than ``session.hurry_s`` before.
        :param early: told where known objects are in a frame before that is segmented.
        :raises InputError: when this camera's frame of this stamp has come already, the fixed
            frame is not that of the other cameras, or the masks have another size.
        :raises PromptError: when a prompt cannot be served.
        """
        self._admit(frame)
        clock = [perf_counter()]
        for prompt in prompts:
            self._prompts.add(prompt, self.segmenter, frame)
        if instances is None:
            instances = self._outside.take(frame)
        is_spared = self._turns.spares(frame, hurry) or self._outside.expects(frame)
        before = self._recent.latest(frame.frame_id)
        verdict: Union | Split | None = None
        if is_spared and instances is None and not prompts and before is not None:
            people = self._people.update(frame)
            clock += [clock[0], *[perf_counter()] * 2]
            tracks, reconstructions = self._reconstructor.follow(frame, before.tracks)
        else:
            segmented_ns = self._turns.segmented(frame)
            if early is not None and before is not None and not self._phrases.only:
                seen = self._reconstructor.glance(frame, before.tracks)
                early(self._memory.glanced(frame, seen, before.hidden(segmented_ns)))
                clock = [perf_counter()]
            ask = partial(self.segmenter.segment, frame) if instances is None else None
            instances = self._prompts.segment(self.segmenter, frame, instances)
            clock.append(perf_counter())
            people = self._people.update(frame, instances.supports)
            instances = without_people(instances, self._people.pixels)
            clock.append(perf_counter())
            frame = self._reconstructor.with_bodies(frame, instances)
            tracks = self._tracker.update(frame, instances, ask)
            clock.append(perf_counter())
            reconstructions = self._reconstructor.reconstruct(frame, tracks)
            verdict = self._merging.update(frame, tracks)
        clock.append(perf_counter())
        self._memory.rebuilt(frame, self._reconstructor.late(frame))
        # What was followed has the labels of the frame before: no votes of its own.
        names = None if instances is None else self._names.update(frame, tracks, reconstructions)
        scene = self._phrases.listed(self._memory.update(frame, tracks, reconstructions, names))
        clock.append(perf_counter())
        times = StageTimes(*(after - before for before, after in pairwise(clock)))
        people = with_held(people, frame, tracks)
        self._recent.add(Kept(frame, tracks, self._reconstructor.places(), self._people.pixels))
        settle(verdict, self._tracker, self._reconstructor, self._memory, self._holding)
        self._remembered.look(self.known())
        if self._autosave is not None:
            self._autosave.offer(self._memory.ids(), self._saved.state)
        return FrameResult(frame, tracks, reconstructions, scene, times, people)

    def join(self, frame_id: str, instances: Instances) -> Scene | None:
        """Take masks of a frame that somebody else has segmented, whenever they come.

        Masks of a frame to come wait for it. Those of one that has passed join it, and what they
        tell is carried forward to the camera's latest frame. Its frames are then left to whoever
        segments them, and followed, until nothing comes for ``session.external_wait_s``.

        :param frame_id: optical frame of the camera.
        :param instances: masks in pixels of the camera's rectified image, at the image's stamp.
        :return: what is known now, None where nothing has changed: the masks wait for their frame,
            it was dropped, or a later one of the camera was segmented before they came.
        :raises InputError: when the masks have another size than the frame.
        :raises NotFoundError: when the frame is no longer kept.
        """
        latest = self._recent.latest(frame_id)
        if latest is None or instances.stamp_ns > latest.frame.stamp_ns:
            self._outside.put(frame_id, instances)
            return None
        then = self._recent.since(instances.stamp_ns, frame_id)
        if then is None:
            return None
        frame = then.frame
        self._outside.heard(frame)
        if self._turns.is_late(frame):
            return None
        instances = self._prompts.segment(self.segmenter, frame, instances)
        instances = without_people(instances, then.people)
        frame = self._reconstructor.with_bodies(frame, instances)
        tracks = self._tracker.update(frame, instances)
        reconstructions = self._reconstructor.rejoin(frame, tracks, then.places)
        self._turns.segmented(frame)
        scene = self._memory.update(frame, tracks, reconstructions)
        if latest.frame is not then.frame:
            tracks, reconstructions = self._reconstructor.follow(latest.frame, tracks)
            now = self._memory.update(latest.frame, tracks, reconstructions)
            scene = replace(now, removed=(*scene.removed, *now.removed))
        self._recent.add(replace(latest, tracks=tracks, places=self._reconstructor.places()))
        if self._autosave is not None:
            self._autosave.offer(self._memory.ids(), self._saved.state)
        return self._phrases.listed(scene)

    def late(self) -> Scene | None:
        """Return the scene if shapes were finished after the last frame, else None."""
        kept = self._recent.latest()
        if kept is None or not (made := self._reconstructor.late(kept.frame)).items:
            return None
        self._memory.rebuilt(kept.frame, made)
        return self.scene()

    def prompt(self, prompt: Prompt | Correction, stamp_ns: int | None = None) -> Answered:
        """Look for something from now on, or correct an earlier answer; return the answer.

        :param prompt: in pixels of the frame of ``stamp_ns``.
        :param stamp_ns: of one of the last frames; None = the latest.
        :raises PromptError: when it cannot be served, or points at nothing.
        :raises NotFoundError: when there is no such frame, or nothing to correct.
        """
        question = self.question(prompt, stamp_ns)
        return self.take(question, question.ask(self.segmenter))

    def question(self, prompt: Prompt | Correction, stamp_ns: int | None = None) -> Question:
        """Return what :meth:`prompt` asks; another thread may ask it while frames go on."""
        return self._prompts.question(prompt, self.segmenter, self._recent, stamp_ns)

    def take(self, question: Question, given: Instances | None) -> Answered:
        """Take what came of a question, as :meth:`prompt` does."""
        if question.is_grounded:
            return self._phrases.answered(question, self.known())
        return self._prompts.take(question, given)

    def correct(self, object_id: int, prompt: Prompt, stamp_ns: int | None = None) -> None:
        """Say which surface an object is: its shape is made anew there, its id stays.

        What was thought to be there is forgotten.

        :param object_id: a living track's.
        :param prompt: points, a box or a mask in pixels of the frame of ``stamp_ns``.
        :param stamp_ns: of one of the last frames; None = the latest.
        :raises NotFoundError: when there is no such object, or no such frame.
        :raises PromptError: when it is another prompt, cannot be served, or points at nothing.
        """
        kept = self._recent.at(stamp_ns)
        frame = kept.frame
        self.get(object_id)
        answer = self._prompts.add_surface(prompt, self.segmenter, frame).meant
        pixels = answer.mask & np.isfinite(frame.depth_m)
        points_fixed = apply(frame.T_fixed_cam, frame.pointmap[pixels].astype(np.float64))
        for other_id in kept.showing(answer.mask):
            self._forget_object(other_id)
        self._tracker.adopt(object_id, points_fixed, frame.rgb[pixels], frame.stamp_ns)
        self._reconstructor.forget(object_id)

    def latest(self) -> Frame:
        """Return the last frame.

        :raises NotReadyError: when there is none yet.
        """
        return self._recent.at(None).frame

    def scene(self) -> Scene | None:
        """Return what is known now, with the stamp of the last frame; None = nothing ever was.

        Ids that have left since the last call or frame are listed as removed.
        """
        listed, known = self._phrases.listed, self._admission.fixed_frame
        return listed(self._memory.snapshot(self._admission.stamp_ns, known)) if known else None

    def known(self) -> Scene:
        """Return what is known now, whatever phrases say; nothing counts as told by it."""
        return self._memory.listed(self._admission.stamp_ns, self._admission.fixed_frame)

    def get(self, object_id: int) -> SceneObject:
        """Return one object as it is known now.

        :raises NotFoundError: when no object has this id.
        """
        return self._memory.get(object_id)

    def remove(self, object_id: int) -> None:
        """Forget one object, and leave its track alone from now on.

        :raises NotFoundError: when no object has this id.
        """
        self._memory.remove(object_id)

    def edit(self, object_id: int, label: str | None = None, locked: bool | None = None) -> None:
        """Name or lock an object; arguments and errors are those of :meth:`ObjectMemory.edit`."""
        self._memory.edit(object_id, label, locked)
        self._reconstructor.lock(object_id, self.get(object_id).locked)

    def hold(self, object_id: int, gripper: str) -> None:
        """Say which gripper holds an object; arguments and errors: :meth:`Holding.hold`."""
        self._holding.hold(object_id, gripper, self.latest())

    def load(self, scene: Scene) -> str:
        """Take over the objects of a saved scene as confirmed ones, with their ids.

        It may have been saved elsewhere, in a map that began at another place: it is recognised
        by three or more of its objects among those that are known. Without any that contradict
        it, it is taken at its word.

        :return: how it was recognised; empty = it was not.
        :raises InputError: when it is in another fixed frame or place and not recognised; why.
        """
        latest, now = self._recent.latest(), self.known()
        scene, found = settled(scene, now, latest.frame if latest else None, now.fixed_frame)
        self._admission.begin(scene)
        for object_id in found.pairs.values() if found else ():
            self._forget_object(object_id)
        for item in scene.objects:
            points_fixed = apply(item.T_fixed_obj, item.mesh.vertices_m.astype(np.float64))
            self._tracker.adopt(item.id, points_fixed, item.mesh.colors, self._admission.stamp_ns)
            self._reconstructor.load(item)
            self._memory.adopt(item)
        for object_id in set(self._memory.doubles()) - {item.id for item in scene.objects}:
            self._forget_object(object_id)
        return '' if found is None else found.sentence

    def rebuild(self, object_id: int, backend: str = '') -> Future[Completed]:
        """Have the shape of an object made again from all that was seen of it; frames go on.

        :param object_id: which object.
        :param backend: who completes it this once; empty = as configured.
        :return: what :meth:`deliver` takes, or BackendError; cancelled, it is given up.
        :raises NotFoundError: when the object is not known or has never shown enough.
        :raises InputError: when it is locked.
        """
        self._memory.require_unlocked(object_id)
        if (order := self._reconstructor.order(object_id, backend)) is None:
            raise NotFoundError(f'object {object_id} has not shown enough to reconstruct')
        return order

    def deliver(self, completed: Completed) -> SceneObject:
        """Take over what came of :meth:`rebuild`; return the object as it is now.

        :raises NotFoundError: when the object is gone, or nothing came of it.
        """
        frame = self.latest()
        if (made := self._reconstructor.deliver(frame, completed)) is None:
            raise NotFoundError(f'object {completed.track_id} has nothing to make a shape from')
        self._memory.rebuilt(frame, Reconstructions(frame.stamp_ns, (made,)))
        return self.get(completed.track_id)

    def seen_in(self, region_px: tuple[int, int, int, int]) -> tuple[int, ...]:
        """Return the ids of objects most of whose pixels of the latest frame lie in a region.

        :param region_px: left, top, right, bottom, right and bottom exclusive.
        :raises NotReadyError: before the first frame.
        """
        return self._recent.at(None).inside(region_px)

    def texture_sources(self, scene: Scene) -> dict[int, TextureSource]:
        """Return by id what the textures of a scene's meshes can be made from."""
        return self._reconstructor.texture_sources(scene)

    def textured(self, scene: Scene) -> Scene:
        """Return a scene of this session with textures on its meshes, as files want them."""
        return with_textures(scene, self.texture_sources(scene))

    def reset(self) -> None:
        """Forget tracks, shapes and added prompts, since time began anew; ids go on."""
        self._tracker.reset()
        self._forget()

    def clear(self) -> None:
        """Forget everything; ids start at 1 again."""
        self._tracker.clear()
        self._remembered.clear()
        self._forget()

    def _forget(self) -> None:
        self._people.reset()
        for stage in (
            *(self._reconstructor, self._memory, self._prompts, self._names, self._phrases),
            *(self._recent, self._outside, self._admission, self._jumps, self._merging),
            *(self._holding, self._turns),
        ):
            stage.clear()

    def save(self, folder: Path) -> None:
        """Write all that is known to a folder, as :meth:`resume` reads it.

        :raises OSError: when it cannot be written.
        """
        SessionStore(folder).save(self._saved.state())

    def resume(self, folder: Path) -> None:
        """Go on from what :meth:`save` wrote, as if nothing had happened in between.

        :raises InputError: when there is no such session, or another version or tracker wrote it.
        """
        if (state := SessionStore(folder).load()) is None:
            raise InputError(f'no session in {folder}', wanted='a folder that one was saved to')
        self._restore(state)

    def close(self) -> None:
        """Save for the last time, when there is a folder for it, and let go of everything."""
        if self._autosave is not None:
            self._autosave.close(self._saved.state())
            self._autosave = None
        close(self.segmenter, self._tracker, self._people, self._names)

    def _admit(self, frame: Frame) -> None:
        """Take note of a frame, begin anew when need be, and go along when the map jumps."""
        reason, jump = self._admission.objection(frame), None
        if reason and self._remembered.is_of(frame):
            jump = self._jumps.jump(frame)
        if reason and jump is None:
            self._say(f'{reason}: tracks start anew')
            if self._admission.is_elsewhere(frame):
                self._remembered.keep(self.known(), self._admission.is_restored)
            else:
                self._remembered.displace()
            self.reset()
        self._admission.note(frame)
        if jump is None and self._follows_map:
            jump = self._jumps.jump(frame)
        if jump is not None:
            self._move(jump)
        self._holding.follow(frame)

    def _move(self, jump: MapJump) -> None:
        """Move all that is remembered with the part of the map that it was seen from."""
        moves = {it: jump.of(self._memory.get(it).last_seen_ns) for it in self._memory.ids()}
        self._tracker.move(jump.of)
        self._reconstructor.move(moves)
        self._memory.move(moves)
        self._prompts.move(jump.T_new_old)
        self._people.move(jump.T_new_old)
        self._holding.move(jump.T_new_old)
        self._recent.move(jump.T_new_old, moves)
        doubles = self._memory.doubles()
        for object_id in doubles:
            self._forget_object(object_id)
        went = f'{len(moves)} objects went along, {len(doubles)} of which were known already'
        self._say(f'{jump.sentence}: {went}')

    def _forget_object(self, object_id: int) -> None:
        for stage in (self._tracker, self._reconstructor, self._memory):
            stage.forget(object_id)

    def _restore(self, state: Any) -> None:
        try:
            self._saved.restore(state)
        except InputError:
            self.clear()
            raise
