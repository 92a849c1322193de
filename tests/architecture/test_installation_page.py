import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def extras_of(page: str) -> list[str]:
    """Returns the extras that the first cells of a table's rows name."""
    cells = re.findall(r"^\| (`[^|]+) \|", page, flags=re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def test_names_are_read_from_first_cells_only() -> None:
    page = (
        "| extra | with |\n|---|---|\n| none | `a` |\n| `b` | `c` |\n| `d`, `e` | 1 |\n"
    )
    assert extras_of(page) == ["b", "d", "e"]


def test_the_table_of_extras_has_every_extra_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    page = (ROOT / "docs" / "installation.md").read_text()
    assert sorted(extras_of(page)) == sorted(project["optional-dependencies"])
