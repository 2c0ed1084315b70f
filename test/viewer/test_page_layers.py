# SPDX-License-Identifier: Apache-2.0
"""Several cameras, people and Gaussians on the page, in a real browser: they are drawn."""

from dataclasses import replace
from time import monotonic
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from sam3d_ros.core.people import INDEX, Capsule, People, Person, Skeleton
from sam3d_ros.core.solids import Gaussians
from sam3d_ros.core.types import Instances, Scene, Tracks
from sam3d_ros.messages.results.colors import id_color
from sam3d_ros.viewer.moments import FRESH_NS, Moment, Timeline, view_of
from sam3d_ros.viewer.page import Page

BOXES = (((0.0, 0.0, 0.05), (0.12, 0.08, 0.10), (200, 60, 40)),)
EYES = {'left': (0.9, -0.6, 0.7), 'right': (0.9, 0.6, 0.7)}
STAMP_NS = 1_700_000_000_000_000_000
MAGENTA = (255, 0, 255)
SOON_S = 60.0


def somebody():
    """Return a person of 1.7 m who stands behind the boxes, arms spread."""
    joints = np.zeros((len(INDEX), 3))
    joints[:, 2] = 1.6
    for side, sign in (('left', 1.0), ('right', -1.0)):
        for name, aside, up in (
            ('shoulder', 0.2, 1.4), ('elbow', 0.45, 1.4), ('wrist', 0.7, 1.4),
            ('index', 0.8, 1.4), ('hip', 0.12, 0.9), ('knee', 0.14, 0.5), ('ankle', 0.15, 0.1),
            ('foot_index', 0.15, 0.0),
        ):  # fmt: skip
            joints[INDEX[f'{side}_{name}']] = (0.0, sign * aside, up)
    joints += (-0.3, 0.3, 0.0)
    count = len(joints)
    skeleton = Skeleton(
        joints, np.tile(1e-4 * np.eye(3), (count, 1, 1)), np.ones(count), np.ones(count, bool)
    )
    trunk = Capsule(np.array([-0.3, 0.3, 0.2]), np.array([-0.3, 0.3, 1.5]), 0.2)
    return Person(
        id=3, by_depth=True, by_image=True, in_view=True, score=0.9,
        position_m=np.array([-0.3, 0.3, 1.0]), velocity_m_s=np.zeros(3),
        covariance=1e-3 * np.eye(6), capsules=(trunk,), first_seen_ns=0, last_seen_ns=STAMP_NS,
        skeleton=skeleton,
    )  # fmt: skip


class Rig:
    """A source with two cameras of one stamp, somebody, and a cloud of Gaussians."""

    can = frozenset()
    is_live = False

    def __init__(self, boxes_world):
        self.timeline = Timeline()
        people = People(STAMP_NS, 'world', (somebody(),))
        for name, eye in EYES.items():
            frame, _ = boxes_world(eye, BOXES, stamp_ns=STAMP_NS, size=(160, 120))
            nothing = Tracks(STAMP_NS, Instances(STAMP_NS))
            view = view_of(replace(frame, camera_id=name), nothing)
            self.timeline.add(Moment(STAMP_NS, Scene(STAMP_NS, 'world'), people, view))
        rng = np.random.default_rng(0)
        self.splats = Gaussians(
            rng.normal(scale=0.05, size=(1500, 3)) + (-0.2, 0.3, 0.35),
            np.tile([0.0, 0.0, 0.0, 1.0], (1500, 1)),
            np.full((1500, 3), 0.01),
            np.tile(np.array(MAGENTA) / 255, (1500, 1)),
            np.full(1500, 0.95),
        )

    def status(self):
        return 'a rig'

    def close(self):
        pass


def pixels_like(tab, rgb):
    """Return how many pixels of the scene have a hue near to a colour's, and are as vivid."""
    shot = cv2.imdecode(
        np.frombuffer(tab.locator('canvas').first.screenshot(), np.uint8), cv2.IMREAD_COLOR
    )
    hue, saturation, _ = np.moveaxis(cv2.cvtColor(shot, cv2.COLOR_BGR2HSV).astype(int), 2, 0)
    wanted = cv2.cvtColor(np.uint8([[rgb[::-1]]]), cv2.COLOR_BGR2HSV)[0, 0, 0]
    away = np.abs(hue - int(wanted))
    return int(np.count_nonzero((np.minimum(away, 180 - away) < 9) & (saturation > 90)))


def until(condition):
    deadline = monotonic() + SOON_S
    while not condition():
        assert monotonic() < deadline, 'it did not come to pass'


@pytest.mark.browser
def test_cameras_people_and_gaussians_are_drawn(chromium, boxes_world):
    page = Page(Rig(boxes_world))
    tab = chromium.new_page(viewport={'width': 1000, 'height': 500})
    tab.set_default_timeout(1e3 * SOON_S)
    skin = tuple(round(255 * float(value)) for value in id_color(3))
    try:
        tab.goto(page.url)
        image = tab.locator('.sam3d-image image')
        image.wait_for()
        until(lambda: pixels_like(tab, MAGENTA) > 100 and pixels_like(tab, skin) > 100)
        for name in EYES:
            assert f'/cameras/{name}/pointmap' in page._layers._shown
        # Of two images of one stamp, the one whose camera is chosen is shown; clicks are in it.
        first = image.get_attribute('href')
        (other,) = EYES.keys() - {page._moment.view.camera_id}
        tab.locator('xpath=//*[text()="Image of"]/following::input[1]').click()
        tab.get_by_role('option', name=other).click()
        until(lambda: image.get_attribute('href') != first)
        assert page._moment.view.camera_id == other
        with_somebody = pixels_like(tab, skin)
        tab.get_by_role('checkbox', name='People').click()
        until(lambda: pixels_like(tab, skin) < 0.3 * with_somebody)
    finally:
        tab.close()
        page.close()


def test_an_old_view_of_another_camera_is_not_shown_beside_a_new_one(boxes_world):
    timeline = Timeline()
    frame, _ = boxes_world(EYES['left'], BOXES, size=(16, 12))
    nothing = Tracks(0, Instances(0))
    for name, stamp_ns in (('right', 0), ('left', FRESH_NS), ('left', FRESH_NS + 1)):
        view = view_of(replace(frame, camera_id=name, stamp_ns=stamp_ns), nothing)
        timeline.add(Moment(stamp_ns, Scene(stamp_ns, 'world'), view=view))
    assert list(timeline.views(1)) == ['left', 'right']
    assert {name: view.stamp_ns for name, view in timeline.views(-1).items()} == {
        'left': FRESH_NS + 1
    }


def test_a_camera_that_is_late_can_still_be_chosen():
    chooser = SimpleNamespace(options=('',), value='', visible=False)
    page = SimpleNamespace(_camera=chooser)
    for names in (('b', 'c'), ('a', 'b'), ('b',)):
        Page._chosen(page, dict.fromkeys(names))
    assert chooser.options == ('a', 'b', 'c') and chooser.visible
