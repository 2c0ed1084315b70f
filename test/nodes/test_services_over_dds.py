# SPDX-License-Identifier: Apache-2.0
"""Services, prompts and the action of a live graph."""

import threading
import time
from concurrent.futures import Future

import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, PointStamped
from rclpy.action import ActionClient
from sam3d_msgs.action import Reconstruct
from sam3d_msgs.msg import Prompt
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
from sensor_msgs.msg import RegionOfInterest

from sam3d_ros.core.types import ExemplarPrompt, Instance, Instances
from sam3d_ros.messages import topics
from sam3d_ros.nodes.requests import BAD_REQUEST, NOT_FOUND, NOT_READY
from sam3d_ros.reconstruction.completion.lane import CompletionWorker

pytestmark = pytest.mark.dds

REMOVE = 1
HELD = 4


@pytest.fixture(scope='module')
def graph(ros):
    # A camera on a wrist: where it goes, the gripper goes.
    return ros.graph('/served', {'pointmaps.grippers': 'camera'})


def ids(message):
    return [item.id for item in message.objects]


def test_a_removed_object_is_gone_everywhere_within_a_second(graph, camera, objects, frames, play):
    markers, planner = graph.listen(topics.MARKERS), graph.listen(topics.COLLISION_OBJECTS)
    tf = graph.listen(topics.TF)
    play(camera, objects, frames(3))
    planner.wait(lambda m: m.id == 'object_1')
    objects.clear()
    tf.clear()
    assert graph.call(RemoveObject, 'scene/remove', id='1').success
    assert ids(objects.wait(lambda m: '1' not in ids(m), 1.0)) == ['2']
    markers.wait(lambda m: any(k.action == 2 and k.id == 1 for k in m.markers), 1.0)
    planner.wait(lambda m: m.id == 'object_1' and m.operation == REMOVE, 1.0)
    tf.wait(lambda m: [t.child_frame_id for t in m.transforms] == ['object_2'], 1.0)
    assert ids(play(camera, objects, frames(2))) == ['2'], 'it must not come back'
    for listener in (markers, planner, tf):
        listener.close()


def test_an_object_taken_away_is_gone_once_free_space_proves_it(camera, objects, frames, play):
    play(camera, objects, frames(3))
    left = (((0.0, 0.15, 0.06), (0.10, 0.08, 0.12), (200, 40, 40)),)
    assert len(ids(play(camera, objects, frames(6, boxes=left)))) == 1


def test_what_comes_back_has_its_id_until_a_clear(graph, camera, objects, frames, play):
    assert ids(play(camera, objects, frames(3))) == ['1', '2']
    play(camera, objects, frames(5, boxes=()))
    assert ids(play(camera, objects, frames(3))) == ['1', '2']
    assert graph.call(ClearScene, 'scene/clear').success
    assert ids(play(camera, objects, frames(3))) == ['1', '2']


def test_a_name_and_a_lock_stay_while_frames_go_on(graph, camera, objects, frames, play):
    play(camera, objects, frames(3))
    assert graph.call(EditObject, 'scene/edit', id='1', label='lid', locked=True).success
    objects.wait(lambda m: any((k.label, k.locked) == ('lid', True) for k in m.objects))
    last = play(camera, objects, frames(2))
    shown = {item.id: (item.label, item.locked) for item in last.objects}
    assert shown['1'] == ('lid', True) and not shown['2'][1]
    answer = graph.call(RemoveObject, 'scene/remove', id='1')
    assert (answer.success, answer.code) == (False, BAD_REQUEST)
    assert 'locked' in answer.message
    assert graph.call(EditObject, 'scene/edit', id='1', label='lid', locked=False).success
    assert graph.call(RemoveObject, 'scene/remove', id='1').success
    assert graph.call(EditObject, 'scene/edit', id='1').code == NOT_FOUND


