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
