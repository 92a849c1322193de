"""Measuring what a run has found, row by row; each row is recorded once it is there."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from cwm.execution.progress import Progress
from cwm.providers.hypotheses.evaluation.acting import ActingRow, evaluate_acting
from cwm.providers.hypotheses.evaluation.goals import GOALS, goal_env
from cwm.providers.hypotheses.evaluation.scores import (
    WorldScores,
    evaluate_hypotheses,
    named_hypotheses,
)
from cwm.providers.hypotheses.making import Roles
from cwm.providers.hypotheses.roles import Statistician
from cwm.providers.hypotheses.search.loop import Phase
from cwm.providers.hypotheses.search.recording import Recorder
from cwm.providers.hypotheses.search.weighing import Weighed, weigh
from cwm.providers.hypotheses.worlds import REWORDED, TextWorld, find_world


class Measuring:
    """Scores, ranks and lets act; a row that is recorded is not measured again."""

    def __init__(
        self,
        world: TextWorld,
        *,
        roles: Roles,
        statistician: Statistician,
        recorder: Recorder,
        progress: Progress,
        seed: int,
    ) -> None:
        """Makes it; nothing is measured yet.

        Args:
            world: Where the hypotheses were found.
            roles: Makes statisticians for other words, and those who act.
            statistician: For this world.
            recorder: Keeps the rows.
            progress: Told of each row.
            seed: Of shuffled words, and of episodes.
        """
        self._world = world
        self._roles = roles
        self._statistician = statistician
        self._recorder = recorder
        self._progress = progress
        self._seed = seed

    def scores(
        self, phases: Sequence[Phase], *, ranks: bool, shuffles: int
    ) -> tuple[WorldScores, WorldScores | None]:
        """Returns the rows of the test set, and with ranks those in other words.

        Args:
            phases: Of the run; the best of the first and of the last are rows.
            ranks: Whether candidates are ranked.
            shuffles: Rows with the words of the best in random order.
        """
        self._progress.phase("Scoring on the test set")
        rows = named_hypotheses(
            phases[-1].best.hypothesis,
            first=phases[0].best.hypothesis,
            seed=self._seed,
            num_shuffles=shuffles,
        )
        found = self._rows(self._statistician, self._world, rows, ranks=ranks)
        other = REWORDED.get(self._world.name)
        if not ranks or other is None:
            return found, None
        world = find_world(other)
        statistician = self._roles.statistician(world)
        return found, self._rows(statistician, world, rows, ranks=ranks)

    def nothing(self) -> WorldScores:
        """Returns a table without any row."""
        return evaluate_hypotheses(self._statistician, self._world, {})

    def _rows(
        self,
        statistician: Statistician,
        world: TextWorld,
        rows: Mapping[str, str | None],
        *,
        ranks: bool,
    ) -> WorldScores:
        def make(name: str, text: str | None, is_ranked: bool) -> dict[str, Any]:
            ranked = None if is_ranked else ()
            found = evaluate_hypotheses(
                statistician, world, {name: text}, ranked=ranked
            )
            self._progress.event(f"scored: {name}, {world.name}")
            return {"scores": found.to_json()}

        parts, has_shuffled = [], False
        for name, text in rows.items():
            is_shuffled = name.startswith("shuffled")
            is_ranked = ranks and not (is_shuffled and has_shuffled)
            has_shuffled = has_shuffled or is_shuffled
            recorded = self._recorder.obtain(
                "scored", partial(make, name, text, is_ranked)
            )
            parts.append(WorldScores.from_json(recorded["scores"]))
        scores = {name: one for part in parts for name, one in part.scores.items()}
        return replace(parts[0], scores=scores)

    def by_phase(self, phases: Sequence[Phase]) -> list[Weighed]:
        """Returns how well the best hypothesis of each phase explains the test set."""
        self._progress.phase("Scoring the hypotheses of all phases")
        test_set = self._world.test_set()

        def make(text: str | None) -> dict[str, Any]:
            (found,) = weigh(self._statistician, [text], test_set)
            return {"log_likelihood": found.to_json()}

        known: dict[str | None, Weighed] = {}
        for phase in phases:
            text = phase.best.hypothesis
            if text not in known:
                recorded = self._recorder.obtain("scored phase", partial(make, text))
                known[text] = Weighed.from_json(recorded["log_likelihood"])
        return [known[phase.best.hypothesis] for phase in phases]

    def acting(self, best: str | None, *, num_episodes: int) -> tuple[ActingRow, ...]:
        """Returns who reaches goals; see `evaluate_acting`.

        Args:
            best: The hypothesis beside none.
            num_episodes: For each row; at least 1.
        """
        self._progress.phase("Acting")
        rows: list[ActingRow] = []
        for goal in GOALS:
            recorded = self._recorder.obtain(
                "acted", partial(self._act, best, goal, num_episodes)
            )
            rows += map(ActingRow.from_json, recorded["rows"])
        return tuple(rows)

    def _act(self, best: str | None, goal: str, num_episodes: int) -> dict[str, Any]:
        model = self._roles.experimenter(self._world, goal=goal)
        assert model is not None, "refused before the run"
        rows = evaluate_acting(
            lambda goal, hypothesis: partial(model.policy, hypothesis=hypothesis),
            name=model.name,
            open_env=goal_env(self._world),
            hypotheses=named_hypotheses(best, num_shuffles=0),
            goals=[goal],
            num_episodes=num_episodes,
            seed=self._seed,
            on_row=lambda row: self._progress.event(f"{row.policy}: {row.goal}"),
        )
        return {"rows": [row.to_json() for row in rows]}
