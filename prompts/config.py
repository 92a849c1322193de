"""What prompts show, and how much of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

Detail: TypeAlias = Literal["full", "plain"]
"""How much a prompt says besides what the paper's prompts say."""

_MIN_CHARS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptConfig:
    """What a prompt shows, and how much of it.

    Attributes:
        num_examples: Recorded transitions in a generate prompt; at least 0. The
            paper shows none.
        num_counterexamples: Wrong predictions in an improve prompt; at least 1.
            The paper shows 1.
        detail: "plain" leaves out what the paper's prompts do not have either:
            facts of the data, accuracies by part, differences by element, lines
            around the failing one, and what earlier answers did.
        max_value_chars: Longest text of one observation or action, in characters;
            at least 40. Where a text is cut, the prompt says how much is missing.
        max_description_chars: Longest text of the environment's documentation, in
            characters; at least 40.
        max_program_chars: Longest text of the program to change, in characters; at
            least 40.
        max_failure_chars: Longest text of how a program failed, in characters; at
            least 40.
        max_earlier: Most earlier answers that are told of, the last ones; at least
            0.
        template_folder: Folder with templates (generate.md, improve.md, ...) that
            replace the built-in ones of the same name.
    """

    num_examples: int = 10
    num_counterexamples: int = 5
    detail: Detail = "full"
    max_value_chars: int = 600
    max_description_chars: int = 16_000
    max_program_chars: int = 40_000
    max_failure_chars: int = 2_000
    max_earlier: int = 5
    template_folder: Path | None = None

    def __post_init__(self) -> None:
        rules = {
            "num_examples": 0,
            "num_counterexamples": 1,
            "max_value_chars": _MIN_CHARS,
            "max_description_chars": _MIN_CHARS,
            "max_program_chars": _MIN_CHARS,
            "max_failure_chars": _MIN_CHARS,
            "max_earlier": 0,
        }
        for name, low in rules.items():
            value = getattr(self, name)
            if value < low:
                raise ValueError(f"{name} must be at least {low}, got {value}.")

    @property
    def is_plain(self) -> bool:
        """Whether the prompt says no more than the paper's."""
        return self.detail == "plain"


DEFAULT_PROMPT_CONFIG = PromptConfig()

PAPER_PROMPT_CONFIG = PromptConfig(
    num_examples=0, num_counterexamples=1, detail="plain"
)
"""What the published prompts show: one wrong prediction, and nothing of the data."""

PROMPT_PRESETS: dict[str, PromptConfig] = {
    "default": DEFAULT_PROMPT_CONFIG,
    "paper": PAPER_PROMPT_CONFIG,
}
"""Named settings to start from."""
