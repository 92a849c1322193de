"""A local HTTP server that speaks chat completions, and misbehaves on request."""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, TypeAlias


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What the server sends back.

    Attributes:
        status: HTTP status.
        body: JSON-able body, or bytes to be sent as they are.
        headers: Added to the usual ones.
        hangs: Whether nothing is sent until the server closes.
        drops: Whether the connection is closed without an answer.
    """

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    hangs: bool = False
    drops: bool = False


Request: TypeAlias = dict[str, Any]
Responder: TypeAlias = Callable[[Request], Reply]


def answer(
    *texts: str,
    finish_reason: str = "stop",
    prompt_tokens: int = 11,
    completion_tokens: int = 7,
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
        "model": "tiny",
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


class OpenAIServer:
    """The server, running while the `with` block lasts.

    Attributes:
        requests: Bodies of the requests so far.
        authorizations: Their `Authorization` headers.
    """

    def __init__(self, replies: Sequence[Reply] | Responder) -> None:
        """Makes a server that gives the replies in order, the last one for ever."""
        self.requests: list[Request] = []
        self.authorizations: list[str] = []
        self._replies = replies
        self._closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
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
        if path != "/v1/chat/completions":
            return failure(404, f"No such address: {path}")
        self.requests.append(request)
        self.authorizations.append(authorization)
        if callable(self._replies):
            return self._replies(request)
        return self._replies[min(len(self.requests), len(self._replies)) - 1]

    def wait_for_close(self) -> None:
        self._closing.wait()


def _handler(owner: OpenAIServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            request = json.loads(self.rfile.read(length))
            authorization = self.headers.get("Authorization", "")
            reply = owner.reply_to(self.path, authorization, request)
            if reply.hangs:
                owner.wait_for_close()
            if reply.hangs or reply.drops:
                self.close_connection = True
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

        def log_message(self, format: str, *args: object) -> None:
            """Keeps the test's output clean."""

    return Handler
