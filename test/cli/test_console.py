# SPDX-License-Identifier: Apache-2.0
"""Whoever waits at a terminal sees that something goes on; files of output stay clean."""

import io

from sam3d_ros.cli.console import progress, working


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


def test_work_of_unknown_length_is_shown_on_a_terminal_alone(monkeypatch):
    for stream, is_shown in ((Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr('sys.stderr', stream)
        with working('bench tracking'):
            pass
        assert ('bench tracking' in stream.getvalue()) == is_shown


def test_progress_is_a_bar_on_a_terminal_and_few_lines_elsewhere(monkeypatch):
    shown = {}
    for stream in (Terminal(), io.StringIO()):
        monkeypatch.setattr('sys.stderr', stream)
        with progress('views read') as show:
            for done in range(1, 101):
                show(done, 100)
        shown[type(stream)] = stream.getvalue()
    assert '100/100' in shown[Terminal]
    assert shown[io.StringIO].splitlines() == [
        f'views read: {done} of 100' for done in range(10, 101, 10)
    ]
