"""Options that name several things, and suites, however they are named."""

from collections.abc import Sequence
from itertools import islice

from cwm.benchmark.induction import HYPOTHESES
from cwm.benchmark.provider_rows import ROWS, rows_in
from cwm.core.errors import ConfigError
from mcts.registry import SEARCH_NAMES, SearchName


def listed(text: str, name: str) -> tuple[str, ...]:
    """Returns what an option names, each once.

    Args:
        text: Its value.
        name: What it is called.

    Raises:
        ConfigError: If it names nothing.
    """
    words = tuple(dict.fromkeys(w.strip() for w in text.split(",") if w.strip()))
    if not words:
        raise ConfigError(f"{name} must name at least one, got {text!r}.")
    return words


def seeds_in(text: str) -> tuple[int, ...]:
    """Returns the seeds that `--seeds` names, each once.

    Raises:
        ConfigError: If it names none, or something else.
    """
    seeds = []
    for word in listed(text, "--seeds"):
        if not word.isdecimal():
            raise ConfigError(
                f"--seeds must be whole numbers of at least 0, got {word!r}."
            )
        seeds.append(int(word))
    # 1 and 01 are the same.
    return tuple(dict.fromkeys(seeds))


def suite_first(words: Sequence[str]) -> list[str]:
    """Returns the command line with the suite in front, however it was given.

    Of several `--suite`, the last one counts, as of any option.
    """
    suite: list[str] = []
    rest: list[str] = []
    left = iter(words)
    for word in left:
        if word.startswith("--suite="):
            suite = [word.partition("=")[2]]
        elif word == "--suite":
            suite = list(islice(left, 1)) or [word]
        else:
            rest.append(word)
    return [*suite, *rest]


def searches_in(text: str) -> tuple[SearchName, ...]:
    """Returns the searches that `--searches` names, each once.

    Raises:
        ConfigError: If it names none, or one that there is not.
    """
    return tuple(map(_search, listed(text, "--searches")))


def searches_or_rules_in(text: str) -> tuple[str, ...]:
    """Returns what `--searches` names where rules may be searched for, too.

    Raises:
        ConfigError: If it names nothing, or something that there is not.
    """
    return tuple(
        word if word == HYPOTHESES else _search(word, (HYPOTHESES,))
        for word in listed(text, "--searches")
    )


def provider_rows_in(text: str | None) -> tuple[str, ...]:
    """Returns what `--searches` names in the suite providers; all rows for `None`.

    Raises:
        ConfigError: If it names nothing, or no row.
    """
    return rows_in(tuple(ROWS) if text is None else listed(text, "--searches"))


def _search(word: str, others: Sequence[str] = ()) -> SearchName:
    for name in SEARCH_NAMES:
        if word == name:
            return name
    names = ", ".join((*SEARCH_NAMES, *others))
    raise ConfigError(f"--searches must be some of {names}, got {word!r}.")
