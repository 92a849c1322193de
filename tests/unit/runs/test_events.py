import struct
from pathlib import Path

import pytest

from cwm.core.errors import ConfigError
from cwm.runs.events import Point, crc32c, run_points, write_events
from cwm.runs.looking_commands import read_run
from tests.support.run_folders import synthesize_run


def test_the_checksum_is_that_of_the_standard() -> None:
    # RFC 3720, B.4: 32 bytes of zeroes, of ones, and 0 to 31.
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E


def records(data: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        found.append(data[at + 12 : at + 12 + length])
        at += 16 + length
    return found


def test_a_number_is_written_as_the_protocol_buffer_says(tmp_path: Path) -> None:
    file = write_events([Point("a/b", 300, 1.5, 2.0)], tmp_path)
    version, event = records(file.read_bytes())
    assert version == b"\x09" + struct.pack("<d", 2.0) + b"\x1a\x0dbrain.Event:2"
    value = b"\x0a\x03a/b" + b"\x15" + struct.pack("<f", 1.5)
    summary = b"\x0a" + bytes([len(value)]) + value
    # Field 1 is the time, 2 the step (300 = 0b10_0101100), 5 the summary.
    assert event == (
        b"\x09"
        + struct.pack("<d", 2.0)
        + b"\x10\xac\x02\x2a"
        + bytes([len(summary)])
        + summary
    )


def test_a_search_has_curves_by_call(tmp_path: Path) -> None:
    one = read_run(synthesize_run(tmp_path / "a"))
    points = {(p.tag, p.step): p.value for p in run_points(one)}
    assert points == {
        ("search/tokens", 0): 15,
        ("search/score", 0): 0.5,
        ("search/best_score", 0): 0.5,
        ("search/train_strict", 0): 0.25,
    }


def test_a_run_without_curves_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no curve yet"):
        write_events([], tmp_path)