def test_what_a_gripper_holds_moves_with_it_and_is_told(graph, camera, objects, frames, play):
    def height(item):
        return item.pose.pose.position.z

    before, other = play(camera, objects, frames(5)).objects
    answer = graph.call(HoldObject, 'scene/hold', id=before.id, gripper='hand')
    assert (answer.success, answer.code) == (False, BAD_REQUEST) and 'hand' in answer.message
    assert graph.call(HoldObject, 'scene/hold', id=before.id, gripper='camera').success
    raised = (0.9, 0.0, 0.9)
    last = play(camera, objects, frames(2, boxes=(), eye=raised))
    now = {item.id: item for item in last.objects}
    assert (now[before.id].held, now[other.id].held) == ('camera', '')
    assert height(now[before.id]) > height(before) + 0.05 and now[before.id].moved.sec > 0
    assert abs(height(now[other.id]) - height(other)) < 0.001
    told = [(item.subject, item.other) for item in last.relations if item.kind == HELD]
    assert told == [(before.id, 'camera')]
    objects.clear()
    assert graph.call(HoldObject, 'scene/hold', id=before.id, gripper='').success
    objects.wait(lambda m: not any(item.held for item in m.objects))


@pytest.mark.parametrize(('object_id', 'code'), [('77', NOT_FOUND), ('seven', BAD_REQUEST)])
def test_removing_what_is_not_there_says_so(graph, camera, objects, frames, play, object_id, code):
    play(camera, objects, frames(1))
    answer = graph.call(RemoveObject, 'scene/remove', id=object_id)
    assert (answer.success, answer.code) == (False, code)
    assert object_id in answer.message


def test_a_saved_scene_comes_back_after_a_clear_with_its_ids(
    graph, camera, objects, frames, play, tmp_path
):
    play(camera, objects, frames(5, boxes=()))
    play(camera, objects, frames(3))
    before = ids(objects.messages[-1])
    saved = graph.call(SaveScene, 'scene/save', path=str(tmp_path))
    assert saved.success and f'{len(before)} with a texture' in saved.message
    assert (tmp_path / 'scene.json').is_file()
    files = list((tmp_path / 'meshes').glob('*.glb'))
    assert len(files) == len(before)
    assert all(b'"baseColorTexture"' in file.read_bytes() for file in files)
    assert graph.call(ClearScene, 'scene/clear').success
    objects.clear()
    loaded = graph.call(LoadScene, 'scene/load', path=str(tmp_path))
    assert loaded.success, loaded.message
    assert list(loaded.ids) == before
    assert ids(objects.wait(lambda m: m.objects, 5.0)) == before
    again = graph.call(SaveScene, 'scene/save', path=str(tmp_path / 'again'))
    assert again.success and '0 with a texture' in again.message, 'their views are forgotten'
    assert ids(play(camera, objects, frames(2))) == before


def test_a_scene_without_shapes_yet_says_that_it_saves_points(
    graph, camera, objects, frames, play, tmp_path, monkeypatch
):
    lane = graph.nodes['objects']._lane
    monkeypatch.setattr(lane, 'ask', lambda jobs: None)
    (frame,) = frames(1)
    camera.show(frame)
    objects.wait(lambda m: len(m.objects) == 2)
    saved = graph.call(SaveScene, 'scene/save', path=str(tmp_path))
    assert saved.success
    assert saved.message.endswith('0 with a texture; without a shape yet, as points: 1, 2')


def test_a_texture_is_for_the_mesh_that_was_asked_for(graph, camera, objects, frames, play):
    item = play(camera, objects, frames(3)).objects[0]
    answer = graph.call(GetTexture, 'reconstruction/texture', id=item.id, mesh_hash=item.mesh_hash)
    assert answer.success, answer.message
    assert len(answer.uv) == 6 * len(item.mesh.triangles)
    assert bytes(answer.png[:4]) == b'\x89PNG'
    for changed, code in (
        ({'mesh_hash': '0' * 64}, NOT_FOUND),
        ({'id': '99'}, NOT_FOUND),
        ({'id': 'cup'}, BAD_REQUEST),
    ):
        fields = {'id': item.id, 'mesh_hash': item.mesh_hash} | changed
        answer = graph.call(GetTexture, 'reconstruction/texture', **fields)
        assert (answer.success, answer.code) == (False, code), answer.message


def test_loading_what_is_not_there_says_so(graph, objects, tmp_path):
    answer = graph.call(LoadScene, 'scene/load', path=str(tmp_path / 'nothing'))
    assert (answer.success, answer.code) == (False, BAD_REQUEST)
    assert 'nothing' in answer.message


