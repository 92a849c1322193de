"""The HTML file: templates, data and the bundled library in one text.

Nothing in it is fetched from anywhere, and the browser is told so: the page's
Content-Security-Policy allows the scripts and the style sheet that are in it, by their
hashes, and nothing else. Texts of language models reach the page as JSON, in which no
character can end the element that it stands in, and become text nodes there; the
policy has the browser refuse markup made from strings.
"""

import base64
import hashlib
import html
import json
import math
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from cwm import __version__
from cwm.pages.settings import differing

FORMAT = 1
"""Version of the data in a page."""

SCRIPTS = (
    "elements.js",
    "numbers.js",
    "colours.js",
    "code.js",
    "charts.js",
    "measures.js",
    "choosing.js",
    "verdict.js",
    "tree.js",
    "list.js",
    "curve.js",
    "node.js",
    "node_tabs.js",
    "check.js",
    "plans.js",
    "facts.js",
    "comparison.js",
    "synthesis.js",
    "hypotheses.js",
    "induction.js",
    "policy.js",
    "games.js",
    "knowledge.js",
    "page.js",
)
"""The page's own scripts: one module, in this order."""

LIBRARY = "d3.min.js"


def page_data(runs: Sequence[dict[str, Any]], *, is_live: bool) -> dict[str, Any]:
    """Returns all data of a page.

    Args:
        runs: What is known of each run (`RunReader.read`); at least one.
        is_live: Whether the page asks for newer data.
    """
    return {
        "format": FORMAT,
        "version": __version__,
        "live": is_live,
        "runs": [finite(run) for run in runs],
        "differing": finite(differing([run["settings"] for run in runs])),
    }


def finite(data: Any) -> Any:
    """Returns plain data with texts for the numbers that JSON does not have."""
    if isinstance(data, dict):
        return {name: finite(value) for name, value in data.items()}
    if isinstance(data, list | tuple):
        return [finite(value) for value in data]
    if isinstance(data, float) and not math.isfinite(data):
        return str(data)
    return data


def data_text(data: dict[str, Any]) -> str:
    """Returns data as JSON that can stand in an HTML element.

    It is ASCII, and has none of the characters that mean something to HTML.
    """
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def policy(*, scripts: Sequence[str], style: str, is_live: bool) -> str:
    """Returns the Content-Security-Policy of a page.

    Args:
        scripts: Texts of the scripts in it.
        style: Text of the style sheet in it.
        is_live: Whether it may ask the server that it came from for data.
    """
    rules = {
        "default-src": "'none'",
        "script-src": " ".join(map(_source_hash, scripts)),
        "style-src": _source_hash(style),
        "img-src": "data:",
        "media-src": "data:",
        "connect-src": "'self'" if is_live else "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _source_hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def page_html(data: dict[str, Any]) -> str:
    """Returns the page of some data (`page_data`)."""
    script = "\n".join(_template(name) for name in SCRIPTS)
    library, style = _bundled(LIBRARY), _template("page.css")
    parts = {
        "policy": policy(scripts=[library, script], style=style, is_live=data["live"]),
        "title": html.escape(page_title(data)),
        "style": style,
        "licence": _bundled("d3.LICENSE"),
        "library": library,
        "data": data_text(data),
        "script": script,
    }
    return _filled(_template("page.html"), parts)


def _filled(template: str, parts: dict[str, str]) -> str:
    """Returns a template with its `{{name}}` replaced, each text taken as it is."""
    pieces = template.split("{{")
    filled = [pieces[0]]
    for piece in pieces[1:]:
        name, _, rest = piece.partition("}}")
        filled += [parts[name], rest]
    return "".join(filled)


def page_title(data: dict[str, Any]) -> str:
    """Returns what the browser's tab says."""
    names = [run["environment"] or run["name"] for run in data["runs"]]
    shown = ", ".join(dict.fromkeys(names))
    title = f"{shown}: {len(names)} runs" if len(names) > 1 else shown
    return title.encode(errors="replace").decode()  # Half a character is no text.


def _template(name: str) -> str:
    return (files("cwm.pages") / "templates" / name).read_text(encoding="utf-8")


def _bundled(name: str) -> str:
    return (files("cwm.pages") / "vendor" / name).read_text(encoding="utf-8")
