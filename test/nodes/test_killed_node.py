# SPDX-License-Identifier: Apache-2.0
"""A process that is killed in the middle of the work costs frames in flight, and no object."""

import os
import signal
import threading
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from sam3d_ros.geometry.transforms import apply
from sam3d_ros.messages import topics
from sam3d_ros.messages.results.meshes import mesh_hash
from sam3d_ros.messages.results.scene import scene_from
from sam3d_ros.nodes.graph import GraphOptions
from sam3d_ros.nodes.processes import Processes

pytestmark = pytest.mark.dds

NAMESPACE = '/killed'
NINE = tuple(
    ((x, y, 0.04), (0.06, 0.07, 0.08), (60 + 300 * (x + 0.2), 120, 60 + 300 * (y + 0.2)))
    for x in (-0.25, 0.0, 0.25)
    for y in (-0.25, 0.0, 0.25)
)
SIZE = (320, 240)
PERIOD_S = 0.2


class Replay:
    """Shows frames of a camera that moves slowly, one after the other, whatever the nodes do."""

    def __init__(self, camera, frames):
        self._camera, self._frames = camera, frames
        self._stop = threading.Event()
        self.shown_ns = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        for at in count():
            eye = (0.8, 0.1 * np.sin(0.02 * at), 0.8)
            (frame,) = self._frames(1, boxes=NINE, eye=eye, size=SIZE)
            self._camera.show(frame)
            self.shown_ns = frame.stamp_ns
            if self._stop.wait(PERIOD_S):
                return

    def stop(self):
        self._stop.set()
        self._thread.join(10.0)


def stamp_ns(message) -> int:
    return message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec


def at_places(message):
    """Return for each of the nine boxes the object with a shape that stands there: within 1 cm."""
    found = {}
    for item in scene_from(message).objects:
        if not len(item.mesh.faces):
            continue
        place = apply(item.T_fixed_obj, item.box_center_m)
        for number, (center, *_) in enumerate(NINE):
            if np.linalg.norm((place - center)[:2]) < 0.01:
                found[number] = item
    return found


def shapes(found):
    """Return what tells the shapes of objects apart, by the number of their places."""
    return {number: mesh_hash(item.mesh) for number, item in found.items()}


def completion_worker(parent):
    """Return the process id of the worker that a node has started."""
    for folder in Path('/proc').glob('[0-9]*'):
        try:
            command = (folder / 'cmdline').read_bytes().decode()
            ancestor = int((folder / 'stat').read_text().rpartition(')')[2].split()[1])
        except OSError:
            continue
        if ancestor == parent and 'completion_worker' in command:
            return int(folder.name)
    raise AssertionError(f'no worker below {parent}')


def test_nine_objects_keep_ids_and_shapes_when_each_process_is_killed(ros, frames, tmp_path):
    options = GraphOptions(namespace=NAMESPACE, session=str(tmp_path / 'session'))
    objects, camera = ros.listener(topics.OBJECTS, NAMESPACE), ros.camera(NAMESPACE)

    def nine_after(moment_ns):
        """Wait for nine objects at their places in frames shown after a moment."""
        return at_places(
            objects.wait(lambda m: stamp_ns(m) > moment_ns and len(at_places(m)) == 9, 60.0)
        )

    with Processes(tmp_path) as processes:
        for node in options.nodes():
            processes.start(node.name, node.command())
        ros.until(lambda: camera.subscribers() > 0, 60.0)
        replay = Replay(camera, frames)
        objects.wait(lambda m: m.objects, 60.0)
        os.kill(completion_worker(processes.pid('objects')), signal.SIGKILL)
        nine_after(0)
        before, earlier = nine_after(replay.shown_ns + 2_000_000_000), {}
        while shapes(before) != earlier:
            # Shapes come when the new worker has made them; no process is killed before the last.
            earlier = shapes(before)
            before = nine_after(replay.shown_ns + 1_000_000_000)
        for name in ('pointmap', 'objects'):
            os.kill(processes.pid(name), signal.SIGKILL)
            killed_ns = replay.shown_ns
            processes.wait(name, 10.0)
            assert [death.name for death in processes.deaths()] == [name]
            processes.restart(name)
            after = nine_after(killed_ns + 1)
            for number, item in before.items():
                assert after[number].id == item.id, name
                assert after[number].first_seen_ns == item.first_seen_ns, name
                assert after[number].hits > item.hits, name
                np.testing.assert_allclose(after[number].size_m, item.size_m, atol=0.005)
        replay.stop()
        assert processes.stop() == []
    objects.close()
    camera.close()
