# SPDX-License-Identifier: Apache-2.0
"""Who comes in at the door of the page, and what a visitor who hangs costs the others."""

import http.client
import socket
import threading
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest
import viser
import zstandard
from made_up_scenes import ball, scene, scene_object
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from sam3d_ros.core.errors import ConfigurationError
from sam3d_ros.viewer.gate import COOKIE, Gate
from sam3d_ros.viewer.moments import Moment, Timeline
from sam3d_ros.viewer.page import Page

PROTOCOL = f'viser-v{viser.__version__}'


@pytest.fixture
def inner():
    """A server behind the gate that says which path was asked for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.path.encode())

        def log_message(self, *arguments):
            pass

    server = HTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()


@pytest.fixture
def events():
    return []


@pytest.fixture
def gate(inner, events):
    made = Gate('localhost', 0, inner, lambda name, values: events.append((name, dict(values))))
    yield made
    made.close()


def ask(gate, path, method='GET', **headers):
    connection = http.client.HTTPConnection('127.0.0.1', gate.port, timeout=10)
    connection.request(method, path, headers={k.replace('_', '-'): v for k, v in headers.items()})
    answer = connection.getresponse()
    return answer.status, answer.read().decode(), dict(answer.getheaders())


def test_the_page_stands_at_the_door_and_the_rest_behind_it(gate):
    code, text, _ = ask(gate, '/')
    assert code == 200 and '<title>sam3d</title>' in text and 'no WebGL 2' in text
    assert ask(gate, '/hdri/x.hdr?a=1')[:2] == (200, '/hdri/x.hdr?a=1')


def test_only_the_page_itself_sends_events(gate, events):
    assert ask(gate, '/sam3d/select?id=3', 'POST')[0] == 403
    assert ask(gate, '/sam3d/select?id=3', X_Sam3d='1')[0] == 403
    elsewhere = {'X_Sam3d': '1', 'Origin': 'http://elsewhere.example'}
    assert ask(gate, '/sam3d/select?id=3', 'POST', **elsewhere)[0] == 403
    assert ask(gate, '/', Origin='http://elsewhere.example')[0] == 403
    assert events == []
    assert ask(gate, '/sam3d/select?id=3', 'POST', X_Sam3d='1')[0] == 204
    assert events == [('select', {'id': '3'})]


def test_beyond_localhost_it_takes_a_token_and_then_a_cookie(inner):
    gate = Gate('0.0.0.0', 0, inner, lambda *_: None)
    try:
        assert len(gate.token) > 15 and gate.url.endswith(f'?token={gate.token}')
        assert ask(gate, '/')[0] == 403
        assert ask(gate, '/?token=wrong')[0] == 403
        assert ask(gate, '/x', Cookie=f'{COOKIE}=wrong')[0] == 403
        code, _, headers = ask(gate, f'/?token={gate.token}')
        assert (code, headers['Location']) == (302, '/')
        cookie = headers['Set-Cookie'].partition(';')[0]
        assert 'HttpOnly' in headers['Set-Cookie']
        assert ask(gate, '/', Cookie=cookie)[0] == 200
        assert ask(gate, '/x', Cookie=cookie)[:2] == (200, '/x')
    finally:
        gate.close()


def test_a_busy_port_is_told(inner):
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf'port {port} of localhost.*--port'):
            Gate('localhost', port, inner, lambda *_: None)


def test_nonsense_at_the_door_ends_nothing(gate):
    for sent in (b'\0\xff\r\n\r\n', b'GET\r\n\r\n', b'GET / HTTP/1.1\r\n', b'x' * 100_000):
        with socket.create_connection(('127.0.0.1', gate.port)) as visitor:
            visitor.sendall(sent)
    assert ask(gate, '/')[0] == 200


class Showing:
    """A source of one scene."""

    can = frozenset()
    is_live = True

    def __init__(self):
        self.timeline = Timeline()
        self.timeline.add(Moment(1, scene(scene_object(7))))

    def status(self):
        return 'showing'

    def close(self):
        pass


def test_ten_visitors_see_what_changes_while_one_hangs():
    source = Showing()
    page = Page(source)
    address = page.url.replace('http', 'ws')
    visitors = [connect(address, subprotocols=[PROTOCOL], max_size=2**27) for _ in range(11)]
    hung, *others = visitors
    hung.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    heard = [threading.Event() for _ in others]
    wanted = b'object 4242'

    def read(visitor, event):
        with suppress(ConnectionClosed):
            for data in visitor:
                size = int.from_bytes(data[8:16], 'little')
                if wanted in zstandard.ZstdDecompressor().decompress(data[16 : 16 + size]):
                    event.set()

    for visitor, event in zip(others, heard, strict=True):
        threading.Thread(target=read, args=(visitor, event), daemon=True).start()
    try:
        # More than the buffers of the one who does not read can hold.
        rng = np.random.default_rng(0)
        for number in range(2, 12):
            noise = rng.normal(size=(200_000, 3)).astype(np.float32)
            bare = replace(
                ball(),
                vertices_m=noise,
                faces=ball().faces[:0],
                colors=(noise > 0) * np.uint8(255),
            )
            source.timeline.add(Moment(number, scene(replace(scene_object(9), mesh=bare))))
        source.timeline.add(Moment(99, scene(scene_object(4242))))
        assert all(event.wait(20.0) for event in heard)
    finally:
        page.close()
        for visitor in visitors:
            visitor.socket.close()
