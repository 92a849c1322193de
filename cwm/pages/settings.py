"""Settings of runs, flat, and in what runs differ."""

from collections.abc import Mapping, Sequence
from typing import Any


def flat_settings(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns nested settings by their full names: `tree.mcts.exploration`."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            found |= flat_settings(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def differing(runs: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Returns the settings that are not alike in all runs, with the value of each.

    Args:
        runs: Flat settings of each run; what one lacks is `None` there.
    """
    names = sorted({name for settings in runs for name in settings})
    values = {name: [settings.get(name) for settings in runs] for name in names}
    return {
        name: found
        for name, found in values.items()
        if any(value != found[0] for value in found)
    }
