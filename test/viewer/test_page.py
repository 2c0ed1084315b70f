# SPDX-License-Identifier: Apache-2.0
"""The page in a real browser: a stranger finds, selects, renames, corrects, deletes, saves."""

from contextlib import contextmanager
from functools import partial
from time import monotonic, sleep

import cv2
import numpy as np
import pytest
from made_up_recordings import frames, messages, write

from sam3d_ros.bags.recording import Recording
from sam3d_ros.cli.main import main
from sam3d_ros.export.scene_files import read_scene
from sam3d_ros.pipeline.cameras import read_cameras
from sam3d_ros.pointmaps.config import PointmapConfig
from sam3d_ros.session.config import Config
from sam3d_ros.session.session import Session
from sam3d_ros.viewer.last_answer import ALSO
from sam3d_ros.viewer.page import ADDS, CORRECTS, Page
from sam3d_ros.viewer.processing import ProcessedRecording
from sam3d_ros.viewer.results import ResultFolder

pytestmark = pytest.mark.browser

SIZE = (320, 240)
WINDOW = {'width': 1000, 'height': 560}
SOON_MS = 60_000
"""Two cores draw the scene here, and other tests run beside."""


@pytest.fixture(scope='module')
def recording(boxes_world, tmp_path_factory):
    """Four frames of two boxes on a floor."""
    recorded = frames(boxes_world, 4, size=SIZE)
    return write(tmp_path_factory.mktemp('recording') / 'boxes', messages(recorded, '32FC1'))


@pytest.fixture(scope='module')
def result(recording, tmp_path_factory):
    """What "sam3d process" makes of it."""
    folder = tmp_path_factory.mktemp('result')
    assert main(['process', str(recording), '--out', str(folder)]) == 0
    return folder


