"""A local HTTP server that speaks chat completions, and misbehaves on request."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, TypeAlias


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What the server sends back.

    Attributes:
        status: HTTP status.
        body: JSON-able body, or bytes to be sent as they are.
        headers: Added to the usual ones.
        hangs: Whether nothing is sent until the server closes.
        drops: Whether the connection is closed without an answer.
        dribbles: Whether blanks are sent for ever, one at a time: `"headers"`
            in place of the headers, `"body"` after them.
    """

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    hangs: bool = False
    drops: bool = False
    dribbles: Literal["no", "headers", "body"] = "no"


Request: TypeAlias = dict[str, Any]
Responder: TypeAlias = Callable[[Request], Reply]


def answer(
    *texts: str,
    finish_reason: str = "stop",
    prompt_tokens: int = 11,
    completion_tokens: int = 7,
    model: str = "tiny",
) -> Reply:
    """A chat completion with one choice for each text."""
    choices = [
        {
            "index": index,
            "finish_reason": finish_reason,
            "message": {"role": "assistant", "content": text},
        }
        for index, text in enumerate(texts)
    ]
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": choices,
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    }
    return Reply(body=body)


def failure(
    status: int,
    message: str,
    *,
    code: str | None = None,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """An error in OpenAI's form."""
    error = {"message": message, "type": "error", "code": code, "param": param}
    return Reply(status=status, body={"error": error}, headers=headers or {})


def models(*ids: str, owned_by: str) -> Reply:
    """A list of models, from which the kind of server can be told."""
    data = [{"id": id, "object": "model", "owned_by": owned_by} for id in ids]
    return Reply(body={"object": "list", "data": data})


NO_MODELS = failure(404, "Not Found")


class OpenAIServer:
    """The server, running while the `with` block lasts.

    Attributes:
        requests: Bodies of the requests so far.
        authorizations: Their `Authorization` headers.
        paths: Paths of all requests with a body.
        num_model_lists: How often the list of models was asked for.
    """

    def __init__(
        self,
        replies: Sequence[Reply] | Responder,
        *,
        models: Reply = NO_MODELS,
        others: Mapping[str, Responder] | None = None,
    ) -> None:
        """Makes a server that gives the replies in order, the last one for ever.

        Args:
            replies: To requests for completions.
            models: To requests for the list of models.
            others: Path -> who replies to requests there.
        """
        self._others = others or {}
        self.paths: list[str] = []
        self.num_model_lists = 0
        self._models = models
        self.requests: list[Request] = []
        self.authorizations: list[str] = []
        self._replies = replies
        self._closing = threading.Event()
        self._server = ThreadingHTTPServer(
            ("127.0.0.1", 0), type("Handler", (_Handler,), {"owner": self})
        )
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}
        )

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> "OpenAIServer":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def reply_to(self, path: str, authorization: str, request: Request) -> Reply:
        self.paths.append(path)
        if path in self._others:
            return self._others[path](request)
        if path != "/v1/chat/completions":
            return failure(404, f"No such address: {path}")
        self.requests.append(request)
        self.authorizations.append(authorization)
        if callable(self._replies):
            return self._replies(request)
        return self._replies[min(len(self.requests), len(self._replies)) - 1]

    def reply_to_get(self, path: str) -> Reply:
        if path != "/v1/models":
            return failure(404, f"No such address: {path}")
        self.num_model_lists += 1
        return self._models

    def wait_for_requests(self, number: int) -> None:
        """Waits until so many requests have come.

        Raises:
            TimeoutError: If they do not.
        """
        deadline = time.monotonic() + 30.0
        while len(self.requests) < number:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(self.requests)} of {number} requests came.")
            time.sleep(0.01)

    def wait_for_close(self, timeout_s: float | None = None) -> bool:
        return self._closing.wait(timeout_s)


class _Handler(BaseHTTPRequestHandler):
    owner: OpenAIServer

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        request = json.loads(self.rfile.read(length))
        authorization = self.headers.get("Authorization", "")
        self.send(self.owner.reply_to(self.path, authorization, request))

    def do_GET(self) -> None:
        self.send(self.owner.reply_to_get(self.path))

    def send(self, reply: Reply) -> None:
        if reply.hangs:
            self.owner.wait_for_close()
        if reply.hangs or reply.drops:
            self.close_connection = True
            return
        if reply.dribbles == "headers":
            self.dribble(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            return
        body = reply.body
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(reply.status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(data)),
            **reply.headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
        if reply.dribbles == "body":
            self.dribble(b"")

    def dribble(self, start: bytes) -> None:
        # The client is expected to hang up; the server then stops.
        with contextlib.suppress(OSError):
            self.wfile.write(start)
            while not self.owner.wait_for_close(0.01):
                self.wfile.write(b" ")

    def log_message(self, format: str, *args: object) -> None:
        """Keeps the test's output clean."""