def pixel_of(frame, center):
    from sam3d_ros.geometry.cameras import project
    from sam3d_ros.geometry.transforms import apply, inverse

    u, v = project(apply(inverse(frame.T_fixed_cam), center), frame.camera)
    return float(u), float(v)


def test_a_point_prompt_selects_the_object_under_it(graph, camera, objects, frames, play):
    shown = frames(3)
    play(camera, objects, shown)
    u, v = pixel_of(shown[-1], (0.05, -0.15, 0.08))
    prompt = Prompt(type=Prompt.POINTS, points=[Point(x=u, y=v)], labels=[1])
    answer = graph.call(AddPrompt, 'segmentation/add_prompt', prompt=prompt)
    assert answer.success, answer.message
    assert len(answer.track_ids) == 1
    assert len(ids(play(camera, objects, frames(2)))) == 2, 'it must not be there twice'


@pytest.mark.parametrize(
    ('prompt', 'code'),
    [
        (Prompt(type=Prompt.TEXT, text='mug'), BAD_REQUEST),
        (Prompt(type=Prompt.POINTS), BAD_REQUEST),
        (Prompt(type=9), BAD_REQUEST),
    ],
)
def test_a_prompt_that_cannot_be_served_says_why(
    graph, camera, objects, frames, play, prompt, code
):
    play(camera, objects, frames(1))
    answer = graph.call(AddPrompt, 'segmentation/add_prompt', prompt=prompt)
    assert (answer.success, answer.code) == (False, code)
    assert answer.message


def test_a_phrase_finds_objects_and_says_what_it_does_not_understand(
    graph, camera, objects, frames, play
):
    known = ids(play(camera, objects, frames(3)))
    answer = graph.call(FindObjects, 'scene/find', phrase='the leftmost thing')
    assert answer.success, answer.message
    assert len(answer.ids) == len(answer.scores) == len(answer.reasons) == 1
    assert answer.ids[0] in known and answer.presence > 0.5 and answer.frame == 'camera'
    absent = graph.call(FindObjects, 'scene/find', phrase='the turquoise ball')
    assert absent.success and not absent.ids and absent.presence < 0.5
    like = graph.call(FindObjects, 'scene/find', like=[known[0]])
    assert known[0] in like.ids
    for phrase in ('', 'the red elephant', 'the cup and the bowl'):
        refused = graph.call(FindObjects, 'scene/find', phrase=phrase)
        assert (refused.success, refused.code) == (False, BAD_REQUEST) and refused.message


def test_a_corrected_object_is_elsewhere_under_its_id(graph, camera, objects, frames, play):
    shown = frames(3)
    before = play(camera, objects, shown)
    u, v = pixel_of(shown[-1], (0.05, -0.15, 0.08))
    prompt = Prompt(type=Prompt.POINTS, points=[Point(x=u, y=v)])
    for object_id, asked, code in (
        ('77', prompt, NOT_FOUND),
        ('seven', prompt, BAD_REQUEST),
        ('1', Prompt(type=Prompt.TEXT, text='mug'), BAD_REQUEST),
        ('1', Prompt(type=Prompt.POINTS, points=[Point(x=900.0)]), BAD_REQUEST),
    ):
        answer = graph.call(CorrectObject, 'scene/correct', id=object_id, prompt=asked)
        assert (answer.success, answer.code) == (False, code), answer.message
    other = next(item.id for item in before.objects if item.pose.pose.position.y > 0)
    answer = graph.call(CorrectObject, 'scene/correct', id=other, prompt=prompt)
    assert answer.success, answer.message
    after = {item.id: item for item in play(camera, objects, frames(2)).objects}
    assert after[other].pose.pose.position.y < 0


