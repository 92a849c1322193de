"""What the caller takes from a child's socket."""

import socket

import pytest

from sandbox import wire
from sandbox.intake import Intake, RawResult


def intake() -> Intake:
    return Intake(
        RawResult(),
        b"nonce",
        max_frame_bytes=1 << 20,
        max_output_bytes=1 << 20,
        max_messages=10,
    )


@pytest.mark.parametrize(("num_pieces", "breach"), [(4_000, ""), (6_000, "too small")])
def test_a_frame_that_comes_byte_by_byte_is_given_up(
    num_pieces: int, breach: str
) -> None:
    taken = intake()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        theirs.sendall(wire.HEADER.pack(1 << 19, wire.VALUE))
        taken.take(ours)
        for _ in range(num_pieces):
            if not taken.is_wanted:
                break
            theirs.sendall(b"x")
            taken.take(ours)
    assert breach in taken.result.breach
    assert bool(taken.result.breach) == bool(breach)


def test_many_small_frames_are_no_breach() -> None:
    taken = Intake(
        RawResult(),
        b"nonce",
        max_frame_bytes=1 << 20,
        max_output_bytes=1 << 20,
        max_messages=10_000,
    )
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        theirs.sendall(wire.frame(wire.READY))
        taken.take(ours)
        for _ in range(6_000):
            theirs.sendall(wire.frame(wire.VALUE, b"x"))
            taken.take(ours)
    assert taken.is_wanted
    assert len(taken.result.values) == 6_000
