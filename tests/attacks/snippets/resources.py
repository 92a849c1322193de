"""Memory, time, recursion, output: taking more than there is to have."""

from tests.attacks.attack import Category

memory = Category("memory bombs")
time = Category("endless work")

# Each asks for at least four times what it may have, and says so if it was given it.
TOO_MUCH = "memory_exceeded"
memory.body("one_block", "return len(bytearray(512 << 20))", TOO_MUCH)
memory.body("list", "return len([0] * (1 << 26))", TOO_MUCH)
memory.body(
    "many_small_blocks",
    """
kept = []
for _ in range(512):
    kept.append(bytearray(1 << 20))
return len(kept)
""",
    TOO_MUCH,
)
memory.body(
    "doubling_text",
    "text = 'x' * 64\nwhile len(text) < 512 << 20:\n    text += text\nreturn len(text)",
    TOO_MUCH,
)
memory.body(
    "growing_dictionary",
    "found = {}\nfor i in range(6_000_000):\n    found[i] = (i,)\nreturn len(found)",
    TOO_MUCH + " timed_out",
)
memory.body("array", "import numpy\nreturn numpy.ones((1 << 26,)).size", TOO_MUCH)
memory.body(
    "outer_product",
    """
import numpy
return numpy.add.outer(numpy.ones(1 << 13), numpy.ones(1 << 13)).size
""",
    TOO_MUCH + " raised",
    errors=("_ArrayMemoryError",),
)
for _name, _flags in {"private": 0x22, "shared": 0x21, "locked": 0x2022}.items():
    memory.body(
        f"{_name}_map",
        f"""
import ctypes
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
size = 512 << 20
address = libc.mmap(None, ctypes.c_size_t(size), 3, {_flags}, -1, ctypes.c_long(0))
if address == ctypes.c_void_p(-1).value:
    raise MemoryError
for offset in range(0, size, 1 << 20):
    ctypes.memset(address + offset, 1, 1)
return size
""",
        TOO_MUCH,
    )
memory.body(
    "allocator_of_libc",
    """
import ctypes
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
total = 0
while total < 512 << 20 and libc.malloc(ctypes.c_size_t(8 << 20)):
    total += 8 << 20
return total >= 512 << 20
""",
    "completed",
)
memory.body(
    "grows_in_spite_of_errors",
    """
kept = []
while True:
    try:
        kept.append(bytearray(1 << 20))
        if len(kept) > 512:
            return len(kept)
    except MemoryError:
        pass
""",
    "timed_out",
)
memory.forgery(
    "observation_of_a_gigabyte",
    """
import numpy as np
class Environment:
    def set_state(self, observation): pass
    def step(self, action): return np.ones((1 << 27,)), 1.0, False
""",
    "memory_exceeded completed",
)
memory.forgery(
    "kept_for_each_transition",
    """
kept = []
class Environment:
    def set_state(self, observation): kept.append(bytearray(32 << 20))
    def step(self, action): return [0.0] * 4, 0.0, False
""",
    TOO_MUCH,
)
memory.text("power_tower", "x = 9**9**9", "timed_out memory_exceeded")
memory.text("repeated_bytes", "x = b'x' * (1 << 30)", TOO_MUCH)
memory.text(
    "shifted_bit",
    "x = 1 << (1 << 40)",
    "memory_exceeded raised",
    errors=("OverflowError",),
)
memory.text(
    "wide_format",
    "x = f'{1:{1 << 30}}'",
    "memory_exceeded raised",
    errors=("ValueError",),
)
memory.text(
    "text_of_an_exception",
    "class E(Exception):\n    def __str__(self): return 'x' * (1 << 30)\nraise E",
    "raised memory_exceeded",
    errors=("Exception", "E"),
)
memory.text("memory_error_of_its_own", "raise MemoryError('full')", TOO_MUCH)

