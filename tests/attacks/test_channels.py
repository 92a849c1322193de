"""Children must have no way to tell each other anything, now or later.

The halves of an evaluation are kept apart because each holds the answers of the other.
"""

import sys

import pytest

from cwm.programs.evaluation import ProgramEvaluator, open_sandbox
from sandbox.limits import Limits
from tests.attacks.attack import HONEST
from tests.attacks.harness import MAX_SCORE, cart_pole_task

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the filter needs Linux"
)

# `futex` on a page of a file wakes whoever waits on the same page of the same file,
# in any process: the C library's code, which all of them map, becomes a telegraph.
FUTEX = """
import ctypes, platform, struct, sys, time
import numpy as np

libc = ctypes.CDLL(None)
NUMBER = 202 if platform.machine() == 'x86_64' else 98
BASE = ctypes.cast(libc.strtod, ctypes.c_void_p).value & ~4095

class Time(ctypes.Structure):
    _fields_ = [('s', ctypes.c_long), ('n', ctypes.c_long)]

def wake(slot):
    return libc.syscall(NUMBER, ctypes.c_void_p(BASE + 4 * slot), 1, 1)

def wait(slot, seconds):
    address = BASE + 4 * slot
    value = ctypes.c_uint32.from_address(address).value
    limit = Time(int(seconds), int(seconds % 1 * 1e9))
    return not libc.syscall(
        NUMBER, ctypes.c_void_p(address), 0, ctypes.c_uint32(value), ctypes.byref(limit)
    )
"""

COLLUDING = """
def meet(seconds):
    end, turn = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        if wake(0) == 1:
            return 'second'
        turn = (turn * 7 + 3 + id(end) // 64) % 11
        if wait(0, 0.0005 + 0.0003 * turn): return 'first'
    return ''

def send(data):
    for byte in data:
        for nibble in (byte >> 4, byte & 15):
            if not wait(16 + nibble, 1.0): raise RuntimeError('send')

def receive(number):
    out = bytearray()
    for _ in range(number):
        value = 0
        for _ in range(2):
            found = False
            end = time.monotonic() + 1.0
            while not found:
                for nibble in range(16):
                    if wake(16 + nibble) == 1:
                        value = value * 16 + nibble
                        found = True
                        break
                else:
                    if time.monotonic() > end: raise RuntimeError('receive')
        out.append(value)
    return bytes(out)

def exchange():
    frame = sys._getframe()
    mine = None
    while frame:
        for v in frame.f_locals.values():
            if isinstance(v, list) and v and getattr(v[0], 'shape', 0) == (4,):
                mine = np.array(v, dtype=np.float32)
        frame = frame.f_back
    data = struct.pack('<I', len(mine)) + mine.tobytes()
    role = meet(0.8)
    if role == 'first':
        send(data)
        n, = struct.unpack('<I', receive(4)); other = receive(16 * n)
    elif role == 'second':
        n, = struct.unpack('<I', receive(4)); other = receive(16 * n)
        send(data)
    else:
        return np.zeros((1, 4), np.float32)
    return np.frombuffer(other, np.float32).reshape(-1, 4)

class Environment:
    other = None
    def set_state(self, o):
        if Environment.other is None:
            Environment.other = exchange()
        self.o = np.array(o)
    def step(self, a):
        e = np.abs(self.other[:, 0] - (self.o[0] + 0.02 * self.o[1]))
        f = np.array(self.other[e.argmin()])
        return f, 1.0 - abs(float(f[0])), False
"""


CALL = """
class PWNED(Exception):
    pass

class Environment:
    def __init__(self):
        # Nobody waits there; without a refusal the answer is 0.
        if wake(0) >= 0:
            raise PWNED('it can reach other processes')
"""


def test_a_futex_that_others_could_share_is_refused() -> None:
    with open_sandbox(num_workers=1, policy="off") as sandbox:
        found = ProgramEvaluator(cart_pole_task(), sandbox=sandbox).evaluate(
            FUTEX + CALL
        )
        assert "PWNED" not in found.feedback


def test_halves_cannot_tell_each_other_the_answers() -> None:
    with open_sandbox(
        limits=Limits(wall_s=5.0), num_workers=2, policy="off"
    ) as sandbox:
        evaluator = ProgramEvaluator(cart_pole_task(), sandbox=sandbox)
        found = evaluator.evaluate(FUTEX + COLLUDING)
        assert found.train is None or found.train.strict <= MAX_SCORE
        assert evaluator.evaluate(HONEST).score == 1.0


# Advice about pages of files changes what is in memory for all processes, and a
# fault that has to read the file is counted (`getrusage`): bits that stay, even for
# candidates that come later, where the user owns the libraries' files.
ADVICE = """
import ctypes

class PWNED(Exception):
    pass

class Environment:
    def __init__(self):
        libc = ctypes.CDLL(None, use_errno=True)
        page = ctypes.cast(libc.strtod, ctypes.c_void_p).value & ~4095
        for number in (12, 20, 21, 25):  # merge, cold, page out, collapse
            if libc.madvise(ctypes.c_void_p(page), 4096, number) == 0:
                raise PWNED(f'advice {number} was taken')
            if ctypes.get_errno() != 1:
                raise PWNED(f'advice {number} met error {ctypes.get_errno()}')
"""


def test_advice_about_pages_that_others_share_is_refused() -> None:
    with open_sandbox(num_workers=1, policy="off") as sandbox:
        found = ProgramEvaluator(cart_pole_task(), sandbox=sandbox).evaluate(ADVICE)
        assert "PWNED" not in found.feedback


# What a process uses of the processor is seen by others in its process namespace,
# where it has one of the host's: a slot of work is a one, a slot of sleep a zero.
CLOCK = """
import ctypes
import os

class PWNED(Exception):
    pass

class Environment:
    def __init__(self):
        libc = ctypes.CDLL(None, use_errno=True)
        for pid in (1, os.getpid()):
            for call in (libc.clock_gettime, libc.clock_getres):
                if call(ctypes.c_int((~pid << 3) | 2), (ctypes.c_long * 2)()) == 0:
                    raise PWNED(f'the clock of process {pid} was read')
                if ctypes.get_errno() != 1:
                    raise PWNED(f'the clock met error {ctypes.get_errno()}')
"""


def test_clocks_of_processes_are_refused() -> None:
    with open_sandbox(num_workers=1, policy="off") as sandbox:
        found = ProgramEvaluator(cart_pole_task(), sandbox=sandbox).evaluate(CLOCK)
        assert "PWNED" not in found.feedback
