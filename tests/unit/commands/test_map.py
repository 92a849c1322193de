"""`cwm` and `python -m cwm`: the map, and the way to each command."""

from pathlib import Path

import pytest

from cwm import __version__
from cwm.__main__ import COMMANDS, command, main, module_of

PACKAGE = Path(__file__).parents[3] / "cwm"


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_the_map_names_every_command_with_its_purpose(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 0
    shown = capsys.readouterr().out
    for name, purpose in COMMANDS.items():
        assert f"  cwm.{name:<11} {purpose}\n" in shown
    assert "\n  sandbox " in shown


def test_no_command_is_missing_on_the_map() -> None:
    guard = 'if __name__ == "__main__":'
    files = [*PACKAGE.glob("*.py"), *PACKAGE.glob("*/__main__.py")]
    commands = {
        path.parent.name if path.name == "__main__.py" else path.stem
        for path in files
        if guard in path.read_text() and path != PACKAGE / "__main__.py"
    }
    assert commands == set(COMMANDS)


@pytest.mark.parametrize("name", [*COMMANDS, "sandbox"])
def test_every_command_is_reached_by_its_name(name: str) -> None:
    assert command(name).__module__ == module_of(name)


def test_words_after_the_name_are_the_commands_own(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["replay", str(tmp_path)]) == 2
    assert "config.json" in capsys.readouterr().err


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"{__version__}\n"


def test_an_unknown_command_is_a_usage_error_that_names_the_nearest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["synthesise"]) == 2
    shown = capsys.readouterr().err
    assert "No command called 'synthesise'. Did you mean 'synthesize'?" in shown
    assert "Known: synthesize, collect" in shown
