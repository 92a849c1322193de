"""What a child sends, sorted and counted as it arrives; nothing is believed yet."""

import socket
from dataclasses import dataclass, field

from sandbox import wire
from sandbox.errors import ProtocolError

RECEIVE_BYTES = 1 << 18

_SMALL_BYTES = 4096
_MAX_SMALL_PIECES = 5_000


@dataclass(kw_only=True)
class RawResult:
    """What came out of a child and its worker, before it is interpreted.

    Attributes:
        report: What the worker says about the child's end.
        is_ready: Whether the child was locked and waiting for its job.
        is_done: Whether it said, with the right nonce, that it is done.
        failure: The exception it reported, if any.
        values: Payloads of its messages.
        breach: What was wrong with its frames; empty if nothing was.
        exceeded: Which output limit it passed; empty if none.
    """

    report: wire.Report | None = None
    is_ready: bool = False
    is_done: bool = False
    failure: wire.Failure | None = None
    values: list[bytes] = field(default_factory=list)
    breach: str = ""
    exceeded: str = ""


class Intake:
    """Sorts a child's frames and counts its bytes."""

    def __init__(
        self,
        result: RawResult,
        nonce: bytes,
        *,
        max_frame_bytes: int,
        max_output_bytes: int,
        max_messages: int,
    ) -> None:
        self.result = result
        self._nonce = nonce
        self._reader = wire.FrameReader(max_frame_bytes)
        self._left = max_output_bytes
        self._max_output_bytes = max_output_bytes
        self._max_messages = max_messages
        self._num_small = 0

    @property
    def is_wanted(self) -> bool:
        """Whether more from this child could matter."""
        return not self.result.breach and not self.result.exceeded

    def take(self, sock: socket.socket) -> bool:
        """Reads once; returns whether there may be more."""
        try:
            data = sock.recv(RECEIVE_BYTES)
        except (BlockingIOError, ConnectionResetError):
            return False
        return bool(data) and self.feed(data)

    def feed(self, data: bytes) -> bool:
        """Takes what was read; returns whether there may be more."""
        self._left -= len(data)
        if self._left < 0:
            self.result.exceeded = f"{self._max_output_bytes >> 20} MiB"
            return False
        try:
            frames = self._reader.feed(data)
            # Each piece wakes the caller: it must bring a frame, or many bytes.
            self._num_small += not frames and len(data) < _SMALL_BYTES
            if self._num_small > _MAX_SMALL_PIECES:
                raise ProtocolError("frames came in too small pieces.")
            for kind, payload in frames:
                self._sort(kind, payload)
        except ProtocolError as error:
            self.result.breach = str(error)
        return self.is_wanted

    def _sort(self, kind: int, payload: bytes) -> None:
        result = self.result
        if result.is_done or result.failure is not None:
            raise ProtocolError("something came after the end.")
        if (kind == wire.READY) == result.is_ready:
            raise ProtocolError("the first frame, and no other, must say ready.")
        if kind == wire.READY:
            result.is_ready = True
        elif kind == wire.VALUE:
            result.values.append(payload)
            if len(result.values) > self._max_messages:
                result.exceeded = f"{self._max_messages} messages"
        elif kind == wire.RAISED:
            result.failure = wire.decode(payload, wire.Failure, max_array_bytes=0)
        elif kind == wire.DONE and payload == self._nonce:
            result.is_done = True
        else:
            raise ProtocolError("a frame is of no known kind.")

    @property
    def has_ended(self) -> bool:
        """Whether the child said that it is done, or how it failed."""
        return self.result.is_done or self.result.failure is not None

    def finish(self) -> None:
        """Looks at what is left when nothing more is due."""
        if self.is_wanted and self._reader.has_rest and self.result.is_done:
            self.result.breach = "something came after the end."
