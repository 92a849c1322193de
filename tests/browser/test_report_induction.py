"""The page of an induction, in a browser."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cwm.pages.command import main as report
from cwm.pages.kinds import make_reader
from cwm.pages.writing import page_data, page_html
from tests.browser.test_report_page import CONTRAST, PHONE
from tests.browser.test_report_safety import MARKUP, hostile
from tests.support.browsing import Visit
from tests.support.induced_runs import RULES_OF_A_PAGE, rules_run

pytestmark = pytest.mark.browser

Open = Callable[..., Visit]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = rules_run(tmp_path_factory.mktemp("induced"), "--iterations", "3")
    assert report([str(path)]) == 0
    return path


@pytest.fixture
def page(run: Path, visit: Open) -> Visit:
    return visit(run / "report.html")


def every_view(found: Visit) -> None:
    for item in found.page.locator("[role=option]").all():
        item.click()
        for tab in found.page.locator("[role=tab]").all():
            tab.click()
    found.page.evaluate(
        "for (const one of document.querySelectorAll('details')) one.open = true"
    )


def test_the_first_screen_says_what_the_rules_are_worth(page: Visit, run: Path) -> None:
    (row,) = [
        one
        for one in make_reader(run, name="run").read()["scores"]["rows"]
        if one["name"] == "best"
    ]
    mean = row["difference"]["mean"]
    assert page.text("h1") == "cwm/Playground-v0"
    word = "less likely" if mean < 0 else "likelier"
    assert f"{abs(mean):.3g} nats {word} on average than no" in page.text(".lead")
    assert "are stand-ins, no language model" in page.text("#verdict .warning")
    names = page.page.locator(".interval .name").all_inner_texts()
    assert names[:3] == ["no hypothesis", "first", "best"]
    facts = page.text("#verdict dl")
    for words in ("template stand-in", "2 of 2, after the first collection", "6, of"):
        assert words in facts
    assert page.page.locator("#curves figure").count() == 4


def test_nothing_is_asked_of_a_network(page: Visit) -> None:
    assert [url.partition(":")[0] for url in page.requests] == ["file"]


def test_a_proposal_is_chosen_in_the_chain_and_by_address(
    page: Visit, run: Path, visit: Open
) -> None:
    page.page.locator("#curve [data-node='4']").click()
    assert page.text("#node-title").startswith("Hypothesis 4")
    assert page.page.url.endswith("#hypothesis-4")
    address = (run / "report.html").resolve().as_uri()
    found = visit(f"{address}#hypothesis-2")
    assert found.text("#node-title").startswith("Hypothesis 2")
    found.page.locator("#node .steps a").nth(1).click()
    found.awaits("#node-title", "Hypothesis 3")


def test_the_list_and_the_tabs_are_used_by_keyboard(page: Visit) -> None:
    page.page.locator("#list [tabindex='0']").focus()
    page.page.keyboard.press("Home")
    page.page.keyboard.press("ArrowDown")
    page.page.keyboard.press("Enter")
    assert page.text("#node-title").startswith("Hypothesis 2")
    assert page.page.evaluate("document.activeElement.id") == "item-2"
    page.page.locator("#tab-program").focus()
    page.page.keyboard.press("ArrowRight")
    assert page.page.evaluate("document.activeElement.id") == "tab-changes"


def test_the_decision_is_told_with_its_numbers(page: Visit, run: Path) -> None:
    for one in make_reader(run, name="run").read()["nodes"][1:]:
        page.page.locator(f"#item-{one['node']}").click()
        page.page.locator("#tab-why").click()
        shown = page.text("#node-panel").replace("−", "-")
        assert shown.startswith("Accepted" if one["is_accepted"] else "Refused")
        assert f"logarithm of the random number {one['log_draw']:.2f}" in shown
        assert f"log ratio {one['log_ratio']:+.2f}" in shown


def test_changes_are_told_line_by_line(page: Visit, run: Path) -> None:
    nodes = make_reader(run, name="run").read()["nodes"]
    (one, *_) = [
        node
        for node in nodes
        if node["changes"] and any(change[0] == "insert" for change in node["changes"])
    ]
    page.page.locator(f"#item-{one['node']}").click()
    page.page.locator("#tab-changes").click()
    assert page.page.locator("#node .line.added").count() >= 1


def test_attacks_in_every_text_of_the_data_stay_text(
    run: Path, tmp_path: Path, visit: Open
) -> None:
    data = make_reader(run, name="run").read()
    data["environment"] = data["name"] = MARKUP
    data["texts"]["paragraphs"] = [MARKUP for _ in data["texts"]["paragraphs"]]
    data["texts"]["lines"] = [["", MARKUP] for _ in data["texts"]["lines"]]
    page = page_html(page_data([hostile(data)], is_live=False))
    (tmp_path / "page.html").write_text(page)
    found = visit(tmp_path / "page.html")
    every_view(found)
    assert found.page.evaluate("window.broken") is None
    assert found.page.locator("img").count() == 0
    assert "</script><script>" in found.page.locator("h1").inner_text()


def test_rules_that_are_markup_are_shown_as_they_are(
    tmp_path: Path, visit: Open
) -> None:
    words = ("--phases", "0", "--first", RULES_OF_A_PAGE, "--evaluate", "likelihood")
    path = rules_run(tmp_path, *words)
    assert report([str(path)]) == 0
    found = visit(path / "report.html")
    every_view(found)
    found.page.locator("#tab-program").click()
    assert found.page.evaluate("window.broken") is None
    assert "</script><script>window.broken = 'rules'" in found.text("#node .code")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_contrast_in_both_schemes(
    run: Path, visit: Open, scheme: str
) -> None:
    found = visit(run / "report.html", color_scheme=scheme)
    for tab in ("why", "told"):
        found.page.locator(f"#tab-{tab}").click()
        ratios = found.page.evaluate(CONTRAST)
        assert len(ratios) > 100
        assert {text: ratio for text, ratio in ratios if ratio < 4.5} == {}


def test_a_phone_shows_it_without_scrolling_sideways(run: Path, visit: Open) -> None:
    found = visit(run / "report.html", **PHONE)
    assert found.overflow() == 0
    found.page.locator("#item-3").click()
    for tab in found.page.locator("[role=tab]").all():
        tab.click()
        assert found.overflow() == 0, tab.inner_text()


def test_runs_are_compared(run: Path, tmp_path: Path, visit: Open) -> None:
    words = ("--method", "importance", "--evaluate", "likelihood")
    other = rules_run(tmp_path, *words, name="drawn")
    out = tmp_path / "comparison.html"
    assert report([str(run), str(other), "--out", str(out)]) == 0
    found = visit(out)
    rows = found.page.locator("#comparison table").first.locator("tbody tr")
    names = [row.split("\t")[0] for row in rows.all_inner_texts()]
    assert names == ["rules", "drawn"]
    settings = found.page.locator("#comparison table").nth(1).inner_text()
    assert "induction.inference.method\tmetropolis\timportance" in settings
    assert found.page.locator("#comparison-curve path.series").count() == 2
    found.page.locator("#comparison a", has_text="drawn").click()
    found.awaits("#verdict dl", "importance")
    found.page.locator("#item-4").click()
    assert found.page.url.endswith("#run-2-hypothesis-4")
    found.page.locator("#tab-why").click()
    assert "drawn independently" in found.text("#node-panel")
    assert found.overflow() == 0
