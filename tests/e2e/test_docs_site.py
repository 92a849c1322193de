"""The pages as a site: built strictly, and nothing loaded from elsewhere."""

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOADING = {"img": "src", "link": "href", "script": "src", "source": "src"}
"""Elements that load what an attribute names."""

pytestmark = [pytest.mark.slow, pytest.mark.docs]


class Loads(HTMLParser):
    """Collects what a page loads from other servers."""

    def __init__(self) -> None:
        super().__init__()
        self.external: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        address = dict(attrs).get(LOADING.get(tag, "")) or ""
        if re.match(r"(https?:)?//", address):
            self.external.append(address)


def external_loads(page: str) -> list[str]:
    loads = Loads()
    loads.feed(page)
    return loads.external


def build(folder: Path, site: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"},
    )


def test_the_site_is_built_strictly_and_loads_nothing_from_elsewhere(
    tmp_path: Path,
) -> None:
    done = build(ROOT, tmp_path / "site")
    assert done.returncode == 0, done.stderr
    pages = {page: page.read_text() for page in (tmp_path / "site").rglob("*.html")}
    assert {str(page): external_loads(text) for page, text in pages.items()} == {
        str(page): [] for page in pages
    }
    styles = (tmp_path / "site").rglob("*.css")
    assert not any(re.search(r"url\((https?:)?//", css.read_text()) for css in styles)
    reference = (tmp_path / "site" / "api" / "protocols.html").read_text()
    assert 'id="cwm.core.protocols.WorldModel.step"' in reference


def test_what_is_loaded_from_elsewhere_is_found() -> None:
    page = '<link href="//fonts.example/a.css"><a href="https://b.example">b</a>'
    assert external_loads(page) == ["//fonts.example/a.css"]


def test_a_broken_link_fails_the_build(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    config = (ROOT / "mkdocs.yml").read_text().partition("nav:")[0]
    (tmp_path / "mkdocs.yml").write_text(config)
    shutil.copy(ROOT / "docs" / "site.md", tmp_path / "docs" / "index.md")
    done = build(tmp_path, tmp_path / "site")
    assert done.returncode != 0
    assert "api/README.md" in done.stderr
