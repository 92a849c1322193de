"""One meaning, one name, one wording: the options of all commands."""

import re
from functools import cache

import pytest

from cwm.arguments import separated
from tests.support.command_lines import (
    Option,
    every_command,
    every_group,
    help_of,
    options_in,
    read_only,
)

WORDINGS = {
    "--base-url": ("URL", "Address of the endpoint of openai:MODEL; OpenAI's own if"),
    "--config": ("FILE", "JSON file of settings, such as the config.json of another"),
    "--data": ("FILE", "Recorded transitions instead of --env"),
    "--description": ("FILE", "Text file that describes the environment, instead of"),
    "--env": ("ID", "Environment: "),
    "--env-kwargs": ("JSON", "Arguments of the environment's constructor, as a JSON"),
    "--envs": (r"NAME,NAME,\.\.\.", "Names of tasks.*, with commas between them; all"),
    "--isolation": (r"\{.*\}", "Weakest isolation of programs that is acceptable, wh"),
    "--json": ("", r"Print the result as JSON\.$"),
    "--llm": ("KIND:NAME", "Language model "),
    "--max-steps": ("INT", "Steps after which an episode is cut off"),
    "--out": ("FILE|FOLDER", "(File|Folder) "),
    "--plot": ("FILE", r"File \(\.png\) for a picture"),
    "--preset": (r"NAME|\{.*\}", "(Named s|S)ettings (of the planners )?to start fro"),
    "--quiet": ("", "Show no progress"),
    "--resume": ("RUN", "Folder of a run to continue"),
    "--rows": (r"NAME,NAME,\.\.\.", ".*, with commas between them"),
    "--searches": (r"NAME,NAME,\.\.\.", "Searches.*, with commas between them"),
    "--seed": ("INT", "Seed of "),
    "--seeds": (r"INT,INT,\.\.\.", "Seeds, with commas between them"),
    "--set": ("NAME=VALUE", "Constant of the environment to change, such as gravity"),
    "--tests": ("FILE", "Python file with unit tests of the world model"),
    "--workers": ("INT", ".* at a time, each in a process of its own"),
}
"""Option -> its metavar and how its text begins, as patterns."""

DIFFERENT = {
    "--start-from": "a program, or the weights of a trained agent",
    "--policy": "who acts, or what is done about what the check of a source finds",
}
"""Options that name another kind of thing in another command."""

NAMES = [pytest.param(words, id=" ".join(words)) for words in every_command()]


@cache
def options_of(words: tuple[str, ...]) -> dict[str, Option]:
    return options_in(help_of(words))


def odd_ones(options: dict[str, Option]) -> list[str]:
    """What is not worded as everywhere."""
    found = []
    for name, (metavar, text) in WORDINGS.items():
        option = options.get(name)
        if option is None:
            continue
        if not re.fullmatch(metavar, option.metavar):
            found.append(f"{name} {option.metavar}")
        if not re.match(text, option.text):
            found.append(f"{name}: {option.text}")
    return found


@pytest.mark.parametrize("words", NAMES)
def test_an_option_is_worded_as_in_all_other_commands(words: tuple[str, ...]) -> None:
    options = options_of(words)
    assert len(options) >= 2  # One besides --help.
    assert odd_ones(options) == []


def test_another_wording_is_found() -> None:
    options = {
        "--json": Option(("--json",), "", "The scores as JSON."),
        "--seeds": Option(("--seeds",), "{streams,published}", "How seeds follow."),
    }
    assert odd_ones(options) == [
        "--json: The scores as JSON.",
        "--seeds {streams,published}",
        "--seeds: How seeds follow.",
    ]


def test_an_option_takes_the_same_kind_of_value_in_every_command() -> None:
    kinds: dict[str, dict[str, str]] = {}
    for words in every_command():
        for name, option in options_of(words).items():
            kinds.setdefault(name, {})[option.metavar] = " ".join(words)
    wordings = {*WORDINGS, *DIFFERENT}
    assert {
        name: found
        for name, found in kinds.items()
        if len(found) > 1 and name not in wordings
    } == {}


@pytest.mark.parametrize("words", [*NAMES, *every_group()])
def test_help_says_what_a_command_does_with_an_example_and_its_exit_codes(
    words: tuple[str, ...],
) -> None:
    shown = help_of(words)
    module = words[0] if words[0] == "sandbox" else f"cwm.{words[0]}"
    assert shown.startswith(f"usage: python -m {module}")
    paragraph = re.sub(r"^usage: .*?\n\n", "", shown, flags=re.S).partition("\n\n")[0]
    assert re.match(r"[A-Z].*[.:]", paragraph, re.S), paragraph
    assert re.search(rf"^  python -m {module}\b", shown, flags=re.M)
    codes = " ".join(shown.partition("Exit codes: ")[2].split())
    assert re.match(r"0 .*, 2 usage,.* 130 interrupted\.", codes), codes


@pytest.mark.parametrize("words", NAMES)
def test_an_unknown_option_is_a_usage_error_of_every_command(
    words: tuple[str, ...],
) -> None:
    with pytest.raises(SystemExit) as ended:
        read_only(f"cwm {' '.join(words)} --no-such-option 1")
    assert ended.value.code == 2


def test_values_with_commas_are_options_that_are_repeated() -> None:
    words = ["all", "--seeds", "0,1", "--rows=none, wkm", "--env", "a,b", "--seeds"]
    assert separated(words, ("--seeds", "--rows")) == [
        *("all", "--seeds", "0", "--seeds", "1", "--rows", "none", "--rows", "wkm"),
        *("--env", "a,b", "--seeds"),
    ]
