import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cwm.pages.runs import RunReader
from cwm.pages.writing import page_data, page_html
from tests.support.browsing import Visit

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 375, "height": 740}}

Open = Callable[..., Visit]


def data_of(path: Path) -> dict:
    """The data in a run's page."""
    page = (path / "report.html").read_text()
    text = page.partition('type="application/json">')[2].partition("</script>")[0]
    return json.loads(text)


def test_the_first_screen_says_what_the_run_is_worth(page: Visit) -> None:
    assert page.text("h1") == "CartPole-v1"
    # The last answer is exact once its two constants are fitted.
    assert "Node 10 gets 1.0000 of 1,293 held-out" in page.text("#verdict")
    rows = [bar.inner_text().split("\n") for bar in page.page.locator(".bar").all()]
    assert [row[0] for row in rows] == ["program", "do nothing", "true simulator"]
    facts = page.text("#verdict dl")
    for words in (
        "language model scripted:answers.json",
        "10 of 10",
        "every training and validation transition is predicted",
        "Audit consistent",
    ):
        assert words in facts


def test_nothing_is_asked_of_a_network(page: Visit) -> None:
    assert [url.partition(":")[0] for url in page.requests] == ["file"]


def test_a_click_on_a_node_of_the_tree_shows_its_program(page: Visit) -> None:
    page.page.locator("#tree [data-node='4']").click()
    assert page.text("#node-title") == "Node 4"
    assert "spin + 0.03 * turn" in page.page.locator("#node .code").inner_text()
    assert page.page.url.endswith("#node-4")
    chosen = page.page.locator("#list [aria-selected=true]")
    assert chosen.get_attribute("data-node") == "4"


def test_a_click_on_the_curve_shows_the_node_of_the_call(page: Visit) -> None:
    page.page.locator("#curve [data-node='6'] .shape").click()
    assert page.text("#node-title") == "Node 6"


def test_an_address_leads_to_a_node(scripted: Path, visit: Open) -> None:
    address = (scripted / "report.html").resolve().as_uri()
    found = visit(f"{address}#node-3")
    assert found.text("#node-title") == "Node 3"
    found.page.locator("#node .steps a").nth(1).click()
    found.awaits("#node-title", "Node 4")


def test_the_list_of_nodes_is_used_by_keyboard(page: Visit) -> None:
    page.page.locator("#item-10").focus()
    page.page.keyboard.press("Home")
    assert page.page.evaluate("document.activeElement.id") == "item-1"
    page.page.keyboard.press("ArrowDown")
    page.page.keyboard.press("Enter")
    assert page.text("#node-title") == "Node 2"
    page.page.keyboard.press("ArrowLeft")
    assert page.page.evaluate("document.activeElement.id") == "item-1"


def test_tabs_are_used_by_keyboard(page: Visit) -> None:
    page.page.locator("#tab-program").focus()
    page.page.keyboard.press("ArrowRight")
    assert page.page.evaluate("document.activeElement.id") == "tab-changes"
    assert page.page.locator("#node .line.added").count() > 0


def test_the_first_tab_stop_skips_to_the_result_and_is_seen(page: Visit) -> None:
    page.page.keyboard.press("Tab")
    link = page.page.locator(".skip")
    assert link.evaluate("element => element === document.activeElement")
    assert link.bounding_box()["x"] >= 0
    page.page.keyboard.press("Enter")
    assert page.page.evaluate("document.activeElement.id") == "content"


def test_everything_that_can_be_used_is_reached_by_keyboard(page: Visit) -> None:
    reached = set()
    for _ in range(60):
        page.page.keyboard.press("Tab")
        reached.add(page.page.evaluate("document.activeElement.id"))
    expected = {"axis", "colour", "item-10", "tab-program", "node-panel", "heat-split"}
    assert expected - reached <= {"node-panel"}


def test_changes_are_shown_beside_the_parent(page: Visit) -> None:
    page.page.locator("#item-7").click()
    page.page.locator("#tab-changes").click()
    removed = page.page.locator("#node .line.removed code").all_inner_texts()
    assert "        x, v = x + 0.02 * v, v + 0.02 * pull" in removed
    added = page.page.locator("#node .line.added code").all_inner_texts()
    assert "        v = v + 0.02 * pull" in added
    before = page.page.locator("#node .line").count()
    page.page.locator("#node .fold").first.click()
    assert page.page.locator("#node .line").count() > before


def test_the_prompt_is_the_one_that_was_sent(page: Visit) -> None:
    page.page.locator("#item-2").click()
    page.page.locator("#tab-prompt").click()
    shown = page.page.locator("#node").inner_text()
    assert "its hash is that of what was sent" in shown
    assert "I would rather talk about <script>" in shown
    page.page.locator("#tab-answer").click()
    assert "```python" in page.page.locator("#node .prose").inner_text()


def test_a_bug_is_shown_with_its_line(page: Visit) -> None:
    page.page.locator("#item-2").click()
    assert "name 'math' is not defined" in page.page.locator("#node").inner_text()
    failing = page.page.locator("#node .line.failing code").inner_text()
    assert "math.sin" in failing


def test_counterexamples_show_what_is_off_and_by_how_much(
    page: Visit, scripted: Path
) -> None:
    page.page.locator("#item-9").click()
    page.page.locator("#tab-failures").click()
    (node,) = [n for n in data_of(scripted)["runs"][0]["nodes"] if n["node"] == 9]
    assert page.page.locator("#node .example").count() == len(node["counterexamples"])
    # It never ends: of every counterexample just that part is wrong.
    wrong = page.page.locator("#node tr.wrong").all_inner_texts()
    assert {" ".join(row.split()) for row in wrong} == {"✕ terminated true false"}


