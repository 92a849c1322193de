import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SKIPPED = """
import pytest

pytest.importorskip("a_package_that_nobody_has")
"""
SKIPPED_INSIDE = """
import pytest

def test_with_an_extra():
    pytest.importorskip("a_package_that_nobody_has")

@pytest.mark.skip(reason="root can write everywhere")
def test_of_another_platform():
    pass
"""


@pytest.mark.parametrize("text", [SKIPPED, SKIPPED_INSIDE], ids=["module", "test"])
@pytest.mark.parametrize(
    ("options", "code"), [([], {0, 5}), (["--every-extra"], {1, 2})]
)
def test_a_missing_package_fails_where_every_extra_is_expected(
    tmp_path: Path, text: str, options: list[str], code: set[int]
) -> None:
    shutil.copy(Path(__file__).parents[1] / "conftest.py", tmp_path)
    (tmp_path / "test_extra.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in code, done.stdout
