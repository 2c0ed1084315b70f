# SPDX-License-Identifier: Apache-2.0
"""``sam3d demo`` in small: real processes, real DDS, the truth beside it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sam3d_ros.bags.recording import Recording
from sam3d_ros.messages import topics
from sam3d_ros.world.truth import read_truth

pytestmark = pytest.mark.dds

SMALL = ('--frames', '6', '--size', '320x240')
WAIT_S = 110.0


def start(out: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, '-m', 'sam3d_ros.cli.main', 'demo', '--out', str(out), *SMALL],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@pytest.fixture
def demo(tmp_path):
    process = start(tmp_path / 'demo')
    yield process, tmp_path / 'demo'
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_the_demo_leaves_what_it_promises_and_its_exit_code_is_its_verdict(demo):
    process, out = demo
    text, _ = process.communicate(timeout=WAIT_S)
    truth = read_truth(out / 'world')
    for solid in truth.objects:
        assert solid.name in text
    good = 'missing' not in text and 'more than' not in text
    assert process.returncode == (0 if good else 1), text
    assert 'with a texture' in text
    assert b'"baseColorTexture"' in (out / 'scene.glb').read_bytes()
    for name in ('scene.json', 'scene.glb', 'snapshot.png'):
        assert (out / name).stat().st_size > 100
    stamps = {frame.stamp_ns for frame in truth.frames}
    with Recording(out / 'result') as result:
        counts = {topic.name: topic.count for topic in result.topics}
        for topic in (topics.INSTANCES, topics.RECONSTRUCTIONS, topics.DETECTIONS):
            assert counts[topic.resolve()] == len(stamps), 'every frame came through'
        shown = list(result.messages([topics.DETECTIONS.resolve()]))
        assert {result.stamp_of(message) for message in shown} == stamps
        *_, last = result.messages([topics.OBJECTS.resolve()])
        assert result.stamp_of(last) == max(stamps), 'nothing is held back at the end'


def test_a_process_that_dies_ends_the_demo_and_leaves_none_behind(demo):
    process, _ = demo
    deadline = time.monotonic() + WAIT_S
    children: dict[str, int] = {}
    while 'objects' not in children:
        assert time.monotonic() < deadline and process.poll() is None
        children = nodes_below(process.pid)
    os.kill(children['objects'], signal.SIGKILL)
    text, _ = process.communicate(timeout=WAIT_S)
    assert process.returncode not in (0, None)
    assert 'objects died (signal SIGKILL)' in text
    assert 'Traceback' not in text
    assert not [name for name, pid in children.items() if Path(f'/proc/{pid}').exists()]


def nodes_below(parent: int) -> dict[str, int]:
    """Return the process ids of the nodes that a process has started, by node."""
    found = {}
    for folder in Path('/proc').glob('[0-9]*'):
        try:
            words = (folder / 'cmdline').read_bytes().decode().split('\0')
            ancestor = int((folder / 'stat').read_text().rpartition(')')[2].split()[1])
        except OSError:
            continue
        if ancestor == parent and 'sam3d_ros.nodes' in words:
            found[words[words.index('sam3d_ros.nodes') + 1]] = int(folder.name)
    return found
