# SPDX-License-Identifier: Apache-2.0
"""The page: 3D scene, image, list of objects, timeline, and what may be done with the objects.

One thread draws what has changed, at most :data:`MOST_HZ` times a second and only the newest;
another does what visitors ask for. All visitors see the same moment. A visitor who is slow or
hangs gets less, and holds up nobody.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rich
from viser import ViserServer

from sam3d_ros.core.corrections import Correction
from sam3d_ros.core.errors import PromptError, Sam3dError
from sam3d_ros.core.types import (
    BoxPrompt,
    FloatArray,
    PointPrompt,
    Prompt,
    Scene,
    SceneObject,
    TextPrompt,
)
from sam3d_ros.session.result import NOBODY
from sam3d_ros.viewer import html
from sam3d_ros.viewer.gate import Gate
from sam3d_ros.viewer.last_answer import ALSO, NOT, LastAnswer
from sam3d_ros.viewer.layers import COLORINGS, SceneLayers, Show, overview, title
from sam3d_ros.viewer.moments import Moment, View
from sam3d_ros.viewer.sources import CORRECT, EDIT, PROMPT, REBUILD, REMOVE, SAVE, TEXT, Source

LOG = logging.getLogger(__name__)

MOST_HZ = 8.0
"""The page changes so often at most."""
SELECTS, ADDS, CORRECTS = 'selects', 'adds an object', 'corrects the selected'
"""What a click or a box in the image, or a click in the scene, may mean."""
LOOK_FOR, NAME = 'Look for', 'Name'
"""What may be typed."""
NEAR_RAY = 0.02
"""A click in the scene means the first point within so much of its distance from the ray."""
FRAMED_M = 0.02
"""Newcomers look from where the overview is, within so much."""
NOTHING = Scene(0, '')
HELP = (
    '**Click** an object in the scene, the image or the list to select it. **Drag** turns the '
    'scene, right drag moves it, the wheel zooms.'
)


class Page:
    """Shows a source until closed.

    :param source: closed with the page.
    :param host: to listen at.
    :param port: 0 = any that is free.
    :param save_to: folder that is offered for saving.
    :param heading: stands above everything.
    :param token: see :class:`Gate`.
    :raises ConfigurationError: when the port is taken.
    """

    def __init__(
        self,
        source: Source,
        host: str = 'localhost',
        port: int = 0,
        *,
        save_to: Path = Path('out/saved'),
        heading: str = 'sam3d',
        token: str | None = None,
    ) -> None:
        self._source = source
        self._show = Show()
        self._asked: queue.Queue[Callable[[], None] | None] = queue.Queue()
        self._dirty = threading.Event()
        self._closing = threading.Event()
        self._is_playing = False
        self._follows = True
        self._index = 0
        self._moment: Moment | None = None
        self._named = 0
        self._is_framed = False
        # viser would announce its own port, which is not the page's.
        rich.get_console().quiet = True
        self._server = ViserServer('127.0.0.1', 0, label=heading, verbose=False)
        self._layers = SceneLayers(self._server, self._clicked)
        splats = getattr(source, 'splats', None)
        self._splats_m: FloatArray | None = None
        if splats is not None:
            self._layers.splats(splats)
            self._splats_m = splats.means_m.astype(np.float64)
        self._server.gui.configure_theme(
            show_logo=False, show_share_button=False, brand_color=(28, 110, 190)
        )
        # Shadows and light from all around cost most of what a machine without a GPU draws with.
        self._server.scene.configure_default_lights(cast_shadow=False)
        self._server.scene.configure_environment_map(None)
        self._server.scene.add_light_ambient('/light', intensity=1.6)
        self._server.scene.on_click()(self._clicked_scene)
        self._build(save_to)
        self._gate = Gate(host, port, self._server.get_port(), self._on_event, token)
        self.url = self._gate.url
        self._threads = [
            threading.Thread(target=self._draw_on, name='page', daemon=True),
            threading.Thread(target=self._serve, name='requests', daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End the page and its source."""
        self._closing.set()
        self._dirty.set()
        self._asked.put(None)
        for thread in self._threads:
            thread.join(5.0)
        self._gate.close()
        self._server.stop()
        self._source.close()

    def _build(self, save_to: Path) -> None:
        """Make the panels: image and timeline left, objects right."""
        gui, can = self._server.gui, self._source.can
        left = gui.add_panel()
        with left.add_tab('Camera'):
            self._camera = gui.add_dropdown('Image of', ('',), visible=False)
            self._camera.on_update(lambda _: self._dirty.set())
            self._image = gui.add_html('')
            gestures = [SELECTS, *[ADDS, ALSO, NOT] * (PROMPT in can)]
            gestures += [CORRECTS] * (CORRECT in can)
            self._gesture = gui.add_dropdown(
                'A click', gestures, hint='in the image; dragging a box does the same',
                visible=len(gestures) > 1,
            )  # fmt: skip
            self._last = LastAnswer(gui, self._ask_again)
            if TEXT in can:
                with gui.add_form(None):
                    gui.add_text(LOOK_FOR, '', hint='a phrase, then Enter')
            gui.add_divider()
            self._slider = gui.add_slider('Time', 0, 1, 1, 0, hint='drag to go through time')
            self._time = gui.add_markdown('')
            self._play = gui.add_button('Play')
            self._follow = gui.add_button('Newest', hint='follow what comes', color='gray')
            self._details = gui.add_folder('Selected', visible=False)
            with self._details:
                self._table = gui.add_html('')
                if EDIT in can:
                    with gui.add_form(None):
                        self._name = gui.add_text(NAME, '', hint='then Enter')
                    self._lock = gui.add_button('Lock', hint='its shape stays as it is')
                    self._lock.on_click(lambda _: self._ask(self._toggle_lock))
                if REBUILD in can:
                    button = gui.add_button('Rebuild', hint='make its shape again')
                    button.on_click(lambda _: self._ask_selected(self._source.rebuild))
                if REMOVE in can:
                    button = gui.add_button('Delete', color='red', hint='forget this object')
                    button.on_click(lambda _: self._ask_selected(self._remove))
        left.dock_left()
        left.set_width(400)
        self._status = gui.add_markdown('')
        self._list = gui.add_html('')
        with gui.add_folder('Show'):
            coloring = gui.add_dropdown('Colours', COLORINGS)
            self._legend = gui.add_html('')
            coloring.on_update(partial(self._set, 'coloring'))
            for name, label in (
                ('points', 'Points of the sensor'), ('meshes', 'Shapes'), ('boxes', 'Boxes'),
                ('names', 'Names'), ('covariance', 'Uncertainty (3 σ)'), ('people', 'People'),
            ):  # fmt: skip
                box = gui.add_checkbox(label, bool(getattr(self._show, name)))
                box.on_update(partial(self._set, name))
            view = gui.add_button_group('Look from', ('aside', 'camera'))
            view.on_click(lambda event: self._look_from(event.target.value))
        if SAVE in can:
            with gui.add_folder('Save', expand_by_default=False):
                self._folder = gui.add_text('Folder', str(save_to))
                button = gui.add_button('Save scene', hint='scene.json, meshes, scene.glb')
                button.on_click(lambda _: self._ask(self._save))
        gui.add_markdown(HELP)
        gui.main_panel.dock_right()
        gui.main_panel.set_width(340)
        self._slider.on_update(self._scrubbed)
        self._play.on_click(lambda _: self._toggle_play())
        self._follow.on_click(lambda _: self._follow_newest())

    # What visitors do comes in threads of viser and of the gate.

    def _on_event(self, what: str, values: Mapping[str, str]) -> None:
        means = values.get('means', SELECTS)
        try:
            if what == 'select':
                self._clicked(int(values['id']))
            elif what == 'submit':
                act = {LOOK_FOR: self._ask_phrase, NAME: self._rename}[values['form']]
                act(values.get('text', ''))
            elif what == 'point':
                self._pointed_at(float(values['u']), float(values['v']), means)
            elif what == 'box':
                edges = [float(values[name]) for name in ('left', 'top', 'right', 'bottom')]
                self._gestured(BoxPrompt((edges[0], edges[1], edges[2], edges[3])), means)
        except (KeyError, ValueError):
            self._say('the page sent something that cannot be read', bad=True)

    def _clicked(self, object_id: int) -> None:
        self._show.selected = 0 if self._show.selected == object_id else object_id
        self._dirty.set()

    def _pointed_at(self, u: float, v: float, means: str) -> None:
        if means != SELECTS:
            self._gestured(PointPrompt(((u, v),), (1,)), means)
            return
        moment = self._moment
        if moment is not None and moment.view is not None:
            ids = moment.view.ids()
            row, column = round(v), round(u)
            if 0 <= row < ids.shape[0] and 0 <= column < ids.shape[1]:
                self._show.selected = int(ids[row, column])
                self._dirty.set()

    def _clicked_scene(self, event: Any) -> None:
        """Take a click beside all meshes for the first point along its ray."""
        moment = self._moment
        if moment is None or moment.view is None:
            return
        pixel = first_pixel(
            moment.view, np.asarray(event.ray_origin), np.asarray(event.ray_direction)
        )
        if pixel is not None:
            self._gestured(PointPrompt((pixel,), (1,)), self._gesture.value)

    def _gestured(self, prompt: Prompt, means: str) -> None:
        view = self._moment.view if self._moment else None
        if means not in self._gesture.options:
            raise ValueError(means)
        if view is None or means == SELECTS:
            return
        whole = enlarged(prompt, view.step_px)

        def act() -> None:
            if means == ADDS:
                self._look_for(whole, view.stamp_ns)
            elif means in (ALSO, NOT):
                self._look_for(self._last.corrected(whole, means), view.stamp_ns)
            elif not self._show.selected:
                raise PromptError('no object is selected', wanted='the one that this corrects')
            else:
                self._say(self._source.correct(self._show.selected, whole, view.stamp_ns))

        self._ask(act)

    def _ask_phrase(self, text: str) -> None:
        moment = self._moment
        if text and moment is not None:
            self._ask(lambda: self._look_for(TextPrompt(text), moment.stamp_ns))

    def _look_for(self, prompt: Prompt | Correction, stamp_ns: int) -> None:
        """Look for something, and select what it is already."""
        reply = self._source.prompt(prompt, stamp_ns)
        if reply.ids:
            self._show.selected = reply.ids[0]
        self._say(reply.sentence)
        self._last.show(reply, stamp_ns)

    def _ask_again(self, correction: Correction, stamp_ns: int) -> None:
        self._ask(lambda: self._look_for(correction, stamp_ns))

    def _ask_selected(self, function: Callable[[int], str]) -> None:
        if self._show.selected:
            self._ask(lambda: self._say(function(self._show.selected)))

    def _remove(self, object_id: int) -> str:
        said = self._source.remove(object_id)
        self._show.selected = 0
        return said

    def _rename(self, name: str) -> None:
        item = self._selected()
        if item is not None and name != item.label:
            self._ask(lambda: self._say(self._source.edit(item.id, name, item.locked)))

    def _toggle_lock(self) -> None:
        item = self._selected()
        if item is not None:
            self._say(self._source.edit(item.id, item.label, not item.locked))

    def _save(self) -> None:
        self._say(self._source.save(Path(self._folder.value)))

    def _ask(self, function: Callable[[], None]) -> None:
        self._asked.put(function)

    def _serve(self) -> None:
        """Do what is asked for, one after the other; say what came of it."""
        while (function := self._asked.get()) is not None:
            try:
                function()
            except (Sam3dError, OSError, TimeoutError) as error:
                self._say(str(error) or 'no answer in time', bad=True)
            self._dirty.set()

    def _say(self, text: str, *, bad: bool = False) -> None:
        for client in self._server.get_clients().values():
            client.add_notification(
                'Not done' if bad else 'Done',
                sentence(text),
                loading=False,
                with_close_button=True,
                auto_close_seconds=12.0 if bad else 5.0,
                color='red' if bad else 'green',
            )

    def _selected(self) -> SceneObject | None:
        moment = self._moment
        objects = moment.scene.objects if moment is not None else ()
        return next((item for item in objects if item.id == self._show.selected), None)

    def _set(self, name: str, event: Any) -> None:
        setattr(self._show, name, event.target.value)
        self._dirty.set()

    async def _scrubbed(self, event: Any) -> None:
        # Called at once, not by a thread: what is drawn meanwhile would set the slider back.
        if event.client is not None:
            self._follows, self._is_playing, self._index = False, False, int(self._slider.value)
            self._dirty.set()

    def _toggle_play(self) -> None:
        self._is_playing = not self._is_playing
        self._follows = False
        if self._is_playing and self._index >= len(self._source.timeline) - 1:
            self._index = 0
        self._dirty.set()

    def _follow_newest(self) -> None:
        self._follows, self._is_playing = True, False
        self._dirty.set()

    def _look_from(self, where: str) -> None:
        moment = self._moment
        if moment is None:
            return
        position, middle, up = overview(moment, self._splats_m)
        for client in self._server.get_clients().values():
            with client.atomic():
                if where == 'camera' and moment.view is not None:
                    T = moment.view.T_fixed_cam
                    client.camera.up_direction = -T[:3, 1]
                    client.camera.position = T[:3, 3]
                    client.camera.look_at = T[:3, 3] + T[:3, 2]
                    client.camera.fov = moment.view.fov_rad
                else:
                    client.camera.up_direction = up
                    client.camera.position = position
                    client.camera.look_at = middle

    # Drawing is done in one thread.

    def _draw_on(self) -> None:
        due_s, drawn = time.monotonic(), (-1, '')
        while not self._closing.is_set():
            is_asked = self._dirty.wait(1.0 / MOST_HZ)
            self._dirty.clear()
            try:
                now = self._source.timeline.changes, self._source.status()
                if is_asked or self._is_playing or now != drawn:
                    self._draw()
                drawn = now
            except Exception as error:  # the next moment gets its chance
                LOG.exception('a moment was not shown')
                self._status.content = f'This moment cannot be shown: {error}'
                drawn = (-1, '')
            due_s = max(due_s + 1.0 / MOST_HZ, time.monotonic())
            self._closing.wait(max(0.0, due_s - time.monotonic()))

    def _draw(self) -> None:
        timeline = self._source.timeline
        count = len(timeline)
        if self._is_playing:
            self._index += 1
            self._is_playing = self._index < count - 1
        if self._follows:
            self._index = max(0, count - 1)
        self._index = min(self._index, max(0, count - 1))
        self._status.content = sentence(self._source.status())
        moment = timeline.at(self._index)
        if moment is None:
            self._list.content = html.object_list(NOTHING, 0, 'Waiting for the first frame.')
            return
        edited = getattr(self._source, 'edited', None)
        scene = edited(moment.scene) if edited is not None else moment.scene
        views = timeline.views(self._index)
        view = self._chosen(views) or moment.view
        self._moment = moment = Moment(moment.stamp_ns, scene, moment.people, view)
        show = self._show
        if self._slider.max != max(1, count - 1):
            self._slider.max = max(1, count - 1)
        if self._slider.value != self._index:
            self._slider.value = self._index  # type: ignore[misc]
        play = 'Pause' if self._is_playing else 'Play'
        if self._play.label != play:
            self._play.label = play
        seconds = (moment.stamp_ns - timeline.start_ns()) * 1e-9
        text = f'{seconds:.2f} s · {self._index + 1} of {count} · {html.counted(scene)}'
        self._time.content = text + (' · *following*' if self._follows else '')
        with self._server.atomic():
            if scene.objects or moment.view is not None or self._splats_m is not None:
                self._frame(moment)
            self._layers.update(moment, views.values(), show)
            people = moment.people if show.people else NOBODY
            self._image.content = html.image_panel(moment.view, scene, people, show.selected)
            self._list.content = html.object_list(
                scene, show.selected, 'No objects in sight at this moment.'
            )
            self._legend.content = html.legend(show.coloring)
            self._draw_selected(moment.stamp_ns)

    def _chosen(self, views: Mapping[str, View]) -> View | None:
        """Return what the chosen one of several cameras saw."""
        if len(views) > 1 and not set(views) <= set(self._camera.options):
            self._camera.options = tuple(sorted({*self._camera.options, *views} - {''}))
            self._camera.visible = True
        return views.get(self._camera.value)

    def _draw_selected(self, stamp_ns: int) -> None:
        item = self._selected()
        self._details.visible = item is not None
        if item is None:
            self._named = 0
            return
        self._details.label = title(item)
        self._table.content = html.object_details(item, stamp_ns)
        if EDIT in self._source.can:
            # What a visitor is typing is not overwritten.
            if self._named != item.id:
                self._named = item.id
                self._name.value = item.label  # type: ignore[misc]
            self._lock.label = 'Unlock' if item.locked else 'Lock'

    def _frame(self, moment: Moment) -> None:
        """Let visitors begin with a look at what is in sight, beside and above the camera."""
        position, middle, up = overview(moment, self._splats_m)
        camera = self._server.initial_camera
        if np.linalg.norm(camera.position - position) > FRAMED_M:
            camera.up, camera.position, camera.look_at = up, position, middle
        if not self._is_framed:
            has_place = moment.view is not None or not self._source.is_live
            has_subject = bool(moment.scene.objects) or self._splats_m is not None
            self._is_framed = has_subject and has_place
            self._server.scene.set_up_direction(up)
            self._look_from('aside')


