"""Ending early, in ways that might look like success; bombs that go off at the end."""

from tests.attacks.attack import Category

exits = Category("exits")
bombs = Category("time bombs")

exits.text("exit_at_once", "import os\nos._exit(0)", "crashed")
exits.text("exit_with_a_number", "import os\nos._exit(77)", "crashed")
exits.text("sys_exit", "import sys\nsys.exit(0)", "raised", errors=("SystemExit",))
exits.text(
    "sys_exit_with_text",
    "import sys\nsys.exit('passed')",
    "raised",
    errors=("SystemExit",),
)
exits.text("quit", "raise SystemExit(0)", "raised", errors=("SystemExit",))
exits.text("abort", "import os\nos.abort()", "crashed")
exits.text(
    "interrupt", "raise KeyboardInterrupt", "raised", errors=("KeyboardInterrupt",)
)
exits.text("generator_exit", "raise GeneratorExit", "raised", errors=("GeneratorExit",))
exits.text(
    "bare_exception",
    "class Done(BaseException): pass\nraise Done('score 1.0')",
    "raised",
    errors=("Done",),
)
exits.text(
    "kills_itself",
    "import os\nos.kill(os.getpid(), 9)",
    "raised",
    errors=("PermissionError",),
)
exits.text(
    "stops_itself",
    "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
    "raised",
    errors=("PermissionError",),
)
exits.text("segmentation_fault", "import ctypes\nctypes.string_at(8)", "crashed")
exits.text(
    "fault_handler",
    "import faulthandler\nfaulthandler._sigsegv()",
    "crashed raised",
    errors=("ContractViolation",),
)
exits.forgery(
    "exits_in_the_middle",
    """
import os
class Environment:
    def set_state(self, observation): pass
    def step(self, action): os._exit(0)
""",
    "crashed",
)
exits.forgery(
    "raises_in_the_middle",
    """
class Environment:
    count = 0
    def set_state(self, observation): pass
    def step(self, action):
        Environment.count += 1
        if self.count > 5:
            raise SystemExit(0)
        return [0.0] * 4, 1.0, False
""",
    "raised",
    errors=("SystemExit",),
)
exits.forgery(
    "closes_the_job",
    """
import os
class Environment:
    def set_state(self, observation): os.close(3)
    def step(self, action): return [0.0] * 4, 1.0, False
""",
    "crashed",
)
exits.forgery(
    "closes_every_descriptor",
    """
import os
for fd in range(1000):
    try: os.close(fd)
    except OSError: pass
class Environment:
    def set_state(self, observation): pass
    def step(self, action): return [0.0] * 4, 1.0, False
""",
    "crashed",
)
exits.forgery(
    "hooks_on_exceptions",
    """
import os, sys
sys.excepthook = sys.unraisablehook = lambda *_: os._exit(0)
raise ValueError('hooked')
""",
    "raised",
    errors=("ValueError",),
)
exits.forgery(
    "traces_the_driver",
    """
import sys
def tracer(frame, event, argument):
    if 'rows' in frame.f_locals and event == 'line':
        frame.f_locals['rows'].count = 0
    return tracer
sys.settrace(tracer)
frame = sys._getframe()
while frame:
    frame.f_trace = tracer
    frame = frame.f_back
class Environment:
    def set_state(self, observation): pass
    def step(self, action): return [0.0] * 4, 0.0, False
""",
    "completed protocol_broken raised crashed",
    errors=("IndexError", "ValueError"),
)

MARK = "import os\n    os.close(0)\n    open(f'{DROP}/{NAME}', 'w').write('x')"
bombs.body(
    "at_exit",
    f"""
import atexit
def later():
    {MARK}
atexit.register(later)
""",
    "completed",
)
bombs.action(
    "destructor_of_a_global",
    """
class Bomb:
    def __del__(self):
        import os
        os.close(0)
        open(f'{DROP}/{NAME}', 'w').write('x')
bomb = Bomb()
def attack(): pass
""",
    "completed",
)
bombs.action(
    "destructor_that_never_ends",
    """
class Bomb:
    def __del__(self):
        while True: pass
bomb = Bomb()
def attack(): pass
""",
    "completed",
)
bombs.action(
    "exit_handler_that_never_ends",
    """
import atexit
def later():
    while True: pass
atexit.register(later)
def attack(): pass
""",
    "completed",
)
bombs.action(
    "weak_reference",
    """
import weakref
def later():
    import os
    os.close(0)
    open(f'{DROP}/{NAME}', 'w').write('x')
class Thing: pass
thing = Thing()
weakref.finalize(thing, later)
def attack(): pass
""",
    "completed",
)
bombs.action(
    "collector_callback",
    """
import gc, os
def later(phase, info): os._exit(0)
def attack(): gc.callbacks.append(later)
""",
    "completed crashed",
)
bombs.forgery(
    "destructor_that_sends",
    """
import os
class Bomb:
    def __del__(self): os.write(3, b'\\x01\\x00\\x00\\x00\\x03' * 9)
bomb = Bomb()
class Environment:
    def set_state(self, observation): pass
    def step(self, action): return [0.0] * 4, 0.0, False
""",
    "completed",
)
bombs.forgery(
    "destructor_in_a_result",
    """
import os
class Bomb(float):
    def __del__(self): os._exit(0)
class Environment:
    def set_state(self, observation): pass
    def step(self, action): return [Bomb(0)] * 4, Bomb(0), False
""",
    "crashed",
)
bombs.body(
    "alarm_for_the_next",
    """
import signal
signal.signal(signal.SIGALRM, lambda *_: None)
signal.setitimer(0, 0.05)
return 'set'
""",
    errors=("itimer_error",),
)
