"""Filling the templates: Markdown files with `{field}` placeholders.

templates/FAMILY/NAME.md   of one family of tasks (`cwm.core.proposals.Family`)
templates/NAME.md          of all families
"""

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from cwm.core.proposals import Family

LOOKED_UP: dict[Family, tuple[str, ...]] = {
    "world_model": ("world_model", ""),
    # It has templates of its own only where it differs.
    "world_model_with_actions": ("world_model_with_actions", "world_model", ""),
    "program": ("program", ""),
}
"""Folders in which a family's templates are looked for, the first one first."""

_PLACEHOLDER = re.compile(r"\{([a-z][a-z_]*)\}")
_SECTION = re.compile(r"^(?=# )", re.MULTILINE)


class TemplateError(ValueError):
    """A template that does not exist, or that uses a field that is not given."""


def fill(
    name: str,
    fields: Mapping[str, str],
    *,
    family: Family = "world_model",
    folder: Path | None = None,
) -> str:
    """Returns the template `name` with its placeholders replaced.

    A placeholder is a lower-case identifier in braces; other braces, such as those
    of a Python dict, are text. What a field brings is never searched for
    placeholders. A section (a heading `# ...` with what stands below it) of nothing
    but placeholders is left out if all of them turn out empty.

    Args:
        name: The template without its ending, such as `"fix"`.
        fields: Text of each field; those that the template does not use are ignored.
        family: Whose template; see `LOOKED_UP`.
        folder: Where to look first; templates that it lacks are the built-in ones.

    Raises:
        TemplateError: If there is no such template, or it uses an unknown field.
    """
    path, text = _read(name, family, folder)

    def value(match: re.Match[str]) -> str:
        field = match[1]
        if field not in fields:
            known = ", ".join(sorted(fields))
            raise TemplateError(
                f"{path} uses {{{field}}}, which a {name} request does not have. "
                f"Fields: {known}."
            )
        return fields[field]

    return "".join(
        filled
        for section in _SECTION.split(text)
        if not _is_empty(section, filled := _PLACEHOLDER.sub(value, section))
    )


def _is_empty(section: str, filled: str) -> bool:
    if not section.startswith("# ") or not _PLACEHOLDER.search(section):
        return False
    return not filled.partition("\n")[2].strip()


def _read(name: str, family: Family, folder: Path | None) -> tuple[str, str]:
    built_in = files("prompts") / "templates"
    for root, where in _roots(folder, built_in):
        for place in LOOKED_UP[family]:
            path = "/".join(part for part in (place, f"{name}.md") if part)
            template = root.joinpath(*path.split("/"))
            if template.is_file():
                return f"{where}/{path}", template.read_text(encoding="utf-8")
    known = sorted(
        {
            template.name.removesuffix(".md")
            for place in LOOKED_UP[family]
            for template in (built_in / place if place else built_in).iterdir()
            if template.name.endswith(".md")
        }
    )
    raise TemplateError(
        f"No template called {name!r} for the family {family}. Known: "
        f"{', '.join(known)}."
    )


def _roots(
    folder: Path | None, built_in: Traversable
) -> Iterator[tuple[Path | Traversable, str]]:
    if folder is not None:
        yield folder, str(folder)
    yield built_in, "prompts/templates"
