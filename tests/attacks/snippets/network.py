"""The network, local sockets, and what is inherited of them."""

from tests.attacks.attack import Category

network = Category("network")

network.body(
    "connect",
    """
import socket
socket.create_connection(('127.0.0.1', TCP_PORT), 0.3).sendall(b'x')
""",
)
network.body(
    "close_then_connect",
    """
import os, socket
for fd in (0, 1):
    os.close(fd)
socket.create_connection(('127.0.0.1', TCP_PORT), 0.3).sendall(b'x')
""",
)
network.body(
    "datagram",
    """
import os, socket
os.close(0)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.sendto(b'x', ('127.0.0.1', UDP_PORT))
""",
)
network.body(
    "bare_module",
    """
import _socket, os
os.close(0)
s = _socket.socket()
s.connect(('127.0.0.1', TCP_PORT))
""",
)
network.body(
    "unix_path",
    """
import os, socket
os.close(0)
s = socket.socket(socket.AF_UNIX)
s.connect(UNIX_PATH)
""",
)
network.body(
    "unix_abstract",
    """
import os, socket
os.close(0)
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.sendto(b'x', ABSTRACT)
""",
)
network.body(
    "listen",
    "import os, socket\nos.close(0)\ns = socket.socket()\ns.bind(('127.0.0.1', 0))\n"
    "s.listen()\nreturn s.getsockname()",
)
network.body(
    "abstract_listener",
    "import os, socket\nos.close(0)\ns = socket.socket(socket.AF_UNIX)\n"
    "s.bind('\\0' + NAME + str(CALLER))\ns.listen()\nreturn 'listening'",
)
network.body(
    "version_6",
    """
import os, socket
os.close(0)
return socket.socket(socket.AF_INET6).fileno() >= 0
""",
)
network.body(
    "netlink",
    """
import os, socket
os.close(0)
return socket.socket(16, socket.SOCK_RAW, 0).fileno() >= 0
""",
)
network.body(
    "packets",
    """
import os, socket
os.close(0)
return socket.socket(17, socket.SOCK_RAW, 3).fileno() >= 0
""",
)
network.body(
    "kernel_crypto",
    """
import os, socket
os.close(0)
return socket.socket(38, socket.SOCK_SEQPACKET).fileno() >= 0
""",
)
network.body(
    "virtual_machine_socket",
    """
import os, socket
os.close(0)
return socket.socket(40, socket.SOCK_STREAM).fileno() >= 0
""",
)
network.body(
    "socket_pair",
    """
import os, socket
os.close(0)
os.close(1)
return socket.socketpair()[0].fileno() >= 0
""",
)
network.body(
    "name_lookup",
    """
import os, socket
os.close(0)
os.close(1)
return socket.getaddrinfo('localhost', 80)
""",
    errors=("gaierror", "PermissionError"),
)
network.body(
    "host_name",
    "import socket\nreturn socket.if_nameindex()",
    errors=("PermissionError", "OSError"),
)
network.body(
    "web",
    """
import urllib.request
return urllib.request.urlopen(f'http://127.0.0.1:{TCP_PORT}', timeout=0.3)
""",
    errors=("PermissionError", "URLError", "ModuleNotFoundError"),
)
network.body(
    "event_loop",
    "import asyncio\nloop = asyncio.new_event_loop()\nloop.run_until_complete(\n"
    "    asyncio.open_connection('127.0.0.1', TCP_PORT))",
    errors=("PermissionError", "ModuleNotFoundError"),
)
network.body(
    "connect_the_job_socket",
    """
import socket
s = socket.socket(fileno=3)
s.connect('\\0elsewhere')
return 'connected'
""",
)
network.body(
    "descriptor_through_the_job_socket",
    """
import array, socket
s = socket.socket(family=1, type=1, fileno=3)
s.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [0]))])
return 'sent'
""",
)
network.body(
    "receive_on_the_job_socket",
    """
import socket
s = socket.socket(family=1, type=1, fileno=3)
s.setblocking(False)
return s.getsockname() or 'named'
""",
)
network.body(
    "write_to_the_control_socket",
    """
import os
sent = []
for fd in range(4, 400):
    try:
        sent.append(os.write(fd, b'K' * 64))
    except OSError:
        pass
return sent
""",
    "completed",
)
