import errno
import os
import sys
from pathlib import Path

import pytest

from sandbox import linux
from sandbox.linux import Kernel, explain

only_linux = pytest.mark.skipif(sys.platform != "linux", reason="the calls are Linux's")


@only_linux
def test_address_space_is_that_of_a_python_process() -> None:
    assert 5 << 20 < linux.address_space_bytes() < 1 << 42


@only_linux
def test_refused_calls_are_named() -> None:
    kernel = Kernel()
    with pytest.raises(OSError, match="umount2") as caught:
        kernel.call("umount2", b"/no such place", 0)
    assert caught.value.errno in (errno.EPERM, errno.ENOENT)
    with pytest.raises(OSError, match="pivot_root"):
        kernel.system_call("pivot_root", 1 << 20)
    with pytest.raises(OSError, match="prctl"):
        kernel.prctl(1 << 20, 0)


@only_linux
def test_arguments_are_not_cut_to_half_a_word(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        Kernel().call("lseek", file.fileno(), 5 << 32, os.SEEK_SET)
        assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == 5 << 32


def test_explanation_has_call_and_reason() -> None:
    assert explain(OSError(errno.EPERM, "Not permitted", "mount")) == (
        "mount: Not permitted"
    )
    assert explain(OSError(errno.EPERM, "Not permitted")) == "Not permitted"
    assert explain(OSError("odd")) == "OSError"
