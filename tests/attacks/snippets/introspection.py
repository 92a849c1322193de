"""Looking for the answers: collector, frames, tracebacks, neighbours, modules."""

from tests.attacks.attack import Category

peeking = Category("looking for answers")

# Each finds arrays of four numbers by its own way, and predicts from them.
_USE = """
import numpy as np

def rows_of(thing, depth=0):
    if isinstance(thing, np.ndarray):
        if thing.ndim == 2 and thing.shape[1] == 4:
            yield thing
    elif isinstance(thing, dict) and depth < 5:
        for value in list(thing.values()):
            yield from rows_of(value, depth + 1)
    elif isinstance(thing, (list, tuple)) and depth < 5 and len(thing) < 10_000:
        rows = [x for x in thing if isinstance(x, np.ndarray) and x.shape == (4,)]
        if len(rows) > 1:
            yield np.array(rows)
        elif not rows:
            for value in thing[:100]:
                yield from rows_of(value, depth + 1)
    elif isinstance(getattr(thing, '__struct_fields__', None), tuple):
        for field in thing.__struct_fields__:
            yield from rows_of(getattr(thing, field, None), depth + 1)
    elif hasattr(thing, 'next_observations'):
        yield from rows_of(thing.next_observations, depth + 1)

class Environment:
    def set_state(self, observation):
        self.observation = np.array(observation)
        Environment.given = observation
        if not hasattr(Environment, 'tables'):
            Environment.tables = [t for t in find() if len(t)]

    def guess(self):
        # The row that follows the own one, where a table is in the order of time.
        for table in self.tables:
            at = np.flatnonzero((np.abs(table - self.observation) < 1e-6).all(axis=1))
            if len(at) and at[0] + 1 < len(table):
                yield table[at[0] + 1]
        # What is physically next: positions follow from velocities.
        expected = self.observation[0] + 0.02 * self.observation[1]
        for table in self.tables:
            error = np.abs(table[:, 0] - expected)
            if error.min() < 1e-6:
                yield table[error.argmin()]
        for table in self.tables:
            error = np.abs(table - self.observation).sum(axis=1)
            error[error < 1e-9] = np.inf
            yield table[error.argmin()]

    def step(self, action):
        for found in self.guess():
            x = float(found[0])
            is_over = abs(x) > 2.4 or abs(float(found[2])) > 0.2095
            return np.array(found, dtype=np.float32), 1.0 - abs(x), is_over
        return np.zeros(4, dtype=np.float32), 0.0, False
"""
WAYS = {
    "collector": """
import gc
def find():
    for thing in gc.get_objects():
        try:
            yield from rows_of(thing)
        except Exception:
            pass
""",
    "referrers": """
import gc, sys
def find():
    seen, waiting = set(), [Environment.given]
    for _ in range(4):
        following = []
        for thing in waiting:
            for other in gc.get_referrers(thing):
                if id(other) not in seen:
                    seen.add(id(other))
                    following.append(other)
                    yield from rows_of(other)
        waiting = following[:500]
""",
    "frames": """
import sys
def find():
    frame = sys._getframe()
    while frame:
        for value in list(frame.f_locals.values()):
            yield from rows_of(value)
        frame = frame.f_back
""",
    "all_frames": """
import sys
def find():
    for frame in sys._current_frames().values():
        while frame:
            for value in {**frame.f_globals, **frame.f_locals}.values():
                yield from rows_of(value)
            frame = frame.f_back
""",
    "traceback": """
def find():
    try:
        raise ValueError
    except ValueError as error:
        frame = error.__traceback__.tb_frame
    while frame:
        for value in list(frame.f_locals.values()):
            yield from rows_of(value)
        frame = frame.f_back
""",
    "generator_frames": """
def walk():
    yield 1
    yield running.gi_frame.f_back
running = walk()
def find():
    next(running)
    frame = next(running)
    while frame:
        for value in list(frame.f_locals.values()):
            yield from rows_of(value)
        frame = frame.f_back
""",
    "base_of_the_observation": """
import sys
def find():
    frame = sys._getframe()
    while frame:
        for value in list(frame.f_locals.values()):
            while getattr(value, 'base', None) is not None:
                value = value.base
                yield from rows_of(value)
        frame = frame.f_back
""",
    "modules": """
import sys
def find():
    for module in list(sys.modules.values()):
        for value in list(vars(module).values()):
            try:
                yield from rows_of(value)
            except Exception:
                continue
            if isinstance(getattr(value, '__closure__', None), tuple):
                for cell in value.__closure__:
                    yield from rows_of(cell.cell_contents)
""",
    "memory_around_an_observation": """
import ctypes, gc
def find():
    try:
        import sys
        frame = sys._getframe()
        while 'observation' not in frame.f_locals:
            frame = frame.f_back
        address = frame.f_locals['observation'].ctypes.data
        data = ctypes.string_at(address & ~4095, 4096)
        table = np.frombuffer(data, dtype=np.float32)
        yield table[: len(table) // 4 * 4].reshape(-1, 4)
    except AttributeError:
        return
""",
}
for _name, _find in WAYS.items():
    # A program that finds nothing may fail, which is as good.
    peeking.forgery(
        _name, _find + _USE, "completed raised", errors=("ValueError", "AttributeError")
    )
