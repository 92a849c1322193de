"""The wheel in an environment of its own, as a newcomer has it."""

import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Installed:
    """An environment of its own, with the wheel, and an empty folder to work in."""

    def __init__(self, folder: Path) -> None:
        self.work = folder / "work"
        self.work.mkdir()
        self.python = folder / "venv" / "bin" / "python"
        wheels = folder / "wheels"
        run(
            [
                sys.executable,
                "-m",
                "pip",
                "wheel",
                "--quiet",
                "--no-deps",
                "--wheel-dir",
                wheels,
                ROOT,
            ]
        )
        venv.create(folder / "venv", with_pip=True)
        (self.wheel,) = wheels.glob("*.whl")
        self.install()

    def install(self, extras: str = "") -> None:
        wheel = f"{self.wheel}{extras}"
        # What is imported is compiled then.
        words = ("install", "--quiet", "--no-compile", wheel)
        run([self.python, "-m", "pip", *words])

    def command(self, name: str, *words: str, code: int = 0) -> str:
        return run([self.python, "-m", name, *words], cwd=self.work, code=code).stdout


def run(
    command: list[object], *, cwd: Path | None = None, code: int = 0
) -> subprocess.CompletedProcess[str]:
    # Only the installed package must be found, not this checkout.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=environment,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done
