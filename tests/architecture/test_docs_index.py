import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_index_names_every_page_once_with_a_sentence() -> None:
    rows = re.findall(
        r"^\| \[(\S+\.md)\]\((\S+)\) \| (.+) \|$",
        (DOCS / "README.md").read_text(),
        flags=re.MULTILINE,
    )
    assert all(name == link and sentence for name, link, sentence in rows)
    listed = [name for name, _, _ in rows]
    pages = {page.name for page in DOCS.glob("*.md")} - {"README.md", "glossary.md"}
    assert sorted(listed) == sorted(pages)


def test_every_link_of_the_readme_leads_to_a_file_and_a_heading() -> None:
    root = DOCS.parent
    links = re.findall(
        r"\]\(([^)#:]+)(?:#([^)]+))?\)", (root / "README.md").read_text()
    )
    assert len(links) > 40
    assert [path for path, _ in links if not (root / path).exists()] == []
    for path, anchor in links:
        lines = (root / path).read_text().splitlines() if anchor else []
        headings = [re.sub(r"[^a-z0-9 -]", "", line.lower()).strip() for line in lines]
        assert not anchor or anchor in [line.replace(" ", "-") for line in headings]