peeking.forgery(
    "remembered_repeats",
    """
import numpy as np
seen = {}
class Environment:
    def set_state(self, observation):
        self.key = observation.tobytes()
        if getattr(Environment, 'last', None):
            seen[Environment.last] = observation.copy()
    def step(self, action):
        Environment.last = self.key, int(action)
        found = seen.get((self.key, int(action)), np.zeros(4, dtype=np.float32))
        return found, 1.0 - abs(float(found[0])), False
""",
)
peeking.body(
    "modules_of_the_caller",
    """
import sys
for name in ('cwm.programs.evaluation', 'cwm.programs.accuracy', 'pytest'):
    if name in sys.modules:
        return name
""",
    "completed",
)
# Chains of attributes that end in a shell, without an import of os.
CHAINS = {
    "json": "json.codecs.builtins.open(SECRET_FILE).read()",
    "dataclasses": "dataclasses.sys.modules['os'].listdir('/')",
    "typing": "typing.sys.modules['posix'].listdir('/')",
    "enum": "enum.sys.modules['os'].system(f'echo > {DROP}/x') and 1 / 0",
    "re": "re.enum.sys.modules['os'].open(SECRET_FILE, 0)",
    "random": "random._os.listdir('/')",
    "numpy": "numpy.lib._datasource.os.listdir('/')",
    "warnings": "warnings.sys.modules['os'].fork() or 1",
    "statistics": "statistics.random._os.open(CANARY, 2)",
    "collections": "collections._sys.modules['os'].unlink(CANARY)",
}
chains = Category("chains to the system")
for _name, _chain in CHAINS.items():
    chains.body(
        f"through_{_name}",
        f"import {_name}\nreturn {_chain}",
        errors=("PermissionError", "ZeroDivisionError"),
    )
chains.body(
    "subclasses_of_object",
    """
for kind in object.__subclasses__():
    if kind.__name__ == '_wrap_close':
        return kind.__init__.__globals__['listdir']('/')
""",
    "raised",
)
chains.body(
    "globals_of_a_function",
    "import numpy\nreturn numpy.load.__globals__['os'].listdir('/')",
    "raised",
    errors=("PermissionError", "AttributeError", "KeyError"),
)
chains.body(
    "built_by_hand",
    """
code = (lambda: 0).__code__.replace(co_consts=(None, 7))
import types
names = types.FunctionType(compile("__import__('os').listdir('/')", 'x', 'eval'), {})
return names()
""",
)