FOREVER = "timed_out"
time.text("loop", "while True: pass", FOREVER)
time.text(
    "list_of_a_counter", "import itertools\nfor _ in itertools.count(): pass", FOREVER
)
time.text("sum_without_end", "sum(iter(int, 1))", FOREVER)
time.text("sleep", "import time\ntime.sleep(10**6)", FOREVER)
time.text("select", "import select\nselect.select([], [], [])", FOREVER)
time.text("poll", "import select\nselect.poll().poll()", FOREVER)
time.text(
    "deadlock",
    "import threading\na = threading.Lock()\na.acquire()\na.acquire()",
    FOREVER,
)
time.text("empty_queue", "import queue\nqueue.Queue().get()", FOREVER)
time.text(
    "swallows_everything",
    "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    FOREVER,
)
time.text(
    "ignores_signals",
    """
import signal
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
while True: pass
""",
    FOREVER,
)
time.text(
    "handles_the_processor_limit",
    """
import signal
signal.signal(signal.SIGXCPU, lambda *_: None)
while True:
    try:
        while True: pass
    except BaseException: pass
""",
    FOREVER,
)
time.text("pattern", "import re\nre.match(r'(a+)+$', 'a' * 60 + 'b')", FOREVER)
time.text("nested_pattern", "import re\nre.match(r'(.*)*x', 'a' * 4000)", FOREVER)
time.text(
    "power_modulo",
    "pow(3, 1 << (1 << 24), (1 << (1 << 16)) + 1)",
    FOREVER + " memory_exceeded",
)
time.text(
    "huge_factorial", "import math\nmath.factorial(10**7)", FOREVER + " memory_exceeded"
)
time.text(
    "sorting_key_that_never_ends",
    "sorted([1, 2], key=lambda x: sum(iter(int, 1)))",
    FOREVER,
)
time.text(
    "eigenvalues",
    "import numpy as np\nwhile True: np.linalg.eig(np.random.rand(300, 300))",
    FOREVER,
)
time.text(
    "decimal_digits",
    "import decimal\ndecimal.getcontext().prec = 10**7\ndecimal.Decimal(2).sqrt()",
    FOREVER + " memory_exceeded",
)
time.text("waits_for_a_job", "import os\nwhile True: os.read(3, 1)", "timed_out")
time.text(
    "collision_of_hashes",
    """
class K:
    def __hash__(self): return 1
    def __eq__(self, o): return False
d = {}
while True: d[K()] = 1
""",
    FOREVER,
)
time.text("prints_without_end", "while True: print('x' * 10_000)", FOREVER)
time.text(
    "warns_without_end",
    "import sys\nwhile True: sys.stderr.write('x' * 10_000)",
    FOREVER,
)
time.forgery(
    "in_the_constructor",
    "class Environment:\n    def __init__(self):\n        while True: pass",
    FOREVER,
)
time.forgery(
    "in_a_result",
    """
class Endless:
    def __array__(self, *a, **k):
        while True: pass
    def __iter__(self):
        while True: yield 1.0
    def __float__(self):
        while True: pass
class Environment:
    def set_state(self, observation): pass
    def step(self, action): return Endless(), Endless(), Endless()
""",
    "timed_out memory_exceeded completed",
)
time.forgery(
    "iterator_as_observation",
    """
import itertools
class Environment:
    def set_state(self, observation): pass
    def step(self, action): return itertools.count(), 1.0, False
""",
    "timed_out memory_exceeded completed",
)
time.forgery(
    "slow_drip",
    """
import os, time
while True:
    os.write(3, b'\\x00')
    time.sleep(0.01)
""",
    "timed_out protocol_broken",
)

recursion = Category("recursion")
recursion.text("function", "def f(): f()\nf()", "raised", errors=("RecursionError",))
recursion.text(
    "without_a_limit",
    "import sys\nsys.setrecursionlimit(1 << 30)\ndef f(): f()\nf()",
    "crashed memory_exceeded raised timed_out",
    errors=("RecursionError",),
)
recursion.text(
    "in_c",
    """
import sys
sys.setrecursionlimit(1 << 30)
a = ()
for _ in range(10**6): a = (a,)
hash(a)
""",
    "crashed memory_exceeded raised timed_out",
    errors=("RecursionError",),
)
recursion.text(
    "attribute_lookup",
    """
class A:
    def __getattr__(self, name): return getattr(self, name + 'x')
A().a
""",
    "raised",
    errors=("RecursionError",),
)
recursion.text(
    "representation",
    "a = []\nfor _ in range(10**5): a = [a]\nrepr(a)",
    "raised crashed",
    errors=("RecursionError",),
)
recursion.text(
    "deep_json",
    "import json\njson.loads('[' * 10**6)",
    "raised",
    errors=("RecursionError", "JSONDecodeError"),
)
recursion.text(
    "destructors",
    "a = None\nfor _ in range(10**5): a = [a]\ndel a",
    "completed raised crashed",
    errors=("ContractViolation",),
)
recursion.text(
    "chain_of_causes",
    """
import sys
error = ValueError('first')
for _ in range(10**5):
    following = ValueError('next')
    following.__cause__ = error
    error = following
raise error
""",
    "raised",
    errors=("ValueError",),
)
