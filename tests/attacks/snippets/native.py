"""Native code: ctypes, executable memory, and calls that Python has no name for."""

from tests.attacks.attack import Category

native = Category("native")
kernel = Category("kernel calls")

SHELLCODE = """
import ctypes, platform
if platform.machine() == 'x86_64':
    CODE = bytes.fromhex('b82a000000c3')
else:
    CODE = bytes.fromhex('40058052c0035fd6')

libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p

def page(protection):
    address = libc.mmap(
        None, ctypes.c_size_t(4096), protection, 0x22, -1, ctypes.c_long(0)
    )
    if address == ctypes.c_void_p(-1).value:
        raise PermissionError
    ctypes.memmove(address, CODE, len(CODE))
    return address

def call(address):
    return ctypes.CFUNCTYPE(ctypes.c_int)(address)()
"""
native.action(
    "executable_map",
    SHELLCODE
    + """
def attack():
    return call(page(7))
""",
)
native.action(
    "writable_then_executable",
    SHELLCODE
    + """
def attack():
    address = page(3)
    if libc.mprotect(ctypes.c_void_p(address), 4096, 5):
        raise PermissionError
    return call(address)
""",
)
native.action(
    "executable_by_key",
    SHELLCODE
    + """
def attack():
    address = page(3)
    number = 329 if platform.machine() == 'x86_64' else 288
    if libc.syscall(number, ctypes.c_void_p(address), 4096, 5, -1):
        raise PermissionError
    return call(address)
""",
    "raised crashed",
)
native.action(
    "patched_library_code",
    SHELLCODE
    + """
def attack():
    address = ctypes.cast(libc.labs, ctypes.c_void_p).value & ~4095
    if libc.mprotect(ctypes.c_void_p(address), 8192, 7):
        raise PermissionError
    return 'writable code'
""",
)
native.action(
    "heap_made_executable",
    SHELLCODE
    + """
def attack():
    number = 135 if platform.machine() == 'x86_64' else 92
    if libc.syscall(number, 0x0400000) < 0:  # READ_IMPLIES_EXEC
        raise PermissionError
    return 'read implies exec'
""",
)
native.body("null_pointer", "import ctypes\nctypes.string_at(0)", "crashed")
native.body(
    "wild_write",
    "import ctypes\nctypes.memset(id(None), 0, 1 << 16)",
    "crashed raised timed_out",
    errors=("SystemError", "TypeError", "AttributeError", "ValueError", "NameError"),
)
native.body(
    "poked_small_integers",
    """
import ctypes
ctypes.memmove(id(1) + 24, id(0) + 24, 4)
""",
    "crashed raised timed_out completed protocol_broken",
    errors=(
        "SystemError",
        "TypeError",
        "ValueError",
        "IndexError",
        "AttributeError",
        "OverflowError",
    ),
)
native.body(
    "foreign_call_table",
    """
import ctypes, platform
if platform.machine() == 'x86_64':
    return ctypes.CDLL(None).syscall(0x40000000 | 39) > 0
raise PermissionError
""",
    "crashed raised",
)
native.body(
    "stack_smash",
    """
import ctypes
text = b'A' * (1 << 16)
ctypes.CDLL(None).strcpy(ctypes.create_string_buffer(4), text)
""",
    "crashed raised completed",
    errors=("SystemError", "MemoryError"),
)
native.body(
    "library_from_a_file",
    "import ctypes\nreturn ctypes.CDLL('libBrokenLocale.so.1')",
    "raised",
    errors=("OSError",),
)
native.body(
    "numpy_ctypeslib",
    "import numpy\nreturn numpy.ctypeslib.ctypes.CDLL('libBrokenLocale.so.1')",
    errors=("OSError", "ModuleNotFoundError"),
)

