"""Typed binary messages between the parent, its worker and the candidate's child.

A frame is `u32 length` (little endian, of what follows), `u8 kind` and a payload.
Payloads are MessagePack with one extension, the array: a fixed header (dtype code,
number of dimensions, dimensions) and the raw elements. No payload of a child is
ever unpickled or evaluated, and each is decoded into a stated type: decoding
without one lets eight megabytes of empty lists grow to half a gigabyte.
"""

import functools
import struct
from typing import Any, TypeVar, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from sandbox.errors import ProtocolError

HEADER = struct.Struct("<IB")

READY = 0
VALUE = 1
RAISED = 2
DONE = 3

ARRAY_EXT = 1
MAX_DIMENSIONS = 8
_ARRAY_HEADER = struct.Struct("<BB")

_DTYPES = (
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float16",
    "float32",
    "float64",
)
_CODE_BY_DTYPE = {np.dtype(name): code for code, name in enumerate(_DTYPES)}
_DTYPE_BY_CODE = dict(enumerate(np.dtype(name) for name in _DTYPES))

T = TypeVar("T")


class Failure(msgspec.Struct, array_like=True, frozen=True):
    """A candidate's exception, as its child describes it.

    Attributes:
        error_type: Name of the class.
        message: Text of the exception.
        line: Line in the source; -1 if unknown.
        position: The driver's count; -1 if it did not say.
    """

    error_type: str
    message: str
    line: int
    position: int


class Job(msgspec.Struct, array_like=True):
    """What a child is sent.

    Attributes:
        nonce: Echoed when the run is done, so that no result can be credited to
            another job.
        driver: Name of a module that the worker has imported.
        source: The candidate.
        request: The driver's business, as `encode` has it.
        is_session: Whether the child is to stay and answer further requests.
    """

    nonce: bytes
    driver: str
    source: str
    request: msgspec.Raw
    is_session: bool = False


class Order(msgspec.Struct, array_like=True):
    """What a worker is sent with the job's socket.

    Attributes:
        wall_s: Seconds until the child is killed.
        cpu_s: Seconds of processor time.
        memory_mib: Address space on top of the worker's own.
        stack_mib: Stack of the main thread.
        max_frame_bytes: Largest frame the child may send.
    """

    wall_s: float
    cpu_s: int
    memory_mib: int
    stack_mib: int
    max_frame_bytes: int


class Report(msgspec.Struct, array_like=True):
    """What a worker says about a child that has ended.

    Attributes:
        exit_code: As `subprocess` has it: negative for a signal.
        killed: Why the worker killed it: `""`, `"wall"`, `"memory"` or `"asked"`.
        wall_s: Seconds from fork to exit.
        cpu_s: Processor seconds.
        max_rss_mib: Largest resident memory.
    """

    exit_code: int
    killed: str
    wall_s: float
    cpu_s: float
    max_rss_mib: float


def encode(value: Any) -> bytes:
    """Returns the payload of a plain value.

    Raises:
        TypeError: If it holds anything but None, bool, int, float, str, bytes,
            list, tuple, dict, numeric arrays and message structs.
    """
    return _ENCODER.encode(value)


def encode_once(value: Any) -> msgspec.Raw:
    """Returns a value that `encode` copies, wherever it is part of another one."""
    return msgspec.Raw(encode(value))


def make_job(
    nonce: bytes, driver: str, source: str, request: Any, *, is_session: bool = False
) -> Job:
    """Returns a job; a request of `encode_once` is taken as it is."""
    if not isinstance(request, msgspec.Raw):
        request = encode_once(request)
    return Job(
        nonce=nonce,
        driver=driver,
        source=source,
        request=request,
        is_session=is_session,
    )


def answer_token(nonce: bytes, number: int) -> bytes:
    """Returns what ends the answer to a session's request, counted from 0."""
    return nonce + number.to_bytes(8, "little")


def _encode_extension(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return msgspec.msgpack.Ext(ARRAY_EXT, _array_bytes(value))
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"Cannot send a value of type {type(value).__name__}.")


def _array_bytes(array: NDArray[Any]) -> bytes:
    code = _CODE_BY_DTYPE.get(array.dtype.newbyteorder("="))
    if code is None or array.ndim > MAX_DIMENSIONS:
        raise TypeError(
            f"Cannot send an array of {array.dtype} with {array.ndim} dimensions."
        )
    plain = np.ascontiguousarray(array, dtype=_DTYPE_BY_CODE[code])
    return b"".join(
        (
            _ARRAY_HEADER.pack(code, array.ndim),
            struct.pack(f"<{array.ndim}I", *array.shape),
            plain.tobytes(),
        )
    )


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_encode_extension)