class LikeInColor:
    """A segmenter that finds what has the colour in the middle of an exemplar's box."""

    concepts = True

    def __init__(self, usual):
        self.usual = usual

    def segment(self, frame, prompts=()):
        if not prompts:
            return self.usual.segment(frame)
        (prompt,) = prompts
        left, top, right, bottom = prompt.box_px
        wanted = prompt.frame.rgb[int(top + bottom) // 2, int(left + right) // 2].astype(int)
        like = np.abs(frame.rgb.astype(int) - wanted).max(axis=2) < 30
        rows, columns = np.nonzero(like)
        box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        return Instances(frame.stamp_ns, (Instance(like, 1.0, box, 'color:exemplar'),))


@pytest.fixture
def by_color(graph):
    """Return the session, served by colour for the time of a test."""
    session = graph.nodes['objects']._session
    usual = session.segmenter
    session.segmenter = LikeInColor(usual)
    yield session
    session.segmenter = usual
    graph.call(ClearScene, 'scene/clear')


def exemplar(frame, center):
    """Return a prompt by a box around a place as one frame shows it."""
    u, v = (round(value) for value in pixel_of(frame, center))
    box = RegionOfInterest(x_offset=u - 3, y_offset=v - 3, width=6, height=6)
    seconds, rest = divmod(frame.stamp_ns, 1_000_000_000)
    return Prompt(type=Prompt.EXEMPLAR, box=box, stamp=Time(sec=seconds, nanosec=rest))


def test_an_exemplar_may_be_shown_by_an_earlier_frame(
    graph, camera, objects, frames, play, by_color
):
    (earlier,) = frames(1, eye=(0.85, 0.3, 0.7))
    later = frames(3)
    play(camera, objects, [earlier, *later])
    place = (0.05, -0.15, 0.1)
    prompt = exemplar(earlier, place)
    answer = graph.call(AddPrompt, 'segmentation/add_prompt', prompt=prompt)
    assert answer.success, answer.message
    left, top = float(prompt.box.x_offset), float(prompt.box.y_offset)
    box_px = (left, top, left + 6, top + 6)
    (offline,) = by_color.segmenter.segment(later[-1], (ExemplarPrompt(box_px, earlier),)).items
    u, v = pixel_of(later[-1], place)
    assert offline.mask[round(v), round(u)], 'the object is elsewhere in the later frame'
    tracks = by_color._recent.at(None).tracks
    same = [
        str(track.id)
        for track in tracks.items
        if track.instance >= 0
        and (tracks.instances.items[track.instance].mask & offline.mask).sum()
        > offline.mask.sum() / 2
    ]
    assert list(answer.track_ids) == same
    assert len(same) == 1


def test_pixels_of_a_frame_that_is_no_longer_kept_are_refused_with_what_is_kept(
    graph, camera, objects, frames, play, by_color
):
    shown = frames(11)
    play(camera, objects, shown)
    answer = graph.call(
        AddPrompt, 'segmentation/add_prompt', prompt=exemplar(shown[0], (0.05, -0.15, 0.1))
    )
    assert (answer.success, answer.code) == (False, NOT_FOUND)
    assert '10 frames' in answer.message
    assert 'prompts.keep_frames' in answer.message


def test_clicks_in_rviz_and_in_the_image_reach_the_prompts(
    ros, graph, camera, objects, frames, play
):
    shown = frames(3)
    play(camera, objects, shown)
    u, v = pixel_of(shown[-1], (0.05, -0.15, 0.08))
    session = graph.nodes['objects']._session
    served = []
    original = session.question
    session.question = lambda *arguments: served.append(arguments[0]) or original(*arguments)
    in_image = ros.node.create_publisher(PointStamped, '/served/segmentation/prompt/point_px', 5)
    in_rviz = ros.node.create_publisher(PointStamped, '/served/clicked_point', 5)
    box = ros.node.create_publisher(RegionOfInterest, '/served/segmentation/prompt/box', 5)
    for publisher in (in_image, in_rviz, box):
        ros.until(lambda publisher=publisher: publisher.get_subscription_count() > 0)
    in_image.publish(PointStamped(point=Point(x=u, y=v)))
    ros.until(lambda: len(served) == 1)
    click = PointStamped(point=Point(x=0.05, y=-0.15, z=0.08))
    click.header.frame_id = 'world'
    in_rviz.publish(click)
    ros.until(lambda: len(served) == 2)
    assert abs(served[1].points_px[0][0] - u) < 1 and abs(served[1].points_px[0][1] - v) < 1
    region = RegionOfInterest(x_offset=int(u) - 20, y_offset=int(v) - 20, width=40, height=40)
    box.publish(region)
    ros.until(lambda: len(served) == 3)
    session.question = original


@pytest.fixture
def client(ros):
    client = ActionClient(ros.node, Reconstruct, '/served/reconstruction/reconstruct')
    assert client.wait_for_server(20.0)
    yield client
    client.destroy()


def result_of(future, timeout_s=20.0):
    done = threading.Event()
    future.add_done_callback(lambda _: done.set())
    assert done.wait(timeout_s)
    return future.result()


def test_reconstruct_makes_objects_again_with_feedback(camera, objects, frames, play, client):
    play(camera, objects, frames(3))
    heard = []
    goal = result_of(
        client.send_goal_async(
            Reconstruct.Goal(ids=['1', '2']), lambda m: heard.append(m.feedback)
        )
    )
    answer = result_of(goal.get_result_async())
    assert answer.status == GoalStatus.STATUS_SUCCEEDED, answer.result.message
    assert ids(answer.result) == ['1', '2']
    assert {item.header.frame_id for item in answer.result.objects} == {'world'}
    assert all(item.mesh.triangles for item in answer.result.objects)
    assert heard[0].stage and heard[0].fraction == 0.0
    assert [item.fraction for item in heard] == sorted(item.fraction for item in heard)


@pytest.mark.parametrize(
    ('goal', 'code'),
    [
        (Reconstruct.Goal(ids=['99']), NOT_FOUND),
        (Reconstruct.Goal(region=RegionOfInterest(width=3, height=3)), NOT_FOUND),
        (Reconstruct.Goal(ids=['1'], backend='no_such'), NOT_READY),
    ],
)
def test_a_goal_that_cannot_be_reached_is_aborted_with_the_reason(
    camera, objects, frames, play, client, goal, code
):
    play(camera, objects, frames(3))
    answer = result_of(result_of(client.send_goal_async(goal)).get_result_async())
    assert answer.status == GoalStatus.STATUS_ABORTED
    assert answer.result.code == code
    assert answer.result.message


@pytest.fixture
def begun(monkeypatch):
    """Let no shape that is asked for come; return the event that one is."""
    begun = threading.Event()

    def order(self, job):
        begun.set()
        return Future()

    monkeypatch.setattr(CompletionWorker, 'order', order)
    return begun


@pytest.fixture
def slow_graph(ros, frames, play):
    graph = ros.graph('/slow')
    camera, objects = graph.camera(), graph.listen(topics.OBJECTS)
    client = ActionClient(ros.node, Reconstruct, '/slow/reconstruction/reconstruct')
    assert client.wait_for_server(20.0)
    yield client, lambda count: play(camera, objects, frames(count, frame_id='slow_camera'))
    client.destroy()
    graph.close()


def test_poses_go_on_during_a_goal_and_a_cancel_takes_effect_within_half_a_second(
    begun, slow_graph
):
    client, show = slow_graph
    show(3)
    goal = result_of(client.send_goal_async(Reconstruct.Goal(ids=['1', '2'])))
    assert goal.accepted
    assert begun.wait(20.0)
    assert ids(show(2)) == ['1', '2']
    second = result_of(client.send_goal_async(Reconstruct.Goal(ids=['1'])))
    assert not second.accepted, 'one at a time'
    result = goal.get_result_async()
    asked = time.monotonic()
    assert result_of(goal.cancel_goal_async()).goals_canceling
    answer = result_of(result)
    assert answer.status == GoalStatus.STATUS_CANCELED
    assert time.monotonic() - asked < 0.5


def test_a_service_of_a_node_that_is_not_active_says_so(ros):
    from sam3d_ros.nodes.objects.objects_node import ObjectsNode

    arguments = ['--ros-args', '-p', 'node.autostart:=false']
    node = ObjectsNode(namespace='/asleep', cli_args=arguments)
    ros.spin(node)
    assert node.start()
    for kind, name, fields in (
        (ClearScene, 'scene/clear', {}),
        (AddPrompt, 'segmentation/add_prompt', {}),
        (CorrectObject, 'scene/correct', {'id': '1'}),
        (SaveScene, 'scene/save', {'path': 'x'}),
    ):
        answer = ros.call(kind, f'/asleep/{name}', **fields)
        assert (answer.success, answer.code) == (False, NOT_READY)
        assert 'objects is not active yet' in answer.message
    ros.destroy(node)
