"""What a language model wrote stays text; and the checks notice where it does not."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cwm.pages.runs import RunReader
from cwm.pages.writing import page_data, page_html
from tests.support.browsing import Visit

pytestmark = pytest.mark.browser

Open = Callable[..., Visit]

MARKUP = (
    "</script><script>window.broken = 'closed'</script>"
    "<!--<script>"
    '"><img src=x onerror="window.broken = \'image\'">'
    "<svg onload=\"window.broken = 'drawn'\"></svg>"
    "{{script}} ${window.broken = 'filled'} \u2028 \ud800"
)


def hostile(value: Any) -> Any:
    """Data in which every free text is an attack."""
    if isinstance(value, dict):
        return {name: hostile(member) for name, member in value.items()}
    if isinstance(value, list):
        return [hostile(member) for member in value]
    return MARKUP if isinstance(value, str) and " " in value else value


def every_view(found: Visit) -> None:
    """Goes through every tab of every node."""
    for item in found.page.locator("[role=treeitem]").all():
        item.click()
        for tab in found.page.locator("[role=tab]").all():
            tab.click()
    found.page.evaluate(
        "for (const one of document.querySelectorAll('details')) one.open = true"
    )


def test_a_hostile_program_and_answer_stay_text(page: Visit) -> None:
    every_view(page)
    assert page.page.evaluate("window.broken") is None
    page.page.locator("#item-6").click()
    page.page.locator("#tab-program").click()
    assert '# </script><script>window.broken = "script"</script>' in page.text("#node")
    page.page.locator("#tab-answer").click()
    assert "Mind <b onclick='window.broken=1'>this</b>." in page.text("#node")


def test_attacks_in_every_text_of_the_data_stay_text(
    scripted: Path, tmp_path: Path, visit: Open
) -> None:
    run = RunReader(path=scripted, name="run", runs_program=False).read()
    run["environment"] = run["made_by"] = run["name"] = MARKUP
    for node in run["nodes"]:
        node["feedback"] = MARKUP
    run["texts"]["paragraphs"] = [MARKUP for _ in run["texts"]["paragraphs"]]
    run["texts"]["lines"] = [["s", MARKUP] for _ in run["texts"]["lines"]]
    data = page_data([hostile(run)], is_live=False)
    (tmp_path / "page.html").write_text(page_html(data))
    found = visit(tmp_path / "page.html")
    every_view(found)
    assert found.page.evaluate("window.broken") is None
    assert found.page.locator("img").count() == 0
    assert "</script><script>" in found.page.locator("h1").inner_text()


def test_the_policy_refuses_a_script_that_got_in_anyway(
    scripted: Path, tmp_path: Path, browser: Any
) -> None:
    """And the check for errors notices: it would fail any other test of this file."""
    text = (scripted / "report.html").read_text()
    got_in = "<script>window.broken = 'in'</script><p onclick='1'>"
    (tmp_path / "page.html").write_text(text.replace("<footer>", f"{got_in}<footer>"))
    found = Visit(browser, tmp_path / "page.html")
    assert found.page.evaluate("window.broken") is None
    assert len(found.errors) >= 1
    assert "Content Security Policy" in found.errors[0]
    found.close()


def test_the_policy_refuses_markup_that_is_made_of_text(page: Visit) -> None:
    refused = page.page.evaluate(
        "() => { try { document.body.innerHTML = '<b>x</b>'; return ''; }"
        " catch (error) { return String(error); } }"
    )
    assert "TrustedHTML" in refused
    page.errors.clear()


def test_a_page_without_the_policy_and_the_escapes_is_broken_by_the_same_attack(
    scripted: Path, tmp_path: Path, browser: Any
) -> None:
    """The attack is one: without both defences it comes through."""
    text = (scripted / "report.html").read_text()
    head, mark, tail = text.partition('<script id="data" type="application/json">')
    attacked = json.dumps({"text": MARKUP})
    head = head.replace('http-equiv="Content-Security-Policy"', 'name="none"')
    (tmp_path / "page.html").write_text(head + mark + attacked + tail)
    found = Visit(browser, tmp_path / "page.html")
    assert found.page.evaluate("window.broken") == "closed"
    found.close()


def test_a_page_whose_data_are_wrong_is_noticed(
    scripted: Path, tmp_path: Path, browser: Any
) -> None:
    text = (scripted / "report.html").read_text()
    (tmp_path / "page.html").write_text(text.replace('"nodes":[', '"nods":['))
    found = Visit(browser, tmp_path / "page.html")
    assert found.errors
    found.close()