def _decode_array(data: memoryview, max_bytes: int) -> NDArray[Any]:
    if len(data) < _ARRAY_HEADER.size:
        raise ProtocolError("an array has no header.")
    code, ndim = _ARRAY_HEADER.unpack_from(data)
    dtype = _DTYPE_BY_CODE.get(code)
    if dtype is None or ndim > MAX_DIMENSIONS:
        raise ProtocolError("an array has an unknown type or too many dimensions.")
    start = _ARRAY_HEADER.size + 4 * ndim
    if len(data) < start:
        raise ProtocolError("an array has no shape.")
    shape = struct.unpack_from(f"<{ndim}I", data, _ARRAY_HEADER.size)
    size = dtype.itemsize
    for length in shape:
        size *= length
    if size > max_bytes:
        raise ProtocolError(f"an array is larger than {max_bytes} bytes.")
    if size != len(data) - start:
        raise ProtocolError("an array's shape does not fit its bytes.")
    if dtype == np.bool_:
        # A byte other than 0 and 1 would be a boolean that equals neither.
        raw = np.frombuffer(data[start:], dtype=np.uint8)
        return np.asarray(raw != 0).reshape(shape)
    array = np.frombuffer(bytearray(data[start:]), dtype=dtype)
    if dtype.kind == "f":
        # A signalling NaN would be a floating-point error wherever it is converted.
        array[np.isnan(array)] = np.nan
    array.flags.writeable = False
    return array.reshape(shape)


@functools.lru_cache(maxsize=64)
def _decoder(type_: Any, max_array_bytes: int) -> msgspec.msgpack.Decoder[Any]:
    def extension(code: int, data: memoryview) -> NDArray[Any]:
        if code != ARRAY_EXT:
            raise ProtocolError(f"extension {code} is unknown.")
        return _decode_array(data, max_array_bytes)

    return msgspec.msgpack.Decoder(type_, ext_hook=extension)


def decode(payload: bytes | memoryview, type_: type[T], *, max_array_bytes: int) -> T:
    """Returns the value of a payload.

    Args:
        payload: Bytes that may come from a child.
        type_: What the value must be, all the way down.
        max_array_bytes: Largest array.

    Raises:
        ProtocolError: If it is not of the type, or not MessagePack at all.
    """
    try:
        value: T = _decoder(cast(Any, type_), max_array_bytes).decode(payload)
        return value
    except ProtocolError:
        raise
    except (msgspec.DecodeError, ValueError, RecursionError, OverflowError) as error:
        raise ProtocolError(f"{type(error).__name__} while decoding.") from error


def decode_trusted(payload: bytes | memoryview, type_: type[T]) -> T:
    """Returns the value of a payload of our own, with no cap on arrays."""
    return decode(payload, type_, max_array_bytes=_NO_CAP)


def decode_job(payload: bytes) -> Job:
    """Returns a job; its request is still encoded."""
    return _JOB_DECODER.decode(payload)


def decode_order(payload: bytes) -> Order:
    """Returns an order."""
    return _ORDER_DECODER.decode(payload)


def decode_report(payload: bytes) -> Report:
    """Returns a worker's report.

    Raises:
        ProtocolError: If it is none.
    """
    try:
        return _REPORT_DECODER.decode(payload)
    except msgspec.DecodeError as error:
        raise ProtocolError(f"{type(error).__name__} while decoding.") from error


def trusted_decoder(type_: Any) -> msgspec.msgpack.Decoder[Any]:
    """Returns a decoder of payloads of our own; made before the fork, for speed."""
    return _decoder(type_, _NO_CAP)


_NO_CAP = 1 << 40
_JOB_DECODER = msgspec.msgpack.Decoder(Job)
_REPORT_DECODER = msgspec.msgpack.Decoder(Report)
_ORDER_DECODER = msgspec.msgpack.Decoder(Order)


def frame(kind: int, payload: bytes = b"") -> bytes:
    """Returns the bytes of one frame."""
    return HEADER.pack(len(payload) + 1, kind) + payload


class FrameReader:
    """Cuts a stream of bytes into frames; knows no sockets.

    Args:
        max_frame_bytes: Longest frame that is accepted.
    """

    def __init__(self, max_frame_bytes: int) -> None:
        self._buffer = bytearray()
        self._max_frame_bytes = max_frame_bytes

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Takes more bytes and returns the `(kind, payload)` frames now complete.

        Raises:
            ProtocolError: If a frame is longer than allowed, or empty.
        """
        self._buffer += data
        frames: list[tuple[int, bytes]] = []
        start = 0
        while len(self._buffer) - start >= HEADER.size:
            length, kind = HEADER.unpack_from(self._buffer, start)
            if not 1 <= length <= self._max_frame_bytes:
                raise ProtocolError(
                    f"a frame must have 1 to {self._max_frame_bytes} bytes, "
                    f"got {length}."
                )
            end = start + 4 + length
            if len(self._buffer) < end:
                break
            frames.append((kind, bytes(self._buffer[start + HEADER.size : end])))
            start = end
        del self._buffer[:start]
        return frames

    @property
    def has_rest(self) -> bool:
        """Whether the stream stopped inside a frame."""
        return bool(self._buffer)
