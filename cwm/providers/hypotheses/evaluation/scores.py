"""What hypotheses are worth: on a test set, beside controls, and in other words.

likelihoods  how probable what happened is
ranking      where it stands among all that could have happened
shuffled     the control: the same words in random order
acting       who reaches goals
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from cwm.core.errors import DataError
from cwm.providers.hypotheses.evaluation.likelihoods import (
    Difference,
    Likelihood,
    likelihood,
    paired_difference,
)
from cwm.providers.hypotheses.evaluation.ranking import Ranking, rank
from cwm.providers.hypotheses.evaluation.shuffled import shuffled
from cwm.providers.hypotheses.roles import Statistician
from cwm.providers.hypotheses.texts import TextTrajectory
from cwm.providers.hypotheses.worlds import REWORDED, TextWorld, find_world

NO_HYPOTHESIS, FIRST = "no hypothesis", "first"
BEST, SHUFFLED = "best", "shuffled"
"""Names of the rows; the last one is the best with its words in random order."""


@dataclass(frozen=True, kw_only=True)
class HypothesisScore:
    """What a hypothesis is worth on a test set.

    Attributes:
        hypothesis: The text; `None` for none.
        likelihood: How probable the transitions are.
        ranking: Where they stand among the candidates; `None` if that was not asked.
    """

    hypothesis: str | None
    likelihood: Likelihood
    ranking: Ranking | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns it as plain data."""
        ranking = self.ranking
        return {
            "hypothesis": self.hypothesis,
            "likelihood": self.likelihood.to_json(),
            "ranking": None if ranking is None else ranking.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Returns what `to_json` wrote.

        Raises:
            DataError: If the data are of another form.
        """
        try:
            text, ranking = data["hypothesis"], data["ranking"]
            return cls(
                hypothesis=None if text is None else str(text),
                likelihood=Likelihood.from_json(data["likelihood"]),
                ranking=None if ranking is None else Ranking.from_json(ranking),
            )
        except (KeyError, TypeError) as error:
            raise DataError(f"A score cannot be read: {error!r}.") from error


@dataclass(frozen=True, kw_only=True)
class WorldScores:
    """What several hypotheses are worth on the test set of a world.

    Attributes:
        world: Its name.
        statistician: Who scored.
        is_stand_in: Whether that is no language model.
        types: Names of the types of transitions, in the order of tables.
        scores: By the name of the hypothesis, in the order of tables.
    """

    world: str
    statistician: str
    is_stand_in: bool
    types: tuple[str, ...]
    scores: Mapping[str, HypothesisScore]

    @property
    def chance(self) -> Ranking | None:
        """What is expected of candidates in random order; `None` without rankings."""
        for score in self.scores.values():
            if score.ranking is not None:
                return score.ranking.at_random()
        return None

    def difference(self, one: str, other: str = NO_HYPOTHESIS) -> Difference | None:
        """Returns by how much transitions are likelier; `None` if a row is missing.

        Args:
            one: Name of a row.
            other: Name of the row that it is compared with.
        """
        if one not in self.scores or other not in self.scores:
            return None
        return paired_difference(
            self.scores[one].likelihood, self.scores[other].likelihood
        )

    def to_json(self) -> dict[str, Any]:
        """Returns it as plain data, differences and chance included."""
        chance = self.chance
        differences = {
            name: found.to_json()
            for name in self.scores
            if name != NO_HYPOTHESIS and (found := self.difference(name)) is not None
        }
        return {
            "world": self.world,
            "statistician": self.statistician,
            "is_stand_in": self.is_stand_in,
            "types": list(self.types),
            # Who writes a mapping may sort it.
            "rows": list(self.scores),
            "scores": {name: one.to_json() for name, one in self.scores.items()},
            "difference_to_no_hypothesis": differences,
            "chance": None if chance is None else chance.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Returns what `to_json` wrote.

        Raises:
            DataError: If the data are of another form.
        """
        try:
            return cls(
                world=str(data["world"]),
                statistician=str(data["statistician"]),
                is_stand_in=bool(data["is_stand_in"]),
                types=tuple(map(str, data["types"])),
                scores={
                    str(name): HypothesisScore.from_json(data["scores"][name])
                    for name in data["rows"]
                },
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(f"Scores cannot be read: {error!r}.") from error


def named_hypotheses(
    best: str | None, *, first: str | None = None, seed: int = 0, num_shuffles: int = 1
) -> dict[str, str | None]:
    """Returns the rows of an evaluation: none, the first, the best, and its control.

    Args:
        best: The best hypothesis; `None` if there is none, which leaves its rows out.
        first: The one that the chains began with; `None` leaves its row out.
        seed: Of the shuffled words.
        num_shuffles: Rows with the words of the best one in random order; at least 0.
    """
    rows: dict[str, str | None] = {NO_HYPOTHESIS: None}
    if first is not None:
        rows[FIRST] = first
    if best is not None:
        rows[BEST] = best
        for number in range(num_shuffles):
            name = SHUFFLED if num_shuffles == 1 else f"{SHUFFLED} {number + 1}"
            rows[name] = shuffled(best, seed + number)
    return rows


def evaluate_hypotheses(
    statistician: Statistician,
    world: TextWorld,
    hypotheses: Mapping[str, str | None],
    *,
    ranked: Collection[str] | None = None,
    on_scored: Callable[[str], None] | None = None,
    test_set: Sequence[TextTrajectory] | None = None,
) -> WorldScores:
    """Returns what hypotheses are worth on the test set of a world.

    Names with the same text are scored once.

    Args:
        statistician: With the prompts of this world.
        world: Where.
        hypotheses: By name; `None` is no hypothesis.
        ranked: Names of those whose candidates are ranked, which takes some 36 times
            as many scores; by default all.
        on_scored: Told the name of every hypothesis that has been scored.
        test_set: By default the world's own.

    Raises:
        CwmError: If the statistician has no answer.
    """
    trajectories = world.test_set() if test_set is None else test_set
    rankings: dict[str | None, Ranking] = {}
    likelihoods: dict[str | None, Likelihood] = {}
    scores = {}
    for name, text in hypotheses.items():
        if text not in likelihoods:
            likelihoods[text] = likelihood(statistician, text, trajectories)
        is_ranked = ranked is None or name in ranked
        if is_ranked and text not in rankings:
            rankings[text] = rank(statistician, text, trajectories, world.candidates)
        scores[name] = HypothesisScore(
            hypothesis=text,
            likelihood=likelihoods[text],
            ranking=rankings[text] if is_ranked else None,
        )
        if on_scored is not None:
            on_scored(name)
    return WorldScores(
        world=world.name,
        statistician=statistician.name,
        is_stand_in=statistician.is_stand_in,
        types=world.types,
        scores=scores,
    )


def evaluate_reworded(
    statistician_for: Callable[[TextWorld], Statistician],
    world: TextWorld,
    hypotheses: Mapping[str, str | None],
    *,
    ranked: Collection[str] | None = None,
    on_scored: Callable[[str], None] | None = None,
) -> WorldScores | None:
    """Returns what the same hypotheses are worth where changes are told differently.

    Args:
        statistician_for: Makes the statistician with the prompts of a world.
        world: Where the hypotheses were found.
        hypotheses: As in `evaluate_hypotheses`.
        ranked: Likewise.
        on_scored: Likewise.

    Returns:
        The scores; `None` for a world that is not told in other words.

    Raises:
        CwmError: If the statistician has no answer.
    """
    if world.name not in REWORDED:
        return None
    other = find_world(REWORDED[world.name])
    return evaluate_hypotheses(
        statistician_for(other), other, hypotheses, ranked=ranked, on_scored=on_scored
    )
