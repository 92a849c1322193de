"""Templates and their placeholders."""

from pathlib import Path

import pytest

from prompts.fill import TemplateError, fill


def test_fields_replace_placeholders_and_other_braces_stay(tmp_path: Path) -> None:
    (tmp_path / "own.md").write_text('{name}: {"a": 1} {Upper} {}', encoding="utf-8")
    text = fill("own", {"name": "x"}, folder=tmp_path)
    assert text == 'x: {"a": 1} {Upper} {}'


def test_placeholder_that_a_field_brings_along_is_text(tmp_path: Path) -> None:
    (tmp_path / "own.md").write_text("{source}", encoding="utf-8")
    assert fill("own", {"source": "f'{name}'"}, folder=tmp_path) == "f'{name}'"


def test_unknown_field_is_named_with_its_template_and_the_known_ones(
    tmp_path: Path,
) -> None:
    (tmp_path / "fix.md").write_text("{traceback}", encoding="utf-8")
    with pytest.raises(TemplateError) as caught:
        fill("fix", {"program": "", "failure": ""}, folder=tmp_path)
    assert str(caught.value) == (
        f"{tmp_path / 'fix.md'} uses {{traceback}}, which a fix request does not "
        "have. Fields: failure, program."
    )


def test_template_that_the_folder_lacks_is_the_built_in_one(tmp_path: Path) -> None:
    assert fill("system", {}, folder=tmp_path) == fill("system", {})


def test_unknown_template_is_refused_with_the_known_ones() -> None:
    with pytest.raises(TemplateError, match=r"called 'repair'\. Known: .*fix\.md"):
        fill("repair", {})
