"""How actions are scored."""

from dataclasses import dataclass
from typing import Literal

from cwm.core.errors import ConfigError

_CHOICES = {
    "engine": ("tree", "prefix", "flat"),
    "normalise": ("token", "word", "sum"),
    "rule": ("log-probs", "raw-logits", "relative-probs"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringConfig:
    """Settings of `ActionScorer`.

    In the formulas, `l_j` is the logit of an action's token `j`, and `p_j` its
    probability.

    Attributes:
        engine: How the passes are laid out; all give the same scores but for rounding.
            `tree` sees prompts and the tree of all actions in one pass; `prefix`
            encodes prompts once and continues them with every action; `flat` sees every
            action after its own copy of the prompt, and is for comparison.
        normalise: What the sum of log-probabilities is divided by: the action's tokens,
            its words, or nothing. A sum punishes actions of many tokens: with a model
            that knows nothing, each token costs the logarithm of the vocabulary. The
            rules other than `log-probs` are what they are, and not divided.
        rule: `log-probs` is `Σ log p_j`. The other two are for reproduction of released
            code, and depend on how actions are cut into tokens. `raw-logits` is
            `Σ l_j`, plus 1 for each token that the action has less than the longest
            one (since May 2023). `relative-probs` is `p / max p`, where `p` is `Π p_j`
            with the end token and the maximum is over actions; 0 for all if
            `max p < 1e-45` (before that). It keeps any probability of 6 actions below
            `e / (e + 5)`.
        append_end: Whether the end token belongs to each action. It does with
            `relative-probs` in any case.
    """

    engine: Literal["tree", "prefix", "flat"] = "tree"
    normalise: Literal["token", "word", "sum"] = "token"
    rule: Literal["log-probs", "raw-logits", "relative-probs"] = "log-probs"
    append_end: bool = False

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ConfigError(
                    f"{name} must be {', '.join(choices[:-1])} or {choices[-1]}, got "
                    f"{getattr(self, name)!r}."
                )

    @property
    def has_end(self) -> bool:
        """Whether the end token is scored."""
        return self.append_end or self.rule == "relative-probs"
