"""Files: reading, writing, metadata, and ways around a closed table of descriptors."""

from tests.attacks.attack import Category

files = Category("files")

files.body("read_secret", "return open(SECRET_FILE).read()")
files.body("read_passwd", "return open('/etc/passwd').read()")
files.body("write_mark", "open(f'{DROP}/{NAME}', 'w').write('x')")
files.body("append_canary", "open(CANARY, 'a').write('x')")
files.body("os_open", "import os\nreturn os.read(os.open(SECRET_FILE, 0), 99)")
files.body("unlink", "import os\nos.unlink(CANARY)")
files.body("rename", "import os\nos.rename(CANARY, f'{DROP}/{NAME}')")
files.body("chmod", "import os\nos.chmod(CANARY, 0o777)")
files.body("utime", "import os\nos.utime(CANARY, (1, 1))")
files.body("truncate", "import os\nos.truncate(CANARY, 0)")
files.body("make_directory", "import os\nos.mkdir(f'{DROP}/{NAME}')")
files.body("symbolic_link", "import os\nos.symlink(SECRET_FILE, f'{DROP}/{NAME}')")
files.body("hard_link", "import os\nos.link(CANARY, f'{DROP}/{NAME}')")
files.body("named_pipe", "import os\nos.mkfifo(f'{DROP}/{NAME}')")
files.body("list_directory", "import os\nreturn os.listdir(DROP + '/..')")
files.body("scan_root", "import os\nreturn [e.name for e in os.scandir('/')]")
files.body("stat", "import os\nreturn os.stat(SECRET_FILE).st_size")
files.body("access", "import os\nreturn os.access(SECRET_FILE, 4)", "completed")
files.body("read_link", "import os\nreturn os.readlink('/proc/self/exe')")
files.body("statvfs", "import os\nreturn os.statvfs('/')")
files.body(
    "extended_attribute", "import os\nos.setxattr(CANARY, 'user.x', b'1')\nreturn 1"
)
files.body("working_directory", "import os\nos.chdir(DROP)\nreturn 'moved'")
files.body("memory_file", "import os\nreturn os.memfd_create('x')")
files.body(
    "watch_files",
    "import ctypes\nfd = ctypes.CDLL(None).inotify_init()\nreturn fd >= 0",
    "completed",
)
files.body(
    "temporary_file",
    """
import tempfile
with tempfile.NamedTemporaryFile(dir=DROP) as file:
    return file.name
""",
    errors=("PermissionError", "FileNotFoundError", "ModuleNotFoundError"),
)
files.body("close_then_open", "import os\nos.close(0)\nreturn open(SECRET_FILE).read()")
files.body(
    "close_everything_then_open",
    """
import os
for fd in (0, 1, 2):
    os.close(fd)
fd = os.open(f'{DROP}/{NAME}', os.O_CREAT | os.O_WRONLY)
""",
)
files.body(
    "duplicate_descriptors",
    """
import os
os.close(0)
fd = os.dup(1)
return 'duplicated'
""",
)
files.body(
    "numpy_fromfile",
    "import numpy\nreturn bytes(numpy.fromfile(SECRET_FILE, dtype='u1'))",
)
files.body(
    "numpy_tofile",
    "import numpy\nimport os\nos.close(0)\nnumpy.zeros(3).tofile(f'{DROP}/{NAME}')",
)
files.body(
    "numpy_save",
    """
import numpy
import os
os.close(0)
numpy.save(f'{DROP}/{NAME}', numpy.zeros(3))
""",
)
files.body(
    "numpy_memmap",
    """
import numpy
import os
os.close(0)
return bytes(numpy.memmap(SECRET_FILE, mode='r'))
""",
)
files.body(
    "numpy_loadtxt", "import numpy\nreturn str(numpy.loadtxt(SECRET_FILE, dtype=str))"
)
files.body(
    "numpy_data_source",
    "import numpy\nreturn numpy.lib.npyio.DataSource().open(SECRET_FILE).read()",
    errors=("PermissionError", "OSError", "FileNotFoundError"),
)
files.body("file_io", "import io\nio.FileIO(CANARY, 'w').write(b'x')")
files.body("open_code", "import _io\nreturn _io.open_code(SECRET_FILE).read()")
files.body("codecs_open", "import codecs\nreturn codecs.open(SECRET_FILE).read()")
files.body("pathlib", "import pathlib\nreturn pathlib.Path(SECRET_FILE).read_text()")
files.body(
    "line_cache",
    "import linecache\nreturn linecache.getlines(SECRET_FILE)",
    "completed",
)
files.body(
    "source_loader",
    """
import importlib.machinery as m
return m.SourceFileLoader('x', SECRET_FILE).get_data(SECRET_FILE)
""",
)
files.body(
    "open_by_libc",
    """
import ctypes
libc = ctypes.CDLL(None)
fd = libc.open(SECRET_FILE.encode(), 0)
if fd < 0:
    return None
buffer = ctypes.create_string_buffer(99)
libc.read(fd, buffer, 98)
return buffer.value
""",
    "completed",
)
files.body(
    "path_descriptor",
    "import os\nreturn os.open('/', getattr(os, 'O_PATH', 0x200000))",
)
files.body(
    "write_through_null",
    """
import os
for path in ('/dev/tty', '/dev/shm/' + NAME, '/dev/full', '/proc/self/fd/0'):
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT)
        if 'shm' in path:
            os.unlink(path)
        return path, fd
    except OSError as error:
        last = error
raise last
""",
)
