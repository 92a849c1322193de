"""Processes, threads, signals, and what they leave behind."""

from tests.attacks.attack import Category

processes = Category("processes")
signals = Category("signals")

LEAVE_MARK = "open(f'{DROP}/{NAME}', 'w').write('x')"

processes.body(
    "fork",
    "import os\npid = os.fork()\nif pid == 0:\n    os._exit(0)\nreturn pid",
)
processes.body(
    "fork_bomb",
    """
import os, time
pids = []
for _ in range(48):
    pid = os.fork()
    if pid == 0:
        time.sleep(2)
        os._exit(0)
    pids.append(pid)
return pids
""",
)
processes.body(
    "daemon",
    f"""
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(0.3)
        os.close(0)
        {LEAVE_MARK}
    os._exit(0)
""",
)
processes.body(
    "shell_by_spawn",
    """
import os
return os.posix_spawn('/bin/sh', ['sh', '-c', f'echo > {DROP}/{NAME}'], {})
""",
)
processes.body(
    "shell_by_system",
    "import os\nif os.system(f'echo > {DROP}/{NAME}'):\n    raise PermissionError",
)
processes.body(
    "shell_by_exec",
    "import os\nos.execv('/bin/sh', ['sh', '-c', f'echo > {DROP}/{NAME}'])",
)
processes.body(
    "shell_by_subprocess",
    "import subprocess\nsubprocess.run(['/bin/sh', '-c', f'echo > {DROP}/{NAME}'])",
)
processes.body("shell_by_popen", "import os\nos.popen(f'echo > {DROP}/{NAME}').read()")
processes.body(
    "shell_by_libc",
    "import ctypes\nif ctypes.CDLL(None).system(f'echo > {DROP}/{NAME}'.encode()):\n"
    "    raise PermissionError",
)
processes.body(
    "terminal",
    "import os, pty\npid, fd = pty.fork()\nif pid == 0:\n    os._exit(0)\nreturn pid",
    errors=("PermissionError", "OSError", "ModuleNotFoundError"),
)
processes.body(
    "multiprocessing",
    """
import multiprocessing as m
p = m.get_context('fork').Process(target=print)
p.start()
return p.pid
""",
    errors=("PermissionError", "ModuleNotFoundError", "ImportError"),
)
THREAD = ("RuntimeError", "error")
processes.body(
    "thread",
    """
import threading
t = threading.Thread(target=print)
t.start()
t.join()
return 'ran'
""",
    errors=THREAD,
)
processes.body(
    "thread_bomb",
    """
import _thread, time
for number in range(200):
    _thread.start_new_thread(time.sleep, (5,))
return number
""",
    errors=THREAD,
)
processes.body(
    "thread_that_waits_for_the_next",
    f"""
import threading, time, os
def later():
    time.sleep(0.3)
    os.close(0)
    {LEAVE_MARK}
threading.Thread(target=later, daemon=True).start()
time.sleep(0.6)
""",
    errors=THREAD,
)
processes.body(
    "thread_pool",
    "from concurrent.futures import ThreadPoolExecutor as P\nwith P(2) as pool:\n"
    "    return list(pool.map(str, range(3)))",
    errors=("RuntimeError", "ModuleNotFoundError", "PermissionError"),
)
processes.body(
    "clone",
    """
import ctypes, os, platform
number = 56 if platform.machine() == 'x86_64' else 220
pid = ctypes.CDLL(None).syscall(number, 17, 0, 0, 0, 0)
if pid == 0:
    os._exit(0)
return pid > 0
""",
    "completed",
)
processes.body(
    "clone3",
    """
import ctypes, os
arguments = (ctypes.c_uint64 * 11)(0, 0, 0, 0, 17)
pid = ctypes.CDLL(None).syscall(435, arguments, ctypes.sizeof(arguments))
if pid == 0:
    os._exit(0)
return pid > 0
""",
    "completed",
)
processes.body(
    "memory_fork",
    """
import ctypes, os
pid = ctypes.CDLL(None).fork()
if pid == 0:
    os._exit(0)
return pid > 0
""",
    "completed",
)
processes.body("change_group", "import os\nos.setpgid(0, os.getppid())\nreturn 'moved'")
processes.body("new_session", "import os\nreturn os.setsid()")

signals.body(
    "kill_the_parent",
    """
import os, signal
os.kill(os.getppid(), signal.SIGKILL)
import time
time.sleep(0.2)
""",
)
signals.body(
    "stop_the_parent",
    """
import os, signal
os.kill(os.getppid(), signal.SIGSTOP)
import time
time.sleep(0.2)
""",
)
signals.body("ask_after_the_caller", "import os\nos.kill(CALLER, 0)\nreturn 'alive'")
signals.body(
    "terminate_the_caller",
    "import os, signal\nos.kill(CALLER, signal.SIGUSR1)\nreturn 'sent'",
    needs_filter=True,
)
signals.body(
    "kill_everybody",
    "import os\nos.kill(-1, 9)\nreturn 'sent'",
    needs_filter=True,
)
signals.body(
    "kill_the_group", "import os\nos.killpg(0, 15)\nreturn 'sent'", needs_filter=True
)
signals.body(
    "signal_by_descriptor",
    "import os, signal\nos.close(0)\nfd = os.pidfd_open(CALLER)\n"
    "signal.pidfd_send_signal(fd, 0)\nreturn fd",
)
signals.body(
    "alarm",
    """
import signal
signal.alarm(1)
return signal.getitimer(signal.ITIMER_REAL)[0] > 0
""",
    errors=("itimer_error",),
)
signals.body(
    "timer",
    "import signal\nsignal.setitimer(signal.ITIMER_REAL, 0.1)\nreturn 'set'",
    errors=("itimer_error",),
)
signals.body(
    "raise_in_itself",
    "import signal\nsignal.raise_signal(signal.SIGUSR1)\nreturn 'sent'",
    "raised crashed completed",
    errors=("PermissionError", "OSError"),
)
