"""What pictures say when their packages are missing."""

import subprocess
import sys
import tomllib
from importlib import util
from pathlib import Path
from typing import Any

import pytest

from cwm.core.errors import PrerequisiteError
from cwm.report.picture_packages import FOR_MP4, REQUIREMENTS, require_packages

ROOT = Path(__file__).parents[3]


def test_the_install_line_asks_for_what_the_extra_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extra = project["project"]["optional-dependencies"]["plot"]
    assert sorted(extra) == sorted(REQUIREMENTS.values())


@pytest.mark.parametrize("module", ["cwm.plan", "cwm.report.video", "envs.rendering"])
def test_importing_a_command_imports_nothing_that_draws(module: str) -> None:
    names = "{'matplotlib', 'PIL', 'imageio', 'pygame'}"
    program = f"import sys, {module}; sys.exit(bool({names} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("missing", FOR_MP4)
def test_a_missing_package_is_named_with_the_install_line(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    def find_spec(name: str) -> Any:
        return None if name == missing else object()

    monkeypatch.setattr(util, "find_spec", find_spec)
    with pytest.raises(PrerequisiteError) as caught:
        require_packages(FOR_MP4, option="--video")
    message = str(caught.value)
    start = f"--video needs the package {missing}, of the extra [plot]. "
    assert message.startswith(start + "Run: pip install 'matplotlib>=")
    assert "'imageio-ffmpeg>=" in message
