"""The page of an agent that learned, in a browser."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cwm.pages.command import main as report
from cwm.pages.kinds import make_reader
from cwm.pages.writing import page_data, page_html
from tests.browser.test_report_page import CONTRAST, PHONE
from tests.browser.test_report_safety import MARKUP, hostile
from tests.support.browsing import Visit
from tests.support.policy_runs import CLONING, PPO, evaluated, policy_run

pytestmark = [pytest.mark.browser, pytest.mark.babyai, pytest.mark.local]

Open = Callable[..., Visit]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = policy_run(tmp_path_factory.mktemp("runs") / "agent", *PPO)
    evaluated(path)
    assert report([str(path)]) == 0
    return path


@pytest.fixture
def page(run: Path, visit: Open) -> Visit:
    return visit(run / "report.html")


def test_the_first_screen_says_how_often_it_succeeds(page: Visit, run: Path) -> None:
    assert page.text("h1") == "cwm/BabyAI-GoToRedBallNoDists-v0"
    data = json.loads((run / "evaluation.json").read_text())
    rate = data["rows"][0]["rate"]
    lead = page.text(".lead")
    assert "of 8 episodes of an evaluation" in lead
    assert f"{rate['low']:.3f} to {rate['high']:.3f}" in lead
    names = page.page.locator(".interval .name").all_inner_texts()
    assert names == ["agent", "random"]
    facts = page.text("#verdict dl")
    for words in ("no language model", "PPO, seed 0", "512 of 512", "Updates 16"):
        assert words in facts


def test_curves_go_over_what_is_asked_for(page: Visit) -> None:
    titles = page.page.locator("#curves figcaption").all_inner_texts()
    for words in ("Success in the newest", "Entropy of the policy", "KL divergence"):
        assert any(title.startswith(words) for title in titles)
    assert "Loss" not in titles  # Only other learners have one loss.
    page.page.locator("#policyAxis").select_option("update")
    shown = page.page.locator("#curves .axis-title").first.text_content()
    assert shown == "updates"
    assert page.page.locator("#policyAxis").input_value() == "update"


def test_prompts_that_stay_the_same_have_their_probabilities(page: Visit) -> None:
    # Four moments with six actions each, and their values.
    assert page.page.locator("#probes figure").count() == 5
    assert page.page.locator("#probes figure").first.locator("path.series").count() == 6


def test_updates_and_the_evaluation_are_tables(page: Visit, run: Path) -> None:
    last = json.loads((run / "log.jsonl").read_text().splitlines()[-1])
    rows = page.page.locator("#updates tbody tr").all_inner_texts()
    assert len(rows) == 16
    assert rows[-1].split("\t")[:3] == ["16", "512", f"{last['num_episodes']}"]
    agents = page.page.locator("#evaluation tbody th").all_inner_texts()
    assert agents == ["agent", "random"]
    assert page.requests == [(run / "report.html").resolve().as_uri()]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_contrast_in_both_schemes(
    run: Path, visit: Open, scheme: str
) -> None:
    found = visit(run / "report.html", color_scheme=scheme)
    ratios = found.page.evaluate(CONTRAST)
    assert len(ratios) > 100
    assert {text: ratio for text, ratio in ratios if ratio < 4.5} == {}


def test_a_phone_shows_it_without_scrolling_sideways(run: Path, visit: Open) -> None:
    assert visit(run / "report.html", **PHONE).overflow() == 0


def test_attacks_in_every_text_of_the_data_stay_text(
    run: Path, tmp_path: Path, visit: Open
) -> None:
    data = hostile(make_reader(run, name="run").read())
    data["environment"] = data["name"] = data["policy"] = MARKUP
    data["program"], data["notes"] = MARKUP, [MARKUP]
    data["probes"]["goals"] = [MARKUP] * 4
    data["probes"]["actions"] = [MARKUP] * 6
    for row in data["evaluations"][0]["rows"]:
        row["agent"] = row["what"] = row["test"] = MARKUP
    page = page_html(page_data([data], is_live=False))
    (tmp_path / "page.html").write_text(page)
    found = visit(tmp_path / "page.html")
    found.page.evaluate(
        "for (const one of document.querySelectorAll('details')) one.open = true"
    )
    assert found.page.evaluate("window.broken") is None
    assert found.page.locator("img").count() == 0
    assert "</script><script>" in found.text("#dream pre")


def test_agents_are_compared_and_a_clone_says_what_it_is(
    run: Path, tmp_path: Path, visit: Open
) -> None:
    clone = policy_run(tmp_path / "clone", *CLONING)
    out = tmp_path / "comparison.html"
    assert report([str(run), str(clone), "--out", str(out)]) == 0
    found = visit(out)
    rows = found.page.locator("#comparison table").first.locator("tbody tr")
    names = [row.split("\t")[0] for row in rows.all_inner_texts()]
    assert names == ["agent", "clone"]
    settings = found.page.locator("#comparison table").nth(1).inner_text()
    assert "learner\tppo\tcloning" in settings
    found.page.locator("#comparison a", has_text="clone").click()
    found.awaits("#verdict dl", "cloning of BabyAI's bot")
    assert "no evaluation of it is here" in found.text("#verdict .lead")
    assert found.page.locator("#curves figcaption").all_inner_texts() == ["Loss"]
    assert found.overflow() == 0


def test_evaluations_may_be_given_from_elsewhere(
    run: Path, tmp_path: Path, visit: Open
) -> None:
    (tmp_path / "more.json").write_text((run / "evaluation.json").read_text())
    out = tmp_path / "page.html"
    words = ["--plans", str(tmp_path / "more.json"), "--out", str(out)]
    assert report([str(run), *words]) == 0
    found = visit(out)
    captions = found.page.locator("#evaluation caption").all_inner_texts()
    assert [one.partition(":")[0] for one in captions] == [
        "evaluation.json",
        "more.json",
    ]