def test_fitted_constants_have_their_interval(page: Visit) -> None:
    rows = page.page.locator("#constants tbody tr").all_inner_texts()
    cells = [row.split("\t") for row in rows]
    assert [cell[:3] for cell in cells] == [
        ["gravity", "3.7", "9.8"],
        ["force", "9", "10"],
    ]
    low, high = (float(text) for text in cells[0][3].split(" … "))
    assert 9.79 < low <= 9.8 <= high < 9.81


def test_the_isolation_of_a_run_is_reported(page: Visit) -> None:
    page.page.locator("#tab-running").click()
    shown = page.page.locator("#node").inner_text()
    assert "Isolation: kernel" in shown
    assert "seccomp" in shown


def test_the_heat_map_has_the_shares_of_the_data(page: Visit, scripted: Path) -> None:
    heat = data_of(scripted)["runs"][0]["check"]["heat_maps"][0]
    rows = page.page.locator("#heat tbody tr").all_inner_texts()
    assert [row.split("\t")[0] for row in rows] == heat["parts"]
    assert {cell for row in rows for cell in row.split("\t")[1:]} == {"100"}
    page.page.locator("#heat-split").select_option("train")
    assert "1,087 train transitions" in page.text("#heat caption")


def test_reality_is_drawn_beside_the_model(page: Visit) -> None:
    assert page.page.locator("#beside figure").count() == 4
    assert page.page.locator("#beside path.model").count() == 4


def test_nodes_are_coloured_by_what_is_asked(page: Visit) -> None:
    def colours() -> list[str]:
        return page.page.locator(
            "#tree .node:not(.bug):not(.root) .shape"
        ).evaluate_all("shapes => shapes.map((shape) => getComputedStyle(shape).fill)")

    by_score = colours()
    page.page.locator("#colour").select_option("kind")
    by_kind = colours()
    assert by_score != by_kind
    assert "improve" in page.text("#legend")
    # Seven programs run: one fix leads from a bug twice, the others are improvements.
    assert len(set(by_kind)) == 2


def test_the_tree_is_zoomed_and_fitted_again(page: Visit) -> None:
    def place() -> str:
        return page.page.locator("#tree svg > g").get_attribute("transform")

    first = place()
    page.page.locator("button", has_text="+").first.click()
    assert place() != first
    page.page.locator("button", has_text="Fit").click()
    assert place() == first


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_contrast_in_both_schemes(
    scripted: Path, visit: Open, scheme: str
) -> None:
    found = visit(scripted / "report.html", color_scheme=scheme)
    found.page.locator("#item-9").click()
    found.page.locator("#tab-failures").click()
    ratios = found.page.evaluate(CONTRAST)
    assert len(ratios) > 100
    assert {text: ratio for text, ratio in ratios if ratio < 4.5} == {}
    light = found.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (light == "rgb(246, 247, 249)") == (scheme == "light")


CONTRAST = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const part = (value) =>
    value <= 10.3 ? value / 3294.6 : ((value / 255 + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) =>
    0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = parse(getComputedStyle(one).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    const text = walk.currentNode.data.trim();
    if (!text || !element.checkVisibility()) continue;
    if (element.closest("svg, script, .skip, .off, .hidden")) continue;
    const ink = light(parse(getComputedStyle(element).color));
    const paper = light(behind(element));
    const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    found.push([text.slice(0, 40), Math.round(100 * ratio) / 100]);
  }
  return found;
}"""


def test_a_phone_shows_it_without_scrolling_sideways(
    scripted: Path, visit: Open
) -> None:
    found = visit(scripted / "report.html", **PHONE)
    assert found.overflow() == 0
    for node in (2, 9, 10):
        found.page.locator(f"#item-{node}").click()
        for tab in found.page.locator("[role=tab]").all():
            tab.click()
            assert found.overflow() == 0, (node, tab.inner_text())
    # What was chosen is brought into view below the tree.
    found.page.locator("#tree [data-node='3']").click()
    found.until(
        "Math.abs(document.getElementById('node').getBoundingClientRect().top) < 40"
    )


def test_symbolic_induction_has_no_prompts_and_says_so(
    induced: Path, visit: Open
) -> None:
    found = visit(induced / "report.html")
    found.page.locator("#tab-prompt").click()
    assert "No language model was asked" in found.text("#node-panel")
    assert "none: no language model was asked" in found.text("#verdict")


def test_every_node_of_a_broad_tree_has_a_place_of_its_own(
    scripted: Path, tmp_path: Path, visit: Open
) -> None:
    """Twenty children of one node, every third with a fix below it."""
    run = RunReader(path=scripted, name="run", runs_program=False).read()
    number = len(run["nodes"])
    like = run["nodes"][3]
    for i in range(20):
        number += 1
        run["nodes"].append({**like, "node": number, "parent": 4, "call": number - 1})
        if i % 3 == 0:
            number += 1
            fix = {**like, "node": number, "parent": number - 1, "depth": 5}
            run["nodes"].append({**fix, "call": number - 1, "kind": "fix"})
    page = page_html(page_data([run], is_live=False))
    (tmp_path / "page.html").write_text(page)
    found = visit(tmp_path / "page.html")
    nodes = found.page.locator("#tree .node")
    places = nodes.evaluate_all(
        "nodes => nodes.map((node) => node.getAttribute('transform'))"
    )
    assert len(places) == number + 1  # And the root.
    assert len(set(places)) == len(places)
    assert found.page.locator("#tree .edge").count() == number
    found.page.locator(f"#tree [data-node='{number}']").click()
    assert found.text("#node-title") == f"Node {number}"
