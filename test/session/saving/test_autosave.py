# SPDX-License-Identifier: Apache-2.0
"""When a running session is saved, and what is said when that fails."""

import pytest

from sam3d_ros.session.saving.autosave import Autosave


class Store:
    """Counts saves; fails on demand."""

    folder = 'somewhere'

    def __init__(self, error=None):
        self.saved = []
        self.error = error

    def save(self, state):
        if self.error is not None:
            raise self.error
        self.saved.append(state)


def offered(autosave, content, state):
    """Offer a state, and wait until it is written."""
    autosave.offer(content, lambda: state)
    autosave._writing.result(5.0)


def test_what_must_not_be_lost_is_saved_at_once_and_the_rest_in_time():
    store = Store()
    autosave = Autosave(store, 3600.0, print)
    for content, state in (((1,), 'a'), ((1,), 'b'), ((1, 2), 'c'), ((1, 2), 'd')):
        offered(autosave, content, state)
    assert store.saved == ['a', 'c']
    autosave.close('last')
    assert store.saved == ['a', 'c', 'last']
    store = Store()
    autosave = Autosave(store, 0.0, print)
    for state in 'ab':
        offered(autosave, (1,), state)
    assert store.saved == ['a', 'b']


@pytest.mark.parametrize(
    'error', [OSError(28, 'No space left on device'), PermissionError(13, 'Permission denied')]
)
def test_a_full_disk_and_a_folder_that_is_read_only_are_said_once(error):
    said = []
    store = Store(error)
    autosave = Autosave(store, 0.0, said.append)
    for state in 'abc':
        offered(autosave, state, state)
    (sentence,) = said
    assert 'somewhere' in sentence and error.strerror in sentence
    assert 'session.folder' in sentence
    store.error = None
    offered(autosave, 'd', 'd')
    store.error = error
    autosave.close('e')
    assert len(said) == 2, 'what comes back is said again'
