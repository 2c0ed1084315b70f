# SPDX-License-Identifier: Apache-2.0
"""The door of the page: one port, where the server of viser stands behind.

It serves the page with what the project adds to it, takes its events, and passes everything else
on. Beyond localhost only those come in who bring the token, once by the address, then by a cookie.
Pages of other sites get nothing done: events need a header that they may not send, and their
sockets come with another origin.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import viser

from sam3d_ros.core.errors import ConfigurationError

LOCAL = ('127.0.0.1', 'localhost', '::1')
COOKIE = 'sam3d_token'
MOST_HEAD = 64 * 1024
_CHUNK = 256 * 1024
_PAGE = Path(viser.__file__).parent / 'client' / 'build' / 'index.html'
_ADDED = Path(__file__).with_name('page.html')
_REASONS = {200: 'OK', 204: 'No Content', 302: 'Found', 403: 'Forbidden', 502: 'Bad Gateway'}

OnEvent = Callable[[str, Mapping[str, str]], None]


class Gate:
    """Listens until closed.

    :param host: to listen at; other than localhost, a token is asked for.
    :param port: 0 = any that is free.
    :param inner_port: where the server of viser listens, on this machine.
    :param on_event: called in the gate's thread with the name of an event and its values.
    :param token: what visitors must bring; None = made up here where one is needed.
    :raises ConfigurationError: when the port is taken or the host is not this machine's.
    """

    def __init__(
        self, host: str, port: int, inner_port: int, on_event: OnEvent, token: str | None = None
    ) -> None:
        self.token = token or ('' if host in LOCAL else secrets.token_urlsafe(16))
        self._inner_port = inner_port
        self._on_event = on_event
        self._page = _PAGE.read_bytes().replace(
            b'<title>Viser</title>', b'<title>sam3d</title>' + _ADDED.read_bytes(), 1
        )
        family = socket.AF_INET6 if ':' in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
            self._socket.listen()
        except OSError as error:
            self._socket.close()
            raise ConfigurationError(
                f'the page cannot have port {port} of {host}: {error.strerror}',
                wanted='a free port of this machine',
                remedy='Name another one by --port; 0 takes any that is free.',
            ) from error
        self.port = int(self._socket.getsockname()[1])
        self.url = f'http://{"localhost" if host in LOCAL else host}:{self.port}/'
        if self.token:
            self.url += f'?token={self.token}'
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name='gate', daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let nobody in any more, and end all that goes through."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(2.0)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        serving = self._loop.run_until_complete(
            asyncio.start_server(self._serve, sock=self._socket, limit=MOST_HEAD)
        )
        self._loop.run_forever()
        serving.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b'\r\n\r\n')
            await self._answer(head, reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the visitor has left, or speaks something else than HTTP
        except asyncio.CancelledError:
            pass  # the gate closes
        finally:
            writer.close()

    async def _answer(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        first, *lines = head.decode('latin-1').split('\r\n')
        method, target, *_ = [*first.split(' '), '', '']
        fields = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(':') for line in lines if line)
        }
        address = urlsplit(target)
        values = dict(parse_qsl(address.query))
        origin = fields.get('origin', '')
        is_ours = not origin or urlsplit(origin).netloc == fields.get('host', '')
        if not self._knows(values.get('token', ''), fields.get('cookie', '')):
            text = 'This page needs the token that "sam3d view" has printed: ?token=...'
            await _reply(writer, 403, text.encode(), 'text/plain; charset=utf-8')
        elif self.token and values.get('token') and method == 'GET':
            cookie = f'Set-Cookie: {COOKIE}={self.token}; HttpOnly; SameSite=Strict; Path=/\r\n'
            await _reply(writer, 302, extra=f'Location: {address.path or "/"}\r\n{cookie}')
        elif not is_ours:
            await _reply(writer, 403, b'A page of another site.', 'text/plain')
        elif address.path.startswith('/sam3d/'):
            if method == 'POST' and fields.get('x-sam3d'):
                self._on_event(address.path.removeprefix('/sam3d/'), values)
                await _reply(writer, 204)
            else:
                await _reply(writer, 403, b'Only the page itself may ask for this.', 'text/plain')
        elif address.path in ('', '/') and fields.get('upgrade', '').lower() != 'websocket':
            await _reply(writer, 200, self._page, 'text/html; charset=utf-8')
        else:
            await self._pass_on(head, reader, writer)

    def _knows(self, brought: str, cookies: str) -> bool:
        if not self.token:
            return True
        kept = ''
        with suppress(CookieError):
            morsel = SimpleCookie(cookies).get(COOKIE)
            kept = morsel.value if morsel else ''
        return any(
            secrets.compare_digest(it.encode(), self.token.encode()) for it in (brought, kept)
        )

    async def _pass_on(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Pass bytes both ways until one end closes; a slow end holds up nobody but itself."""
        try:
            inner = await asyncio.open_connection('127.0.0.1', self._inner_port)
        except OSError:
            await _reply(writer, 502, b'The viewer is closing.', 'text/plain')
            return
        inner[1].write(head)
        ways = [
            asyncio.ensure_future(_pump(reader, inner[1])),
            asyncio.ensure_future(_pump(inner[0], writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            inner[1].close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()


async def _reply(
    writer: asyncio.StreamWriter, code: int, body: bytes = b'', kind: str = '', extra: str = ''
) -> None:
    head = f'HTTP/1.1 {code} {_REASONS[code]}\r\nContent-Length: {len(body)}\r\n'
    head += f'Content-Type: {kind}\r\n' if kind else ''
    head += f'Connection: close\r\nCache-Control: no-store\r\n{extra}\r\n'
    writer.write(head.encode('latin-1') + body)
    with suppress(OSError):
        await writer.drain()
