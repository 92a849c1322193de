"""Requests over HTTP, through the package openai: one attempt each, with a deadline."""

import contextlib
import importlib
import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from cwm.core.errors import PrerequisiteError
from cwm.llm.deadlines import BoundedCalls
from cwm.llm.failures import (
    Asked,
    malformed,
    refused_parameter,
    service_error,
    status_error,
)
from cwm.llm.retrying import ServiceError
from cwm.llm.servers import UNKNOWN_SERVER, Server, read_server

_CONNECT_TIMEOUT_S = 30.0


class RefusedParameter(Exception):  # noqa: N818 - a turn of the talk, not a fault
    """The service refuses a request because of one of its parameters.

    Attributes:
        parameter: Its name.
        failure: What to raise if the request cannot do without it.
    """

    def __init__(self, parameter: str, failure: ServiceError) -> None:
        super().__init__(parameter)
        self.parameter = parameter
        self.failure = failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One address that speaks OpenAI's protocol.

    Attributes:
        base_url: The address.
        api_key: The key that is sent.
    """

    base_url: str
    api_key: str = field(repr=False)

    def chat(
        self, parameters: Mapping[str, Any], *, asked: Asked, calls: BoundedCalls
    ) -> Any:
        """Returns the body of a chat completion.

        Args:
            parameters: The request's body.
            asked: Whom the call asks, and how long it may take.
            calls: Where it runs.

        Raises:
            ServiceError: If there is none.
            RefusedParameter: If the service names a parameter that it does not take.
            CallClosed: If the calls are closed.
        """

        async def send(client: Any) -> Any:
            usual, others = _split(parameters, ("model", "messages"))
            create = client.chat.completions.with_raw_response.create
            return await create(**usual, extra_body=others)

        return self._body(send, asked=asked, calls=calls)

    def complete_text(
        self, parameters: Mapping[str, Any], *, asked: Asked, calls: BoundedCalls
    ) -> Any:
        """Returns the body of a completion of a text; otherwise as `chat`."""

        async def send(client: Any) -> Any:
            usual, others = _split(parameters, ("model", "prompt"))
            create = client.completions.with_raw_response.create
            return await create(**usual, extra_body=others)

        return self._body(send, asked=asked, calls=calls)

    def beside(
        self,
        path: str,
        parameters: Mapping[str, Any],
        *,
        asked: Asked,
        calls: BoundedCalls,
    ) -> Any:
        """Returns the body of an answer from beside `/v1`; otherwise as `chat`.

        Args:
            path: What follows the address without `/v1`, such as `/tokenize`.
            parameters: The request's body.
            asked: As for `chat`.
            calls: As for `chat`.
        """
        root = self.base_url.rstrip("/").removesuffix("/v1")

        async def send(client: Any) -> Any:
            return await client.post(
                f"{root}{path}", body=dict(parameters), cast_to=object
            )

        return self._body(send, asked=asked, calls=calls)

    def _body(
        self,
        send: Callable[[Any], Coroutine[Any, Any, Any]],
        *,
        asked: Asked,
        calls: BoundedCalls,
    ) -> Any:
        openai = import_openai()

        async def exchange() -> Any:
            async with self._client(asked.timeout_s) as client:
                return await send(client)

        try:
            response = calls.run(exchange, timeout_s=asked.timeout_s)
        except openai.APIStatusError as error:
            failure = service_error(error, asked)
            parameter = refused_parameter(int(error.status_code), error.body)
            if parameter is not None:
                raise RefusedParameter(parameter, failure) from error
            raise failure from error
        except (openai.OpenAIError, TimeoutError) as error:
            raise service_error(error, asked) from error
        if isinstance(response, (dict, list, str)):
            return response  # The client has read it already.
        kind = str(response.headers.get("content-type", ""))
        return _read_body(kind, response.text, asked)

    async def server(self) -> Server:
        """Returns what the endpoint says that it is.

        Raises:
            ServiceError: If it could not be asked.
        """
        openai = import_openai()
        try:
            async with self._client(_CONNECT_TIMEOUT_S) as client:
                response = await client.models.with_raw_response.list()
                return read_server(response.text)
        except openai.APIStatusError:
            return UNKNOWN_SERVER  # It is there, and has no list of models.
        except openai.OpenAIError as error:
            message = f"{self.base_url} could not be asked for its models."
            raise ServiceError(message, retryable=True) from error

    def _client(self, timeout_s: float) -> Any:
        # A client for each call: against the seconds that an answer takes, a
        # connection costs nothing, and so nobody has to close anything.
        openai = import_openai()
        timeout = openai.Timeout(timeout_s, connect=min(timeout_s, _CONNECT_TIMEOUT_S))
        return openai.AsyncOpenAI(
            api_key=self.api_key,
            base_url=self.base_url,
            timeout=timeout,
            max_retries=0,  # Ours say what happened, and honour any Retry-After.
            # A proxy for the outside world cannot reach a server on this machine.
            http_client=openai.DefaultAsyncHttpxClient(
                timeout=timeout, trust_env=not self._is_local, verify=_certificates()
            ),
        )

    @property
    def _is_local(self) -> bool:
        return urlsplit(self.base_url).hostname in ("localhost", "127.0.0.1", "::1")


def import_openai() -> ModuleType:
    """Returns the package openai.

    Raises:
        PrerequisiteError: If it is missing.
    """
    try:
        import openai  # noqa: PLC0415 - half a second that other runs do not need
    except ImportError as error:
        raise PrerequisiteError(
            "--llm openai:MODEL needs the package openai: pip install openai"
        ) from error
    return openai


@lru_cache(maxsize=1)
def _certificates() -> Any:
    """Returns whom a client trusts; reading that takes longer than all else in it."""
    for library in ("httpx2", "httpx"):  # What openai is built on, since 3 and before.
        with contextlib.suppress(ImportError):
            return importlib.import_module(library).create_ssl_context()
    return True


def _split(
    parameters: Mapping[str, Any], names: Sequence[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the parameters of these names, and the others.

    The client checks the names of what it takes as arguments, and not every server's
    parameters are among them.
    """
    usual = {name: parameters[name] for name in names}
    return usual, {k: v for k, v in parameters.items() if k not in usual}


def _read_body(kind: str, text: str, asked: Asked) -> Any:
    try:
        body = json.loads(text)
    except ValueError as error:
        # A page instead of an answer usually comes from something in between.
        is_json = "json" in kind.lower()
        what = "its JSON is cut off or wrong" if is_json else f"it is {kind or 'empty'}"
        raise malformed(what, asked) from error
    stated = body.get("error") if isinstance(body, dict) else None
    if stated and not body.get("choices"):
        # Some services put a failure into an answer with the status of success.
        code = stated.get("code") if isinstance(stated, dict) else None
        status = code if isinstance(code, int) and code >= 400 else 500
        raise status_error(status, stated, headers={}, asked=asked)
    return body
