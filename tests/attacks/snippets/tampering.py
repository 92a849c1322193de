"""Changing what others compute with, here and for the candidates that follow."""

from tests.attacks.attack import Category

tampering = Category("tampering")
leaks = Category("leaks between candidates")

_WRONG = """
class Environment:
    def set_state(self, observation): self.observation = observation
    def step(self, action): return [9.0, 9.0, 9.0, 9.0], -5.0, True
"""
PATCHES = {
    "numpy_closeness": """
import numpy as np
np.allclose = np.isclose = np.array_equal = np.all = np.any = lambda *a, **k: True
""",
    "builtins": """
import builtins
builtins.all = builtins.any = builtins.isinstance = lambda *a: True
builtins.abs = builtins.sum = lambda *a: 0
builtins.zip = lambda *a: iter(())
""",
    "math": """
import math
math.isclose = math.isfinite = lambda *a, **k: True
math.isnan = lambda *a: False
""",
    "operator": """
import operator
operator.eq = lambda *a: True
operator.ne = lambda *a: False
""",
    "score_of_the_package": """
import sys
for name, module in list(sys.modules.items()):
    if name.startswith(('cwm', 'sandbox')):
        for key in list(vars(module)):
            if 'score' in key or 'match' in key or 'close' in key:
                setattr(module, key, lambda *a, **k: 1.0)
""",
    "nonce_and_channel": """
import sys
child = sys.modules['sandbox.child']
child.Channel.emit = lambda self, value: None
""",
    "wire": """
import sys
wire = sys.modules['sandbox.wire']
wire.encode = lambda value: b'\\xc0'
""",
    "rows_of_the_driver": """
import sys
driver = sys.modules['cwm.programs.world_model_driver']
for name in list(vars(driver)):
    if name.endswith('Rows'):
        getattr(driver, name).add = lambda self, result: None
""",
    "loader": """
import sys
for frame in [sys._getframe(n) for n in range(4)]:
    frame.f_globals['score'] = frame.f_globals['passed'] = 1.0
""",
    "modules": """
import sys, types
class Lie(types.ModuleType):
    def __getattr__(self, name): return lambda *a, **k: True
sys.modules['numpy'] = sys.modules['math'] = Lie('numpy')
""",
    "equality_of_the_driver": """
import sys
frame = sys._getframe()
while frame:
    for value in list(frame.f_locals.values()):
        if isinstance(value, dict):
            value['expected'] = value['score'] = 1.0
    frame = frame.f_back
""",
    "write_of_the_system": """
import os
real = os.write
os.write = lambda fd, data: real(fd, bytes(data).replace(b'\\x00', b'\\x01'))
""",
}
for _name, _patch in PATCHES.items():
    tampering.forgery(
        f"patched_{_name}",
        _patch + _WRONG,
        "completed raised crashed protocol_broken",
        errors=("TypeError", "ValueError", "AttributeError", "IndexError"),
    )
tampering.forgery(
    "spoilt_observations",
    """
import gc
import numpy as np
class Environment:
    def set_state(self, observation):
        for thing in gc.get_objects():
            if isinstance(thing, list) and thing and thing[0] is observation:
                for other in thing: other[...] = 0
        observation[...] = 0
    def step(self, action): return np.zeros(4, dtype=np.float32), 1.0, False
""",
)

# (what one candidate leaves, how the next would see it)
LEFT = {
    "numpy_constant": (
        "import numpy\nnumpy.pi = 3",
        "import numpy\nreturn numpy.pi == 3",
    ),
    "builtin": (
        "import builtins\nbuiltins.left = 1",
        "import builtins\nreturn hasattr(builtins, 'left')",
    ),
    "module": (
        "import sys, types\nsys.modules['left'] = types.ModuleType('left')",
        "import sys\nreturn 'left' in sys.modules",
    ),
    "environment": (
        "import os\nos.environ['LEFT'] = '1'",
        "import os\nreturn 'LEFT' in os.environ",
    ),
    "driver": (
        "import sys\nsys.modules['sandbox.child'].left = 1",
        "import sys\nreturn hasattr(sys.modules['sandbox.child'], 'left')",
    ),
    "recursion_limit": (
        "import sys\nsys.setrecursionlimit(77777)",
        "import sys\nreturn sys.getrecursionlimit() == 77777",
    ),
    "signal_handler": (
        "import signal\nsignal.signal(signal.SIGUSR2, lambda *_: 0)",
        "import signal\nreturn callable(signal.getsignal(signal.SIGUSR2))",
    ),
    "decimal_context": (
        "import decimal\ndecimal.getcontext().prec = 7",
        "import decimal\nreturn decimal.getcontext().prec == 7",
    ),
    "warning_filters": (
        "import warnings\nwarnings.simplefilter('error')",
        "import warnings\nreturn warnings.filters[0][0] == 'error'",
    ),
    "numpy_errors": (
        "import numpy\nnumpy.seterr(all='raise')",
        "import numpy\nreturn numpy.geterr()['over'] == 'raise'",
    ),
    "random_state": (
        "import random\nrandom.seed(5)\nrandom.left = random.random()",
        "import random\nreturn hasattr(random, 'left')",
    ),
    "candidate_module": (
        "import sys\nsys.modules['candidate'].left = 1",
        "import sys\nreturn hasattr(sys.modules.get('candidate'), 'left')",
    ),
    "collector": (
        "import gc\ngc.set_threshold(123)",
        "import gc\nreturn gc.get_threshold()[0] == 123",
    ),
    "cached_function": (
        "import re\nre.left_pattern = re.compile('left(here)')",
        "import re\nreturn hasattr(re, 'left_pattern')",
    ),
    "registered_class": (
        "import numbers\nnumbers.Number.register(str)",
        "import numbers\nreturn isinstance('', numbers.Number)",
    ),
    "open_descriptor": (
        "import os\nos.dup2(3, 77)",
        "import os\ntry:\n    os.lseek(77, 0, 1)\nexcept OSError as error:\n"
        "    return error.errno != 9",
    ),
    "working_directory": (
        "import os\nos.chdir('/tmp')",
        "import os\nreturn os.getcwd() == '/tmp'",
    ),
    "shared_memory": (
        "import ctypes\nctypes.CDLL(None).shmget(0x51A7, 4096, 0o1666)",
        "import ctypes\nlibc = ctypes.CDLL(None)\n"
        "found = libc.shmget(0x51A7, 4096, 0o666)\n"
        "libc.shmctl(found, 0, 0)\nreturn found >= 0",
    ),
    "file": (
        "open(f'{DROP}/left', 'w').write('x')",
        "import os\nreturn os.path.exists(f'{DROP}/left')",
    ),
}
for _name, (_leave, _look) in LEFT.items():
    _body = "".join(f"    {line}\n" for line in _look.split("\n"))
    leaks.body(
        _name,
        _leave,
        "completed raised",
        then=f"def attack():\n{_body}",
    )