@pytest.fixture
def tab(chromium):
    """A new tab; nothing that it logs as an error is forgiven."""
    errors = []
    page = chromium.new_page(viewport=WINDOW)
    page.set_default_timeout(SOON_MS)
    page.on('pageerror', lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert not errors


@pytest.fixture
def shown(result, tmp_path):
    """The page of the result."""
    page = Page(ResultFolder(result), save_to=tmp_path / 'saved')
    yield page
    page.close()


def rows(tab):
    return tab.locator('.sam3d .row')


def notice(tab, text):
    tab.get_by_text(text).first.wait_for()


def press(tab, name):
    """Press a button of the panels; its text alone, since icons stand beside it."""
    tab.get_by_role('button', name=name, exact=True).dispatch_event('click')


def field(tab, label):
    """Return the input beside a label of the panels."""
    beside = 'following::input[not(@type="hidden")][1]'
    return tab.locator(f'xpath=//*[normalize-space(text())="{label}"]/{beside}')


def look_for(tab, phrase):
    """Type a phrase and press Enter."""
    box = field(tab, 'Look for')
    box.fill(phrase)
    box.press('Enter')


def selected(tab, object_id):
    """Wait until an object is the chosen one."""
    tab.locator(f'.row.on[data-sam3d-select="{object_id}"]').wait_for()


def colored(page, name):
    """Return the id of the red or the blue box."""
    known = {it.id: it.mesh.colors[:, ::2].mean(axis=0) for it in page._moment.scene.objects}
    (found,) = [key for key, (red, blue) in known.items() if (red > blue) == (name == 'red')]
    return found


def click_in_image(tab, u, v):
    """Click pixel (u, v) of the camera image."""
    image = tab.locator('.sam3d-image svg')
    box = image.bounding_box()
    scale = box['width'] / SIZE[0]
    tab.mouse.click(box['x'] + (u + 0.5) * scale, box['y'] + (v + 0.5) * scale)


def drag_box(tab, page, object_id):
    """Drag a box around the mask of an object in the camera image."""
    v, u = np.nonzero(page._moment.view.ids() == object_id)
    image = tab.locator('.sam3d-image svg').bounding_box()
    scale = image['width'] / SIZE[0]
    tab.mouse.move(image['x'] + (u.min() - 2) * scale, image['y'] + (v.min() - 2) * scale)
    tab.mouse.down()
    tab.mouse.move(image['x'] + (u.max() + 3) * scale, image['y'] + (v.max() + 3) * scale)
    tab.mouse.up()


def pixel_of(page, object_id):
    """Return a pixel well inside the mask of an object."""
    ids = page._moment.view.ids()
    inside = cv2.distanceTransform((ids == object_id).astype(np.uint8), cv2.DIST_L2, 3)
    v, u = np.unravel_index(np.argmax(inside), inside.shape)
    return int(u), int(v)


@pytest.fixture
def timed(record_property):
    """Return a context that notes how long a task takes in the page, for the report of a run."""

    @contextmanager
    def noted(task):
        begin = monotonic()
        yield
        record_property(f'{task}_s', round(monotonic() - begin, 2))

    return noted


def test_a_stranger_finds_renames_deletes_and_saves(shown, tab, tmp_path, result, timed):
    tab.goto(shown.url)
    rows(tab).first.wait_for()
    assert rows(tab).count() == 2
    tab.wait_for_function("document.querySelectorAll('.sam3d-image path').length == 2")
    first = int(rows(tab).first.get_attribute('data-sam3d-select'))

    with timed('find'):
        click_in_image(tab, *pixel_of(shown, first))
        tab.locator('.sam3d .row.on').wait_for()
    assert tab.locator('.row.on').get_attribute('data-sam3d-select') == str(first)

    with timed('rename'):
        name = field(tab, 'Name')
        name.fill('crate')
        name.press('Enter')
        rows(tab).filter(has_text='crate').wait_for()

    with timed('phrase'):
        look_for(tab, 'the blue thing')
        selected(tab, colored(shown, 'blue'))
    look_for(tab, 'the red thing')
    selected(tab, colored(shown, 'red'))
    look_for(tab, 'the florb')
    notice(tab, 'florb')
    look_for(tab, 'the crate')
    selected(tab, first)

    press(tab, 'Lock')
    tab.locator('.chip.locked').wait_for()
    press(tab, 'Delete')
    notice(tab, f'Object {first} is locked')
    assert rows(tab).count() == 2

    rows(tab).nth(1).dispatch_event('click')
    tab.locator(f'.row.on:not([data-sam3d-select="{first}"])').wait_for()
    press(tab, 'Delete')
    tab.wait_for_function("document.querySelectorAll('.sam3d .row').length == 1")

    with timed('save'):
        tab.get_by_text('Save', exact=True).dispatch_event('click')
        press(tab, 'Save scene')
        notice(tab, '1 objects in')
    (kept,) = read_scene(tmp_path / 'saved').objects
    assert (kept.id, kept.label, kept.locked) == (first, 'crate', True)
    assert len(read_scene(result).objects) == 2  # what was processed is as it was


def test_the_second_of_two_quick_phrases_is_heard(shown, tab):
    tab.goto(shown.url)
    rows(tab).first.wait_for()
    field(tab, 'Look for').evaluate(
        """(box, phrases) => {
            const {set} = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value');
            for (const phrase of phrases) {
                set.call(box, phrase);
                box.dispatchEvent(new Event('input', { bubbles: true }));
                box.form.requestSubmit();
            }
        }""",
        ['the blue thing', 'the red thing'],
    )
    selected(tab, colored(shown, 'red'))


def test_time_is_scrubbed_and_the_colours_show_the_evidence(shown, tab):
    tab.goto(shown.url)
    tab.get_by_text('4 of 4').wait_for()
    slider = tab.get_by_role('slider').first
    slider.focus()
    slider.press('Home')
    tab.get_by_text('1 of 4').wait_for()
    press(tab, 'Play')
    tab.get_by_text('4 of 4').wait_for()
    field(tab, 'Colours').click()
    tab.get_by_role('option', name='evidence').click()
    tab.get_by_text('contradicted').wait_for()
    blue, deadline = 0, monotonic() + SOON_MS / 1e3
    while blue < 200 and monotonic() < deadline:
        shot = tab.locator('canvas').first.screenshot()
        image = cv2.imdecode(np.frombuffer(shot, np.uint8), cv2.IMREAD_COLOR).astype(int)
        b, g, r = image[..., 0], image[..., 1], image[..., 2]
        blue = int(np.count_nonzero((b > 90) & (b - r > 60) & (b > g)))
    assert blue >= 200


def test_a_recording_takes_prompts_and_corrections(recording, tab, timed):
    with Recording(recording) as opened:
        readers = read_cameras(opened, [''], PointmapConfig())
        page = Page(ProcessedRecording(readers, Session.from_config(Config())))
        try:
            tab.goto(page.url)
            tab.get_by_text('All 4 frames are processed').wait_for()
            tab.wait_for_function("document.querySelectorAll('.sam3d-image path').length == 2")
            first = int(rows(tab).first.get_attribute('data-sam3d-select'))
            u, v = pixel_of(page, first)
            choose(tab, ADDS)
            click_in_image(tab, u, v)
            notice(tab, f'This is object {first}')
            answer = partial(page._source._session._prompts.answer, 1)
            choose(tab, ALSO)
            click_in_image(tab, u + 4, v + 4)
            soon(lambda: answer().prompt.labels == (1, 1))
            press(tab, 'Its own object')
            soon(lambda: answer().meant.apart)
            choose(tab, ADDS)
            second = next(it.id for it in page._moment.scene.objects if it.id != first)
            drag_box(tab, page, second)
            notice(tab, f'This is object {second}')
            selected(tab, second)
            rows(tab).first.dispatch_event('click')
            selected(tab, first)
            with timed('correct'):
                choose(tab, CORRECTS)
                click_in_image(tab, u, v)
                notice(tab, f'Object {first} is what lies there')
            for name in ('red', 'blue'):
                look_for(tab, f'the {name} thing')
                notice(tab, f'This is object {colored(page, name)}')
                selected(tab, colored(page, name))
            first = colored(page, 'blue')
            press(tab, 'Rebuild')
            notice(tab, f'Object {first} has a new shape')
        finally:
            page.close()


def soon(holds):
    """Wait until something holds."""
    deadline = monotonic() + SOON_MS / 1e3
    while not holds():
        assert monotonic() < deadline
        sleep(0.05)


def choose(tab, gesture):
    field(tab, 'A click').click()
    tab.get_by_role('option', name=gesture).click()
    soon(lambda: field(tab, 'A click').input_value() == gesture)


def test_a_picture_of_the_page_is_taken_without_a_window(result, tmp_path, chromium):
    picture = tmp_path / 'page.png'
    assert main(['view', str(result), '--screenshot', str(picture)]) == 0
    image = cv2.imread(str(picture)).astype(int)
    assert image.shape == (900, 1600, 3)
    b, _, r = np.moveaxis(image[:, 420:1240], 2, 0)  # between the panels
    assert np.count_nonzero(r - b > 80) > 200 and np.count_nonzero(b - r > 80) > 200


def test_a_browser_without_webgl_is_told(chromium, shown):
    context = chromium.new_context(viewport=WINDOW)
    context.add_init_script('HTMLCanvasElement.prototype.getContext = () => null')
    tab = context.new_page()
    tab.goto(shown.url)
    tab.get_by_text('This browser offers no WebGL 2').wait_for(timeout=SOON_MS)
    context.close()
