"""Names as parts of files' names."""

import re


def slug(name: str) -> str:
    """Returns a name as part of a file's name; empty if nothing of it can be."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")
