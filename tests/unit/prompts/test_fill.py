"""Templates and their placeholders."""

from pathlib import Path

import pytest

from cwm.core.proposals import Family
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
    with pytest.raises(TemplateError) as caught:
        fill("repair", {}, family="program")
    assert str(caught.value) == (
        "No template called 'repair' for the family program. Known: answer, "
        "continue, contract, fix, fix_answer, generate, improve, prefix, system."
    )


def test_template_of_the_family_goes_before_the_shared_one(tmp_path: Path) -> None:
    (tmp_path / "program").mkdir()
    (tmp_path / "program" / "own.md").write_text("of programs", encoding="utf-8")
    (tmp_path / "own.md").write_text("of all", encoding="utf-8")
    assert fill("own", {}, family="program", folder=tmp_path) == "of programs"
    assert fill("own", {}, family="world_model", folder=tmp_path) == "of all"


def test_family_with_actions_has_the_templates_of_world_models_where_it_lacks_own(
    tmp_path: Path,
) -> None:
    (tmp_path / "world_model").mkdir()
    (tmp_path / "world_model" / "own.md").write_text("plain", encoding="utf-8")
    family: Family = "world_model_with_actions"
    assert fill("own", {}, family=family, folder=tmp_path) == "plain"
    assert fill("system", {}, family=family) == fill("system", {})
    fields = {"randomness": "", "and_imports": ""}
    assert "legal_actions" in fill("contract", fields, family=family)


def test_own_template_of_any_place_goes_before_every_built_in_one(
    tmp_path: Path,
) -> None:
    (tmp_path / "system.md").write_text("mine", encoding="utf-8")
    assert fill("system", {}, family="program", folder=tmp_path) == "mine"


def test_section_whose_fields_are_all_empty_is_left_out(tmp_path: Path) -> None:
    text = "Hello\n\n# A\n\n{a}\n\n{b}\n\n# B\n\n{b}\n\n# C\n\n# D\n\nwords {a}\n"
    (tmp_path / "own.md").write_text(text, encoding="utf-8")
    assert fill("own", {"a": "", "b": "x"}, folder=tmp_path) == (
        "Hello\n\n# A\n\n\n\nx\n\n# B\n\nx\n\n# C\n\n# D\n\nwords \n"
    )
    assert fill("own", {"a": "", "b": ""}, folder=tmp_path) == (
        "Hello\n\n# C\n\n# D\n\nwords \n"
    )


def test_heading_that_a_field_brings_along_is_no_section(tmp_path: Path) -> None:
    (tmp_path / "own.md").write_text("# A\n{a}", encoding="utf-8")
    assert fill("own", {"a": "# B\n"}, folder=tmp_path) == "# A\n# B\n"