def sentence(text: str) -> str:
    """Return a text with a capital at its begin."""
    return text[:1].upper() + text[1:]


def enlarged(prompt: Prompt, step_px: int) -> Prompt:
    """Return a prompt in pixels of the camera's image.

    :param prompt: in pixels of every ``step_px``-th of its columns and rows; phrases stay.
    :param step_px: 1 = they are those of the image.
    """
    match prompt:
        case PointPrompt(points_px, labels):
            return PointPrompt(tuple((step_px * u, step_px * v) for u, v in points_px), labels)
        case BoxPrompt((left, top, right, bottom)):
            return BoxPrompt((step_px * left, step_px * top, step_px * right, step_px * bottom))
    return prompt


def first_pixel(
    view: View, origin: FloatArray, direction: FloatArray
) -> tuple[float, float] | None:
    """Return the pixel of the first point along a ray, None when none is near it.

    :param view: whose points they are.
    :param origin: (3,) fixed frame, metres.
    :param direction: (3,) unit vector.
    """
    away = view.points_m - origin
    along = away @ direction
    aside = np.linalg.norm(away - along[:, None] * direction, axis=1)
    near = np.flatnonzero((along > 0) & (aside < NEAR_RAY * along))
    if not len(near):
        return None
    u, v = view.pixels[near[np.argmin(along[near])]]
    return float(u), float(v)