# Numbers on x86-64 and on aarch64, and arguments that would succeed if allowed.
CALLS: dict[str, tuple[int, int, str]] = {
    "trace_me": (101, 117, "0, 0, 0, 0"),
    "trace_the_parent": (101, 117, "0x4206, os.getppid(), 0, 0"),
    "read_another_process": (310, 270, "CALLER, iov, 1, iov, 1, 0"),
    "write_another_process": (311, 271, "CALLER, iov, 1, iov, 1, 0"),
    "compare_processes": (312, 272, "CALLER, CALLER, 0, 0, 0"),
    "descriptor_of_another_process": (438, 438, "3, 0, 0"),
    "user_fault": (323, 282, "1"),
    "io_ring": (425, 425, "8, block"),
    "berkeley_filter": (321, 280, "0, block, 72"),
    "performance_events": (298, 241, "block, 0, -1, -1, 0"),
    "add_key": (248, 217, "b'user', b'x', b'y', 1, -2"),
    "key_control": (250, 219, "0, -3, 1"),
    "unshare_users": (272, 97, "0x10000000"),
    "unshare_files": (272, 97, "0x10020000"),
    "enter_namespace": (308, 268, "3, 0"),
    "mount": (165, 40, "b'none', b'/tmp', b'tmpfs', 0, 0"),
    "new_mount": (430, 430, "b'tmpfs', 0"),
    "change_root": (161, 51, "b'/'"),
    "file_handle": (303, 264, "-100, b'/', block, mount_id, 0"),
    "shared_memory": (29, 194, "0, 4096, 0o1600"),
    "semaphores": (64, 190, "0, 1, 0o1600"),
    "message_queue": (68, 186, "0, 0o1600"),
    "posix_queue": (240, 180, "b'attack', 0o102, 0o600, 0"),
    "secret_memory": (447, 447, "0"),
    "memory_file_by_number": (319, 279, "b'x', 0"),
    "another_filter": (317, 277, "2, 0, block"),
    "landlock": (444, 444, "0, 0, 1"),
    "events": (290, 19, "0, 0"),
    "open_again": (437, 437, "-100, SECRET_FILE.encode(), block, 24"),
    "load_module": (313, 273, "0, b'', 0"),
    "restart_machine": (169, 142, "0, 0, 0, 0"),
    "set_clock": (227, 112, "0, block"),
    "become_root": (105, 146, "0"),
    "set_capabilities": (126, 91, "block, block"),
    "set_host_name": (170, 161, "b'attacked', 8"),
    "lock_memory": (151, 230, "3"),
    "personality": (135, 92, "0"),
    "processor_choice": (203, 122, "0, 8, b'\\xff' * 8"),
    "priority": (141, 140, "0, 0, 5"),
}
_RUN = """
import ctypes, errno, os, platform
REFUSED = (
    errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOENT, errno.ESRCH,
    errno.ENOSPC, errno.EMFILE
)
libc = ctypes.CDLL(None, use_errno=True)
block = ctypes.create_string_buffer(256)
mount_id = ctypes.c_int()
target = ctypes.create_string_buffer(8)
iov = (ctypes.c_uint64 * 2)(ctypes.addressof(target), 8)
for fd in (0, 1):
    os.close(fd)
number = {x86_64} if platform.machine() == 'x86_64' else {aarch64}
result = libc.syscall(number, {arguments})
if result >= 0:
    {cleanup}
    return 'result', result
if ctypes.get_errno() not in REFUSED:
    return 'let through as far as', os.strerror(ctypes.get_errno())
raise PermissionError
"""
# What is worse than a mark, should it work.
_HARMFUL = {
    "kill_everybody",
    "restart_machine",
    "set_clock",
    "load_module",
    "mount",
    "set_host_name",
    "write_another_process",
}
# What would stay on this machine after an attack that works.
_CLEANUP = {
    "shared_memory": "libc.shmctl(result, 0, 0)",
    "semaphores": "libc.semctl(result, 0, 0)",
    "message_queue": "libc.msgctl(result, 0, 0)",
    "posix_queue": "libc.mq_unlink(b'/attack')",
}
for _name, (_x86_64, _aarch64, _arguments) in CALLS.items():
    kernel.body(
        _name,
        _RUN.format(
            x86_64=_x86_64,
            aarch64=_aarch64,
            arguments=_arguments,
            cleanup=_CLEANUP.get(_name, "pass"),
        ),
        "raised crashed",
        needs_filter=_name in _HARMFUL,
    )
kernel.body(
    "raise_own_limits",
    """
import resource
for name in (resource.RLIMIT_NOFILE, resource.RLIMIT_AS, resource.RLIMIT_NPROC):
    resource.setrlimit(name, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
return 'raised'
""",
    errors=("PermissionError", "ValueError", "ModuleNotFoundError"),
)
kernel.body(
    "soft_limits_to_hard",
    """
import resource
for name in range(16):
    hard = resource.getrlimit(name)[1]
    resource.setrlimit(name, (hard, hard))
return 'set'
""",
    errors=("PermissionError", "ValueError", "OSError"),
)
kernel.body("nice", "import os\nos.nice(-1)\nreturn 'raised'")
kernel.body(
    "stay_after_the_parent",
    """
import ctypes
if ctypes.CDLL(None).prctl(1, 0, 0, 0, 0):
    raise PermissionError
return 'set'
""",
)
kernel.body(
    "dumpable",
    """
import ctypes
if ctypes.CDLL(None).prctl(4, 1, 0, 0, 0):
    raise PermissionError
return 'set'
""",
)
kernel.body(
    "rename_the_process",
    "import ctypes\nif ctypes.CDLL(None).prctl(15, b'innocent', 0, 0, 0):\n"
    "    raise PermissionError\nreturn 'set'",
)
