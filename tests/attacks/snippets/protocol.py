"""Frames of its own on the job's socket: early ends, garbage, bombs, lies."""

from tests.attacks.attack import Category

protocol = Category("protocol")

HEAD = """
import os, struct, sys
import numpy as np
from sandbox import wire

frame = sys._getframe()
while 'job' not in frame.f_locals:
    frame = frame.f_back
NONCE = frame.f_locals['job'].nonce

def send(data):
    view = memoryview(data)
    while view:
        view = view[os.write(3, view):]

def value(payload): send(wire.frame(wire.VALUE, payload))
def done(nonce=NONCE):
    send(wire.frame(wire.DONE, nonce))
    os._exit(0)
def rows(count, **other):
    parts = dict(
        a=wire.encode({'': np.zeros((count, 4), dtype='f4')}), t=b'\\x80',
        r=wire.encode(np.zeros(count)), d=wire.encode(np.zeros(count, bool)),
        i=b'\\x80')
    parts.update(other)
    return b'\\x95' + b''.join(parts.values())
"""
BROKEN = "protocol_broken"
SENT = {
    "end_before_the_results": ("done()", BROKEN),
    "end_with_another_nonce": ("done(bytes(16))", BROKEN),
    "end_with_an_empty_nonce": ("done(b'')", BROKEN),
    "end_twice": ("send(wire.frame(wire.DONE, NONCE))\ndone()", BROKEN),
    "results_after_the_end": (
        "send(wire.frame(wire.DONE, NONCE))\nvalue(rows(3))\nos._exit(0)",
        BROKEN,
    ),
    "ready_again": ("send(wire.frame(wire.READY))\ndone()", BROKEN),
    "ready_with_a_payload": (
        "send(wire.frame(wire.READY, b'x' * 999))\ndone()",
        BROKEN,
    ),
    "unknown_kind": ("send(wire.frame(200, b'x'))\ndone()", BROKEN),
    "garbage": ("send(bytes(range(256)) * 64)\ndone()", BROKEN),
    "random_bytes": ("send(np.random.bytes(1 << 16))\ndone()", BROKEN),
    "text_protocol": (
        'send(b\'{"score": 1.0, "passed": true}\\n\' * 99)\ndone()',
        BROKEN,
    ),
    "web_protocol": ("send(b'HTTP/1.1 200 OK\\r\\n\\r\\n1.0')\ndone()", BROKEN),
    "giant_length": ("send(struct.pack('<IB', 0xFFFFFFFF, 1))\nos._exit(0)", BROKEN),
    "length_of_nothing": ("send(struct.pack('<IB', 0, 1))\ndone()", BROKEN),
    "half_a_frame": (
        "send(struct.pack('<IB', 500, 1) + b'x' * 9)\nos._exit(0)",
        "crashed",
    ),
    "half_a_frame_and_waiting": (
        "import time\nsend(struct.pack('<IB', 500, 1))\ntime.sleep(99)",
        "timed_out",
    ),
    "one_byte_at_a_time": (
        "for byte in wire.frame(wire.VALUE, rows(3)): send(bytes([byte]))\ndone()",
        BROKEN,
    ),
    "more_rows_than_asked": ("value(rows(1000))\ndone()", BROKEN),
    "fewer_rows_than_asked": ("value(rows(1))\ndone()", BROKEN),
    "messages_without_rows": ("value(rows(0))\ndone()", BROKEN),
    "more_messages_than_asked": (
        "for _ in range(30_000): value(b'\\xc0')\ndone()",
        "output_exceeded protocol_broken",
    ),
    "nil": ("value(b'\\xc0')\ndone()", BROKEN),
    "nothing_in_a_value": ("value(b'')\ndone()", BROKEN),
    "a_number": ("value(wire.encode(1.0))\ndone()", BROKEN),
    "deep_lists": ("value(b'\\x91' * 100_000 + b'\\xc0')\ndone()", BROKEN),
    "deep_maps": ("value(b'\\x81\\xa0' * 50_000 + b'\\xc0')\ndone()", BROKEN),
    "many_empty_lists": (
        "value(b'\\xdd' + struct.pack('>I', 900_000) + b'\\x90' * 900_000)\ndone()",
        BROKEN,
    ),
    "list_of_giant_length": ("value(b'\\xdd\\xff\\xff\\xff\\xff')\ndone()", BROKEN),
    "bytes_of_giant_length": ("value(b'\\xc6\\xff\\xff\\xff\\xff')\ndone()", BROKEN),
    "array_of_no_type": (
        "value(rows(20, r=b'\\xc7\\x02\\x01\\xff\\x00'))\ndone()",
        BROKEN,
    ),
    "array_of_many_dimensions": (
        "value(rows(20, r=b'\\xc7\\x02\\x01\\x0b\\xff'))\ndone()",
        BROKEN,
    ),
    "array_of_overflowing_shape": (
        "value(rows(20, r=b'\\xc7\\x22\\x01\\x0b\\x08' + b'\\xff' * 32))\ndone()",
        BROKEN,
    ),
    "array_of_wrapping_shape": (
        "shape = struct.pack('<4I', 1 << 31, 1 << 31, 4, 1)\n"
        "value(rows(20, r=b'\\xc7\\x12\\x01\\x0b\\x04' + shape))\ndone()",
        BROKEN,
    ),
    "array_of_an_empty_axis": (
        "shape = struct.pack('<3I', 0, 0xFFFFFFFF, 0xFFFFFFFF)\n"
        "value(rows(20, r=b'\\xc7\\x0e\\x01\\x0b\\x03' + shape))\ndone()",
        BROKEN,
    ),
    "unknown_extension": ("value(rows(20, r=b'\\xd4\\x2a\\x00'))\ndone()", BROKEN),
    "time_stamp": (
        "value(rows(20, r=b'\\xd6\\xff\\x00\\x00\\x00\\x00'))\ndone()",
        BROKEN,
    ),
    "broken_text": (
        "value(rows(20, i=b'\\x81\\x00\\xa2\\xff\\xfe'))\ndone()",
        BROKEN,
    ),
    "row_that_is_not_there": (
        "value(rows(20, i=b'\\x81\\xcd\\xff\\xff\\xa1x'))\ndone()",
        BROKEN,
    ),
    "negative_row": ("value(rows(20, i=b'\\x81\\xff\\xa1x'))\ndone()", BROKEN),
    "pickle": (
        "value(b'\\x80\\x04cposix\\nsystem\\n(S\"true\"\\ntR.')\ndone()",
        BROKEN,
    ),
    "numpy_file": (
        """
value(b'\\x93NUMPY\\x01\\x00v\\x00' + b'{"descr": "|O"}'.ljust(118))
done()
""",
        BROKEN,
    ),
    "flood": (
        "while True: send(wire.frame(wire.VALUE, bytes(1 << 16)))",
        "output_exceeded protocol_broken",
    ),
    "flood_of_small_frames": (
        "block = wire.frame(wire.VALUE, b'\\xc0') * 5000\nwhile True: send(block)",
        "output_exceeded protocol_broken",
    ),
    "flood_of_a_number": (
        "while True: send(b'\\x00\\x01\\x00\\x00\\x01' + bytes(255))",
        "output_exceeded protocol_broken",
    ),
    "error_of_giant_text": (
        """
send(wire.frame(wire.RAISED, wire.encode(wire.Failure('E', 'x' * 900_000, 1, 1))))
os._exit(0)
""",
        "raised",
    ),
    "error_of_giant_numbers": (
        """
send(wire.frame(wire.RAISED, wire.encode(['E', 'x', 2**63 - 1, 2**63 - 1])))
os._exit(0)
""",
        "raised",
    ),
    "error_of_negative_numbers": (
        """
send(wire.frame(wire.RAISED, wire.encode(['E', 'x', -(2**63), -(2**63)])))
os._exit(0)
""",
        "raised",
    ),
    "error_of_another_form": (
        "send(wire.frame(wire.RAISED, wire.encode({'score': 1.0})))\nos._exit(0)",
        BROKEN,
    ),
    "error_and_an_end": (
        "send(wire.frame(wire.RAISED, wire.encode(['E', 'x', 1, 1])))\ndone()",
        BROKEN,
    ),
    "error_and_a_failing_exit": (
        "send(wire.frame(wire.RAISED, wire.encode(['E', 'x', 1, 1])))\nos._exit(1)",
        "crashed",
    ),
    "end_and_a_failing_exit": (
        "value(rows(20))\nsend(wire.frame(wire.DONE, NONCE))\nos._exit(9)",
        "crashed",
    ),
    "end_and_a_loop": (
        "value(rows(20))\nsend(wire.frame(wire.DONE, NONCE))\nwhile True: pass",
        "timed_out",
    ),
    "end_and_a_signal": (
        """
import ctypes
value(rows(20))
send(wire.frame(wire.DONE, NONCE))
ctypes.string_at(8)
""",
        "crashed",
    ),
    "report_of_the_worker": (
        "send(wire.encode(wire.Report(0, '', 0.0, 0.0, 1.0)))\ndone()",
        BROKEN,
    ),
}
for _name, (_code, _kinds) in SENT.items():
    protocol.forgery(_name, HEAD + _code + "\n", _kinds, errors=("E",))
