# SPDX-License-Identifier: Apache-2.0
"""Every transition of a node's life: what it makes, what it lets go of, and what it refuses."""

import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from sam3d_msgs.srv import ClearScene
from std_msgs.msg import Empty

from sam3d_ros.core.errors import ConfigurationError
from sam3d_ros.messages.topics import DETECTIONS
from sam3d_ros.nodes.managed_node import ManagedNode
from sam3d_ros.ros.spinning import Spinner, own_spun_node

pytestmark = pytest.mark.dds

CONFIGURE = Transition.TRANSITION_CONFIGURE
ACTIVATE = Transition.TRANSITION_ACTIVATE
DEACTIVATE = Transition.TRANSITION_DEACTIVATE
CLEANUP = Transition.TRANSITION_CLEANUP
SHUTDOWN = Transition.TRANSITION_UNCONFIGURED_SHUTDOWN


class Small(ManagedNode):
    """A node with one topic of each direction and a service, in whose steps things go wrong."""

    def __init__(self, context):
        super().__init__('small', {}, namespace='/life', context=context)
        self.fails: dict[str, Exception] = {}
        self.serve(ClearScene, 'ask', lambda request, response: 'served')

    def build(self):
        self.publish_topic(DETECTIONS)
        self.go('build')

    def connect(self):
        self.listen(Empty, 'heard', lambda message: None)
        self.on_close(lambda: self.go('close'))
        self.go('connect')

    def release(self):
        self.go('release')

    def go(self, step):
        if step in self.fails:
            raise self.fails.pop(step)

    def seen(self):
        """Return publishers and subscriptions of ours: what the state allows."""
        return self.count_publishers('/life/scene/detections'), self.count_subscribers(
            '/life/heard'
        )


@pytest.fixture
def small():
    with own_spun_node(Small) as node:
        yield node


@pytest.fixture
def asked(small):
    """Return a function that calls a service of the node as anybody would."""
    import rclpy

    asker = rclpy.create_node('asker', context=small.context)
    spinner = Spinner(asker)

    def ask(kind, name, **fields):
        client = asker.create_client(kind, f'/life/{name}')
        assert client.wait_for_service(10.0)
        answer = client.call(kind.Request(**fields), timeout_sec=10.0)
        assert answer is not None
        return answer

    yield ask
    spinner.close()
    asker.destroy_node()


@pytest.fixture
def change(asked):
    """Return a function that asks for a transition: whether it succeeded, and the state after."""

    def to(transition):
        answer = asked(ChangeState, 'small/change_state', transition=Transition(id=transition))
        return answer.success, asked(GetState, 'small/get_state').current_state.label

    return to


def test_each_state_has_what_it_should_and_nothing_else_twice_round(small, asked, change, capfd):
    for _ in range(2):
        assert small.seen() == (0, 0)
        assert change(CONFIGURE) == (True, 'inactive')
        assert small.seen() == (1, 0)
        refused = asked(ClearScene, 'ask')
        assert not refused.success and 'small is not active yet' in refused.message
        assert change(ACTIVATE) == (True, 'active')
        assert small.seen() == (1, 1)
        assert asked(ClearScene, 'ask').message == 'served'
        assert change(DEACTIVATE) == (True, 'inactive')
        assert small.seen() == (1, 0)
        assert change(CLEANUP) == (True, 'unconfigured')
    assert change(ACTIVATE) == (False, 'unconfigured')
    assert 'transition 3 refused: the node is unconfigured' in capfd.readouterr().err
    assert change(SHUTDOWN) == (True, 'finalized')


@pytest.mark.parametrize(
    ('before', 'step', 'transition', 'state', 'left'),
    [
        ([], 'build', CONFIGURE, 'unconfigured', (0, 0)),
        ([CONFIGURE], 'connect', ACTIVATE, 'inactive', (1, 0)),
    ],
    ids=['configure', 'activate'],
)
def test_what_cannot_be_done_is_refused_with_the_reason_and_leaves_nothing(
    small, change, capfd, before, step, transition, state, left
):
    for done in before:
        assert change(done)[0]
    small.fails[step] = ConfigurationError('no backend "x"', wanted='one of "a", "b"')
    assert change(transition) == (False, state)
    assert small.seen() == left
    assert 'no backend "x"' in capfd.readouterr().err
    assert change(transition)[0], 'it may be asked again'


@pytest.mark.parametrize(
    ('before', 'step', 'transition'),
    [
        ([], 'build', CONFIGURE),
        ([CONFIGURE], 'connect', ACTIVATE),
        ([CONFIGURE, ACTIVATE], 'close', DEACTIVATE),
        ([CONFIGURE], 'release', CLEANUP),
    ],
    ids=['configure', 'activate', 'deactivate', 'clean up'],
)
def test_after_an_error_the_node_has_let_go_of_everything_and_may_begin_anew(
    small, change, capfd, before, step, transition
):
    for done in before:
        assert change(done)[0]
    small.fails[step] = ZeroDivisionError('a mistake of ours')
    success, state = change(transition)
    assert not success and state == 'unconfigured'
    assert small.seen() == (0, 0)
    assert 'ZeroDivisionError: a mistake of ours' in capfd.readouterr().err
    for done in (CONFIGURE, ACTIVATE):
        assert change(done)[0]
    assert small.seen() == (1, 1)


def test_a_node_that_cannot_recover_from_an_error_is_finalized(small, change):
    assert change(CONFIGURE)[0]
    small.fails = {'connect': ZeroDivisionError('one'), 'release': ZeroDivisionError('two')}
    assert change(ACTIVATE) == (False, 'finalized')
