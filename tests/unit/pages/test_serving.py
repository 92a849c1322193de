import http.client
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from cwm.core.errors import ConfigError, DataError
from cwm.pages.serving import LiveData, LiveServer


@dataclass
class Reader:
    """Stands for the reader of a run.

    Attributes:
        version: What changes when the run does.
        num_read: How often it was read.
        fails: Whether the run cannot be read.
    """

    version: int = 0
    num_read: int = 0
    fails: bool = False
    data: dict = field(default_factory=dict)

    def signature(self) -> str:
        return str(self.version)

    def read(self) -> dict:
        self.num_read += 1
        if self.fails:
            raise DataError("The journal is damaged.")
        return {"name": "run", "environment": "E", "settings": {}, "n": self.version}


@pytest.fixture
def reader() -> Reader:
    return Reader()


@pytest.fixture
def server(reader: Reader) -> Iterator[LiveServer]:
    with LiveServer(LiveData([reader]), 0) as found:  # type: ignore[list-item]
        thread = threading.Thread(target=found.serve_forever, args=(0.02,))
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def ask(
    server: LiveServer, path: str, *, method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, headers=names)
    answer = connection.getresponse()
    found = (answer.status, dict(answer.getheaders()), answer.read())
    connection.close()
    return found


def test_the_page_and_its_data_are_served(server: LiveServer) -> None:
    status, headers, body = ask(server, "/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b"<title>E</title>" in body
    status, headers, body = ask(server, "/data.json")
    data = json.loads(body)
    assert (status, data["live"], data["runs"][0]["n"]) == (200, True, 0)
    assert headers["ETag"] == f'"{data["tag"]}"'
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_data_are_sent_when_they_have_changed_and_read_only_then(
    server: LiveServer, reader: Reader
) -> None:
    _, headers, _ = ask(server, "/data.json")
    tag = headers["ETag"]
    assert ask(server, "/data.json", If_None_Match=tag)[0] == 304
    ask(server, "/")
    assert reader.num_read == 1
    reader.version = 1
    status, headers, body = ask(server, "/data.json", If_None_Match=tag)
    assert (status, json.loads(body)["runs"][0]["n"]) == (200, 1)
    assert headers["ETag"] != tag
    assert reader.num_read == 2


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "localhost:1", ""])
def test_other_names_for_this_machine_are_refused(
    server: LiveServer, host: str
) -> None:
    """A page of another site whose name leads here must not read it."""
    assert ask(server, "/data.json", Host=host)[0] == 403


def test_its_own_names_are_not(server: LiveServer) -> None:
    host = f"localhost:{server.server_port}"
    assert ask(server, "/data.json", Host=host)[0] == 200


@pytest.mark.parametrize(
    "path",
    ["/config.json", "/../etc/passwd", "/data.json/", "/data.json?x", "*"],
)
def test_nothing_else_is_served(server: LiveServer, path: str) -> None:
    assert ask(server, path)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_sent(server: LiveServer, method: str) -> None:
    assert ask(server, "/", method=method)[0] == 501


def test_a_head_has_no_body(server: LiveServer) -> None:
    status, headers, body = ask(server, "/", method="HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["Content-Length"]) > 100_000


def test_a_run_that_cannot_be_read_is_an_answer_and_not_the_end(
    server: LiveServer, reader: Reader
) -> None:
    reader.fails = True
    status, _, body = ask(server, "/data.json")
    assert (status, body) == (500, b"The journal is damaged.")
    reader.fails = False
    assert ask(server, "/data.json")[0] == 200


def test_a_port_that_is_taken_is_told(server: LiveServer) -> None:
    with pytest.raises(
        ConfigError, match=f"port must be free, got {server.server_port}"
    ):
        LiveServer(LiveData([]), server.server_port)
