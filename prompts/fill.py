"""Filling the templates: Markdown files with `{field}` placeholders."""

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

_PLACEHOLDER = re.compile(r"\{([a-z][a-z_]*)\}")


class TemplateError(ValueError):
    """A template that does not exist, or that uses a field that is not given."""


def fill(name: str, fields: Mapping[str, str], *, folder: Path | None = None) -> str:
    """Returns the template `name` with its placeholders replaced.

    A placeholder is a lower-case identifier in braces; other braces, such as those
    of a Python dict, are text. What a field brings is never searched for
    placeholders.

    Args:
        name: The template without its ending, such as `"fix"`.
        fields: Text of each field; those that the template does not use are ignored.
        folder: Where to look first; templates that it lacks are the built-in ones.

    Raises:
        TemplateError: If there is no such template, or it uses an unknown field.
    """
    path, text = _read(name, folder)

    def value(match: re.Match[str]) -> str:
        field = match[1]
        if field not in fields:
            known = ", ".join(sorted(fields))
            raise TemplateError(
                f"{path} uses {{{field}}}, which a {name} request does not have. "
                f"Fields: {known}."
            )
        return fields[field]

    return _PLACEHOLDER.sub(value, text)


def _read(name: str, folder: Path | None) -> tuple[str, str]:
    if folder is not None and (own := folder / f"{name}.md").is_file():
        return str(own), own.read_text(encoding="utf-8")
    built_in = files("prompts") / "templates" / f"{name}.md"
    if not built_in.is_file():
        known = sorted(p.name for p in (files("prompts") / "templates").iterdir())
        raise TemplateError(f"No template called {name!r}. Known: {', '.join(known)}.")
    return f"prompts/templates/{name}.md", built_in.read_text(encoding="utf-8")
