"""Calls to a service that may fail: attempts, pauses, deadlines, and giving up."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from cwm.core.errors import LLMError
from cwm.llm.deadlines import BoundedCalls, CallClosed, Deadline
from cwm.llm.endpoint import Endpoint, RefusedParameter
from cwm.llm.failures import Asked
from cwm.llm.retrying import RetryConfig, ServiceError, call_with_retries
from cwm.llm.servers import UNKNOWN_SERVER, Server

Result = TypeVar("Result")

_PROBE_TIMEOUT_S = 10.0
"""A list of models needs no model: a server that takes longer hangs."""


@dataclass(slots=True, kw_only=True)
class Service:
    """One endpoint, and how patiently it is asked. May be used by several threads.

    Attributes:
        endpoint: Who is asked.
        model: The model that is asked for, for messages.
        request_timeout_s: Longest time of one attempt, in seconds.
        call_timeout_s: Longest time of all attempts and pauses, in seconds.
        retry: How passing failures are repeated.
        sleep: Waits between attempts; `None` waits until the service is closed.
        clock: Gives the time for `call_timeout_s`, in seconds.
        rng: Spreads the pauses.
    """

    endpoint: Endpoint
    model: str
    request_timeout_s: float
    call_timeout_s: float
    retry: RetryConfig
    sleep: Callable[[float], None] | None
    clock: Callable[[], float]
    rng: np.random.Generator
    _calls: BoundedCalls = field(init=False, default_factory=BoundedCalls)

    def deadline(self) -> Deadline:
        """Returns the deadline of a call that begins now."""
        return Deadline(self.call_timeout_s, clock=self.clock)

    def call(
        self,
        attempt: Callable[[Asked, BoundedCalls], Result],
        deadline: Deadline | None = None,
    ) -> Result:
        """Returns the result of `attempt`, repeated after passing failures.

        Args:
            attempt: Makes one request; told whom it asks and for how long, and where
                to run it. Raises `ServiceError` if it fails.
            deadline: Of the whole call; `None` is a new one.

        Raises:
            LLMError: If the last attempt failed, or the service was closed.
        """
        until = deadline or self.deadline()

        def once() -> Result:
            try:
                return attempt(self.asked(until), self._calls)
            except RefusedParameter as error:
                raise error.failure from error

        try:
            return call_with_retries(
                once,
                config=self.retry,
                sleep=self._calls.sleep if self.sleep is None else self.sleep,
                rng=self.rng,
                deadline=until,
            )
        except CallClosed as error:
            raise LLMError(
                f"The call to {self.model!r} was given up: the model was closed.",
                retryable=True,
            ) from error

    def asked(self, deadline: Deadline) -> Asked:
        """Returns whom an attempt that begins now asks, and for how long.

        Raises:
            ServiceError: If the deadline has passed.
        """
        timeout_s = min(self.request_timeout_s, deadline.remaining_s)
        if timeout_s <= 0.0:
            address = self.endpoint.base_url
            message = f"{address} was not asked again for {self.model!r}."
            raise ServiceError(message, retryable=True)
        return Asked(
            model=self.model,
            endpoint=self.endpoint.base_url,
            secret=self.endpoint.api_key,
            timeout_s=timeout_s,
        )

    def server(self) -> Server | None:
        """Returns what the endpoint says that it is; `None` if it is not there.

        One that is there and does not answer is unknown.
        """
        timeout_s = min(_PROBE_TIMEOUT_S, self.request_timeout_s)
        try:
            return self._calls.run(self.endpoint.server, timeout_s=timeout_s)
        except TimeoutError:
            return UNKNOWN_SERVER  # Asking again would hang again.
        except (ServiceError, CallClosed):
            return None

    def close(self) -> None:
        """Ends the calls in flight and refuses later ones; see `Closable`."""
        self._calls.close()
