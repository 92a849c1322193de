"""Secrets in the environment, in memory and in /proc."""

from tests.attacks.attack import Category

secrets = Category("secrets")

secrets.body(
    "environment",
    """
import os
return [n for n in os.environ if n.startswith('ATTACK')] + [
    v for v in os.environ.values() if SECRET_HEAD in v
]
""",
    "completed",
)
secrets.body(
    "environment_by_libc",
    """
import ctypes
libc = ctypes.CDLL(None)
libc.getenv.restype = ctypes.c_char_p
return libc.getenv(b'ATTACK_SUITE_SECRET')
""",
    "completed",
)
secrets.body(
    "environment_block",
    """
import ctypes
libc = ctypes.CDLL(None)
block = ctypes.POINTER(ctypes.c_char_p).in_dll(libc, 'environ')
found, index = [], 0
while block and block[index]:
    found.append(block[index])
    index += 1
return [v for v in found if SECRET_HEAD.encode() in v]
""",
    "completed",
)
secrets.body(
    "objects_of_the_collector",
    """
import gc
found = []
for thing in gc.get_objects():
    if isinstance(thing, dict):
        found += [v for v in list(thing.values()) if isinstance(v, str)]
return [v for v in found if v.startswith(SECRET_HEAD) and len(v) > len(SECRET_HEAD)]
""",
    "completed",
)
PROC = {
    "own_environment": "self/environ",
    "own_memory_map": "self/maps",
    "parents_environment": "{ppid}/environ",
    "callers_environment": "{CALLER}/environ",
    "callers_command_line": "{CALLER}/cmdline",
    "parents_command_line": "{ppid}/cmdline",
    "first_process": "1/cmdline",
    "mounts": "self/mounts",
    "kernel_version": "version",
    "network_table": "net/tcp",
}
for _name, _path in PROC.items():
    secrets.body(
        f"proc_{_name}",
        f"""
import os
try:
    ppid = os.getppid()
except OSError:
    ppid = 1
os.close(0)
return os.read(os.open(f'/proc/{_path}', 0), 4000)
""",
        "raised",
    )
secrets.body(
    "own_memory_file",
    """
import os
os.close(0)
fd = os.open('/proc/self/mem', os.O_RDWR)
value = 12345678.0
os.pwrite(fd, bytes(8), id(value) + 16)
return value
""",
)
secrets.body(
    "callers_memory_file",
    "import os\nos.close(0)\nreturn os.open(f'/proc/{CALLER}/mem', os.O_RDWR)",
)
secrets.body(
    "descriptors_of_the_caller",
    "import os\nos.close(0)\nreturn os.listdir(f'/proc/{CALLER}/fd')",
)
secrets.body(
    "descriptors_that_were_left_open",
    """
import os
found = []
for fd in range(4, 400):
    try:
        os.lseek(fd, 0, 1)
        found.append(fd)
    except OSError as error:
        if error.errno != 9:
            found.append(fd)
return found
""",
    "completed",
)
secrets.body(
    "own_memory_by_ctypes",
    """
import ctypes, gc
needle = SECRET_HEAD.encode()
for thing in gc.get_objects():
    data = ctypes.string_at(id(thing), 64)
    if needle in data and data.count(needle) and b'secret ' in data:
        return data
""",
    "completed",
)
secrets.body(
    "python_history",
    """
import sys
frame, found = sys._getframe(), []
while frame:
    found += [v for v in frame.f_locals.values() if isinstance(v, (str, bytes))]
    frame = frame.f_back
return [v for v in found if isinstance(v, bytes) and b'ATTACK_SUITE_SECRET=' in v]
""",
    "completed",
)
secrets.body(
    "format_string_escape",
    """
template = '{0.set_state.__globals__[__builtins__]}'
import types
found = template.format(Environment())
module = '{0.__class__.__mro__}'.format(Environment())
import os
return [v for v in (found, module, f'{os.environ}') if 'ATTACK_SUITE' in v]
""",
    "completed",
)
