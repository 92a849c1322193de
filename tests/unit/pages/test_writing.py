import base64
import hashlib
import json
import re
from importlib.resources import files
from typing import Any

import pytest

from cwm.pages.writing import SCRIPTS, data_text, finite, page_data, page_html, policy

NASTY = "</script><!-- <b> & \u2028 \ud800 {{script}}"

RUN: dict[str, Any] = {
    "name": "run",
    "environment": NASTY,
    "settings": {},
    "nodes": [],
}


def written(*, is_live: bool = False) -> str:
    return page_html(page_data([RUN], is_live=is_live))


def test_data_have_no_character_that_means_something_to_html() -> None:
    text = data_text({"text": NASTY})
    assert text.isascii()
    assert not set("<>&") & set(text)
    assert json.loads(text) == {"text": NASTY}


def test_numbers_that_json_does_not_have_become_texts() -> None:
    found = finite({"a": [float("inf"), (float("nan"), 1.5)], "b": True})
    assert found == {"a": ["inf", ["nan", 1.5]], "b": True}


def test_every_script_and_style_of_a_page_has_its_hash_in_the_policy() -> None:
    page = written()
    (stated,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', page)
    texts = re.findall(r"<(script|style)(?: type=\"module\")?>(.*?)</\1>", page, re.S)
    assert [kind for kind, _ in texts] == ["style", "script", "script"]
    for kind, text in texts:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        rule = re.search(rf"{kind}-src ([^;]+)", stated)
        assert rule is not None
        assert f"'sha256-{digest}'" in rule[1]
    assert "unsafe" not in stated


@pytest.mark.parametrize(("is_live", "allowed"), [(True, "'self'"), (False, "'none'")])
def test_only_a_live_page_may_ask_for_anything(is_live: bool, allowed: str) -> None:
    found = policy(scripts=[""], style="", is_live=is_live)
    assert f"connect-src {allowed};" in found
    assert "default-src 'none';" in found


def test_the_title_is_text() -> None:
    page = written()
    (title,) = re.findall(r"<title>(.*?)</title>", page)
    assert title.startswith("&lt;/script&gt;&lt;!-- &lt;b&gt; &amp;")
    page.encode()  # Half a character would not go into a file.


def test_nothing_is_loaded_from_anywhere() -> None:
    page = written()
    markup = re.sub(r"<(script|style).*?</\1>", "", page, flags=re.S)
    addresses = re.findall(r'(?:src|href)="([^"]*)"', markup)
    assert addresses == ["data:,", "#content"]
    assert "url(" not in (files("cwm.pages") / "templates" / "page.css").read_text()


def test_every_script_of_ours_is_in_the_page() -> None:
    folder = files("cwm.pages") / "templates"
    names = {one.name for one in folder.iterdir() if one.name.endswith(".js")}
    assert names == set(SCRIPTS)


def test_scripts_never_read_markup() -> None:
    folder = files("cwm.pages") / "templates"
    for name in SCRIPTS:
        text = (folder / name).read_text()
        for word in ("innerHTML", "outerHTML", "insertAdjacent", "eval(", ".html("):
            assert word not in text, name


def test_the_bundled_library_is_as_it_was_published() -> None:
    vendor = files("cwm.pages") / "vendor"
    digest = hashlib.sha256((vendor / "d3.min.js").read_bytes()).hexdigest()
    readme = (vendor / "README.md").read_text()
    assert digest in readme
    version = re.search(r"D3 (\d+\.\d+\.\d+)", readme)
    assert version is not None
    first_line = (vendor / "d3.min.js").read_text().partition("\n")[0]
    assert f"v{version[1]} Copyright" in first_line
    assert "Permission to use, copy, modify" in (vendor / "d3.LICENSE").read_text()
    assert "Permission to use, copy, modify" in written()
