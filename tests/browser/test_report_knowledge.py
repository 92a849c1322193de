"""The page of a world knowledge model, in a browser."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cwm.pages.command import main as report
from cwm.pages.kinds import make_reader
from cwm.pages.writing import page_data, page_html
from tests.browser.test_report_induction import every_view
from tests.browser.test_report_page import CONTRAST, PHONE
from tests.browser.test_report_safety import MARKUP, hostile
from tests.support.browsing import Visit
from tests.support.knowledge_runs import knowledge_run

pytestmark = [pytest.mark.browser, pytest.mark.local]

Open = Callable[..., Visit]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "known"
    knowledge_run(path, "random", "none", "wkm")
    assert report([str(path)]) == 0
    return path


@pytest.fixture
def page(run: Path, visit: Open) -> Visit:
    return visit(run / "report.html")


def test_the_first_screen_says_what_knowledge_is_worth(page: Visit, run: Path) -> None:
    rows = make_reader(run, name="run").read()["rows"]
    for lead, split in zip(
        page.page.locator(".lead").all_inner_texts(), ("seen", "unseen"), strict=True
    ):
        (row,) = [r for r in rows if (r["row"], r["split"]) == ("wkm", split)]
        score = row["score"]["value"]
        assert lead.startswith(f"In {split} games wkm scores {score:.1f} of 100")
        assert "against the agent without knowledge (none)" in lead
    warnings = page.page.locator("#verdict .warning").all_inner_texts()
    assert "no language models" in warnings[0]
    assert "written by rules" in warnings[1]
    names = page.page.locator(".interval .name").all_inner_texts()
    assert names == ["random", "none", "wkm"] * 2
    assert page.requests == [(run / "report.html").resolve().as_uri()]


def test_players_have_a_table_for_each_split(page: Visit) -> None:
    captions = page.page.locator("#measured caption").all_inner_texts()
    assert [one.partition(":")[0] for one in captions] == ["Seen games", "Unseen games"]
    rows = page.page.locator("#measured table").first.locator("tbody tr")
    assert [row.split("\t")[0] for row in rows.all_inner_texts()] == [
        "random",
        "none",
        "wkm",
    ]
    assert "the paper's WKM" in page.text("#measured dl")


def test_a_game_shows_what_each_player_did_and_from_what_it_decided(
    page: Visit, run: Path, visit: Open
) -> None:
    address = (run / "report.html").resolve().as_uri()
    found = visit(f"{address}#game-2")
    assert found.text("#node-title") == "Seen game 1"
    assert found.text("#node [role=tab][aria-selected=true]") == "wkm"
    found.page.locator("#node details summary").nth(1).click()
    assert "The state base" in found.text("#node details[open]")
    found.page.locator("#node [role=tab]", has_text="random").click()
    assert found.page.locator("#node .moves li").count() >= 1
    found.page.locator("#node .steps a").nth(1).click()
    found.awaits("#node-title", "Unseen game 0")


def test_what_was_written_about_a_training_game_is_shown(page: Visit) -> None:
    page.page.locator("#item-5").click()
    assert page.text("#node-title") == "Training game 0"
    assert page.page.url.endswith("#game-5")
    page.page.locator("#tab-notes").click()
    assert "When you are asked:" in page.text("#node .prose")
    page.page.locator("#tab-states").click()
    rows = page.page.locator("#node-panel tbody tr").all_inner_texts()
    assert rows[0].split("\t")[1].startswith("Goal:")
    assert rows[-1].endswith("–")


def test_the_list_is_used_by_keyboard(page: Visit) -> None:
    page.page.locator("#item-1").focus()
    page.page.keyboard.press("End")
    page.page.keyboard.press("ArrowUp")
    page.page.keyboard.press("Enter")
    assert page.text("#node-title") == "Training game 1"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_contrast_in_both_schemes(
    run: Path, visit: Open, scheme: str
) -> None:
    found = visit(run / "report.html", color_scheme=scheme)
    found.page.evaluate(
        "for (const one of document.querySelectorAll('details')) one.open = true"
    )
    ratios = found.page.evaluate(CONTRAST)
    assert len(ratios) > 100
    assert {text: ratio for text, ratio in ratios if ratio < 4.5} == {}


def test_a_phone_shows_it_without_scrolling_sideways(run: Path, visit: Open) -> None:
    found = visit(run / "report.html", **PHONE)
    for item in (1, 5):
        found.page.locator(f"#item-{item}").click()
        for tab in found.page.locator("[role=tab]").all():
            tab.click()
            assert found.overflow() == 0, (item, tab.inner_text())


def test_attacks_in_every_text_of_the_data_stay_text(
    run: Path, tmp_path: Path, visit: Open
) -> None:
    data = hostile(make_reader(run, name="run").read())
    data["environment"] = data["name"] = MARKUP
    data["texts"]["paragraphs"] = [MARKUP for _ in data["texts"]["paragraphs"]]
    for game in data["nodes"]:
        game["task"] = MARKUP
        for episode in game["episodes"]:
            for step in episode["steps"]:
                if step["decision"]:
                    step["decision"]["candidates"] = [MARKUP]
    page = page_html(page_data([data], is_live=False))
    (tmp_path / "page.html").write_text(page)
    found = visit(tmp_path / "page.html")
    every_view(found)
    assert found.page.evaluate("window.broken") is None
    assert found.page.locator("img").count() == 0
    found.page.locator("#item-1").click()
    assert "</script><script>" in found.text("#node .move")


def test_runs_are_compared(run: Path, tmp_path: Path, visit: Open) -> None:
    other = knowledge_run(tmp_path / "other", "none", "random")
    out = tmp_path / "comparison.html"
    assert report([str(run), str(other), "--out", str(out)]) == 0
    found = visit(out)
    rows = found.page.locator("#comparison table").first.locator("tbody tr")
    assert [row.split("\t")[0] for row in rows.all_inner_texts()] == [
        *["known"] * 2,
        *["other"] * 2,
    ]
    assert "rows\t" in found.page.locator("#comparison table").nth(1).inner_text()
    found.page.locator("#comparison a", has_text="other").first.click()
    found.awaits("#verdict .lead", "In seen games none scores")
    assert found.overflow() == 0
