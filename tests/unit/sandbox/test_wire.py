import struct
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sandbox import wire
from sandbox.errors import ProtocolError

DTYPES = ["bool", "int8", "uint16", "int64", "uint64", "float16", "float32", "float64"]

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(plain)
def test_plain_data_comes_back_unchanged(value: Any) -> None:
    assert wire.decode_trusted(wire.encode(value), Any) == value


@given(
    st.sampled_from(DTYPES).flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, min_side=0))
    )
)
def test_arrays_come_back_bit_for_bit(array: np.ndarray) -> None:
    back = wire.decode_trusted(wire.encode(array), np.ndarray)
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    if array.dtype.kind == "f":
        # All NaNs become one; see below.
        array = np.where(np.isnan(array), array.dtype.type(np.nan), array)
    assert back.tobytes() == array.tobytes()


def test_array_header_is_as_documented() -> None:
    # code 10 is float32, two dimensions, 2 x 1, then the elements.
    payload = wire.encode(np.array([[1.0], [2.0]], dtype=np.float32))
    data = struct.pack("<BBIIff", 10, 2, 2, 1, 1.0, 2.0)
    assert payload == bytes([0xC7, len(data), wire.ARRAY_EXT]) + data


def test_array_subclass_and_big_endian_arrive_as_plain_native_arrays() -> None:
    class Liar(np.ndarray):
        def __eq__(self, other: object) -> Any:
            return True

        __hash__ = None

    liar = np.array([1, 2], dtype=">i4").view(Liar)
    back = wire.decode_trusted(wire.encode(liar), np.ndarray)
    assert type(back) is np.ndarray
    assert back.dtype == np.int32
    assert back.tolist() == [1, 2]


@pytest.mark.parametrize(
    "value", [object(), 1j, np.array([object()]), np.array(["a"]), 2**70]
)
def test_anything_but_plain_data_is_refused(value: object) -> None:
    with pytest.raises((TypeError, OverflowError)):
        wire.encode(value)


@given(st.binary(max_size=200))
def test_random_bytes_raise_protocol_error_or_decode(data: bytes) -> None:
    for type_ in (wire.Failure, list[float], dict[str, np.ndarray]):
        try:
            value = wire.decode(data, type_, max_array_bytes=1 << 16)
        except ProtocolError:
            continue
        assert isinstance(value, wire.Failure | list | dict)


@given(st.binary(max_size=64))
def test_random_array_bytes_raise_protocol_error_or_give_an_array(data: bytes) -> None:
    payload = msgspec.msgpack.encode(msgspec.msgpack.Ext(wire.ARRAY_EXT, data))
    try:
        array = wire.decode(payload, np.ndarray, max_array_bytes=1 << 10)
    except ProtocolError:
        return
    assert array.nbytes <= len(data)


def test_array_that_claims_a_huge_shape_is_refused() -> None:
    data = struct.pack("<BBII", 11, 2, 2**31, 2**31)
    payload = msgspec.msgpack.encode(msgspec.msgpack.Ext(wire.ARRAY_EXT, data))
    with pytest.raises(ProtocolError, match="larger than"):
        wire.decode(payload, np.ndarray, max_array_bytes=1 << 20)


def test_boolean_bytes_beyond_one_become_true() -> None:
    data = struct.pack("<BBI", 0, 1, 2) + b"\x00\x07"
    payload = msgspec.msgpack.encode(msgspec.msgpack.Ext(wire.ARRAY_EXT, data))
    array = wire.decode(payload, np.ndarray, max_array_bytes=64)
    assert array.tobytes() == b"\x00\x01"


@pytest.mark.parametrize("bits", [0x7FA00000, 0xFFC12345])
def test_every_nan_becomes_the_quiet_one(bits: int) -> None:
    payload = wire.encode(np.array([0.0, 1.5], dtype=np.float32))
    payload = payload.replace(
        struct.pack("<f", 0.0) + struct.pack("<f", 1.5), struct.pack("<If", bits, 1.5)
    )
    array = wire.decode(payload, np.ndarray, max_array_bytes=64)
    # A signalling NaN would raise here (warnings are errors).
    np.testing.assert_array_equal(array.astype(np.float64), [np.nan, 1.5])
    assert not array.flags.writeable


def test_unknown_extension_is_refused() -> None:
    payload = msgspec.msgpack.encode(msgspec.msgpack.Ext(9, b"x"))
    with pytest.raises(ProtocolError, match="extension 9"):
        wire.decode(payload, Any, max_array_bytes=64)


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=30))), st.data())
def test_frames_survive_any_cutting_of_the_stream(
    frames: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    stream = b"".join(wire.frame(kind, payload) for kind, payload in frames)
    reader = wire.FrameReader(max_frame_bytes=64)
    found: list[tuple[int, bytes]] = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += reader.feed(stream[:size])
        stream = stream[size:]
    assert found == frames
    assert not reader.has_rest


@pytest.mark.parametrize("length", [0, 65, 2**32 - 1])
def test_frame_of_a_forbidden_length_is_refused(length: int) -> None:
    with pytest.raises(ProtocolError, match="1 to 64 bytes"):
        wire.FrameReader(64).feed(struct.pack("<IB", length, 1))


def test_half_a_frame_is_noticed() -> None:
    reader = wire.FrameReader(64)
    assert reader.feed(wire.frame(1, b"abc")[:-1]) == []
    assert reader.has_rest


@given(plain)
def test_request_that_was_encoded_once_makes_the_same_job(value: Any) -> None:
    once = wire.encode_once(value)
    job = wire.encode(wire.make_job(b"n", "driver", "source", value))
    assert wire.encode(wire.make_job(b"n", "driver", "source", once)) == job
    assert wire.trusted_decoder(Any).decode(wire.decode_job(job).request) == value


def test_report_that_is_none_is_a_protocol_error() -> None:
    with pytest.raises(ProtocolError):
        wire.decode_report(b"\x93\x01\x02")
