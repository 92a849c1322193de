import re
from collections.abc import Callable

import pytest

from cwm import collect, evaluate, fit, induce, replay, synthesize
from cwm.arguments import parse
from cwm.benchmark import command as benchmark
from cwm.synthesize import Arguments

MAINS: dict[str, Callable[[list[str]], int]] = {
    "synthesize": synthesize.main,
    "evaluate": evaluate.main,
    "fit": fit.main,
    "collect": collect.main,
    "replay": replay.main,
    "induce": induce.main,
    "benchmark run": lambda words: benchmark.main(["run", *words]),
    "benchmark report": lambda words: benchmark.main(["report", *words]),
    "benchmark compare": lambda words: benchmark.main(["compare", *words]),
}


@pytest.fixture(params=MAINS)
def shown(
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """What `--help` prints, its frames and line breaks taken out."""
    monkeypatch.setenv("COLUMNS", "80")
    main: Callable[[list[str]], int] = MAINS[request.param]
    with pytest.raises(SystemExit):
        main(["--help"])
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", capsys.readouterr().out).split())


def test_no_default_is_shown_empty(shown: str) -> None:
    assert "(default: )" not in shown


def test_options_that_may_be_left_out_do_not_show_a_default_of_none(shown: str) -> None:
    # Settings of packages that know no command line are shown as they are.
    own = re.sub(
        r"--(prompts|limits|local|gif|rex|ab-mcts)\.\S+ \{None\}.*?\(default: None\)",
        "",
        shown,
    )
    assert "None" not in own


def test_no_option_is_named_by_what_it_turns_off(shown: str) -> None:
    assert not re.search(r"--\S*no-", shown)


def test_what_is_on_by_default_is_turned_off_by_a_value() -> None:
    words = ["--env", "CartPole-v1", "--gif.widening", "False"]
    parsed = parse(Arguments, words, command="synthesize", text="")
    assert parsed.run.tree.settings.gif.widening is False
    assert parsed.run.source.env == "CartPole-v1"


def test_a_language_model_is_shown_with_its_form(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        synthesize.main(["--help"])
    assert "--llm KIND:NAME" in capsys.readouterr().out
