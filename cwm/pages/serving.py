"""The server of `--live`: the page, and newer data for it while a run goes on.

Covers: two addresses on this machine only, read-only. A page of another site cannot
read them, even if its name is made to lead here (the Host header is compared).
Does not cover: other users of this machine, who can read what any local server shows.
"""

import json
import threading
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cwm.core.errors import ConfigError, CwmError
from cwm.pages.reading import Reader
from cwm.pages.writing import page_data, page_html

HOST = "127.0.0.1"
PAGE = "/"
DATA = "/data.json"

HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class LiveData:
    """The newest data of some runs; read again when a file has changed.

    Args:
        readers: One for each run.
    """

    def __init__(self, readers: Sequence[Reader]) -> None:
        self._readers = tuple(readers)
        self._reading = threading.Lock()
        self._known: tuple[str, dict[str, Any]] | None = None

    def signature(self) -> str:
        """Returns a text that changes when the data do."""
        return "-".join(reader.signature() for reader in self._readers)

    def get(self) -> tuple[str, dict[str, Any]]:
        """Returns the signature, and the data of a live page.

        Raises:
            CwmError: If a run cannot be read.
        """
        with self._reading:
            # First: what comes in while the files are read is seen the next time.
            signature = self.signature()
            if self._known is None or self._known[0] != signature:
                runs = [reader.read() for reader in self._readers]
                data = page_data(runs, is_live=True) | {"tag": signature}
                self._known = (signature, data)
            return self._known


class LiveServer(ThreadingHTTPServer):
    """Serves the page of some runs on this machine.

    Args:
        data: What it shows.
        port: Where; 0 takes a free one.

    Raises:
        ConfigError: If the port cannot be had.
    """

    daemon_threads = True

    def __init__(self, data: LiveData, port: int) -> None:
        self.data = data
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise ConfigError(
                f"port must be free, got {port}: {error.strerror}. Name another one, "
                "or 0 for any."
            ) from error

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://{HOST}:{self.server_port}{PAGE}"

    @property
    def hosts(self) -> tuple[str, ...]:
        """What requests may call this server."""
        return (f"{HOST}:{self.server_port}", f"localhost:{self.server_port}")


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD of the two addresses."""

    server: LiveServer
    server_version = "cwm"
    sys_version = ""

    def do_GET(self) -> None:
        if self.headers.get("Host") not in self.server.hosts:
            self._send(HTTPStatus.FORBIDDEN, "This server answers this machine only.")
            return
        answers: dict[str, Callable[[], None]] = {PAGE: self._page, DATA: self._data}
        answer = answers.get(self.path)
        if answer is None:
            self._send(HTTPStatus.NOT_FOUND, "There is nothing here.")
            return
        try:
            answer()
        except CwmError as error:
            self._send(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))

    def do_HEAD(self) -> None:
        self.do_GET()

    def _page(self) -> None:
        _, data = self.server.data.get()
        self._send(HTTPStatus.OK, page_html(data), media="text/html")

    def _data(self) -> None:
        tag = f'"{self.server.data.signature()}"'
        if self.headers.get("If-None-Match") == tag:
            self._send(HTTPStatus.NOT_MODIFIED, "")
            return
        signature, data = self.server.data.get()
        self._send(
            HTTPStatus.OK,
            json.dumps(data, allow_nan=False),
            media="application/json",
            tag=f'"{signature}"',
        )

    def _send(
        self, status: HTTPStatus, text: str, *, media: str = "text/plain", tag: str = ""
    ) -> None:
        body = text.encode("utf-8")
        self.send_response(status)
        self.send_header("Content-Type", f"{media}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        for name, value in HEADERS.items():
            self.send_header(name, value)
        if tag:
            self.send_header("ETag", tag)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: the page asks every few seconds."""
