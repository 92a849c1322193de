"""What hypotheses are worth on a test set, row by row, for a page."""

from collections.abc import Mapping
from typing import Any

from cwm.pages.texts import TextStore
from cwm.providers.hypotheses.evaluation.acting import ActingRow
from cwm.providers.hypotheses.evaluation.ranking import Ranking
from cwm.providers.hypotheses.evaluation.scores import NO_HYPOTHESIS, WorldScores
from cwm.report.hypothesis_tables import BY_TYPE_TOP


def world_scores(
    result: Mapping[str, Any] | None, key: str, texts: TextStore
) -> dict[str, Any] | None:
    """Returns the rows of a test set; `None` if nothing was measured on it.

    Args:
        result: Of the run; `None` before its end.
        key: Which test set: `"scores"`, or `"reworded"` for that in other words.
        texts: Takes the hypotheses.

    Raises:
        DataError: If they cannot be read.
    """
    if result is None or result[key] is None:
        return None
    scores = WorldScores.from_json(result[key])
    if not scores.scores:
        return None
    chance = scores.chance
    return {
        "world": scores.world,
        "types": _counted_types(scores),
        "rows": [_row(scores, name, texts) for name in scores.scores],
        "chance": None if chance is None else _ranking(chance),
    }


def _counted_types(scores: WorldScores) -> list[list[Any]]:
    (types, *_) = [one.likelihood.types for one in scores.scores.values()]
    return [[name, types.count(name)] for name in scores.types if name in types]


def _row(scores: WorldScores, name: str, texts: TextStore) -> dict[str, Any]:
    score = scores.scores[name]
    found = score.likelihood
    difference = None if name == NO_HYPOTHESIS else scores.difference(name)
    return {
        "name": name,
        "text": None if score.hypothesis is None else texts.add_plain(score.hypothesis),
        "total": found.total,
        "mean": found.mean,
        "by_type": found.by_type,
        "difference": None if difference is None else difference.to_json(),
        "ranking": None if score.ranking is None else _ranking(score.ranking),
    }


def _ranking(ranking: Ranking) -> dict[str, Any]:
    plain = ranking.to_json()
    return {
        "top": plain["top"],
        "mean_over_types": plain["mean_over_types"],
        "by_type": plain["top_by_type"][str(BY_TYPE_TOP)],
    }


def reached_rows(result: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Returns who reached which goals; empty if nobody acted.

    Raises:
        DataError: If they cannot be read.
    """
    rows = [] if result is None else result["acting"]
    return [_acting(ActingRow.from_json(row)) for row in rows]


def _acting(row: ActingRow) -> dict[str, Any]:
    return {
        "policy": row.policy,
        "goal": row.goal,
        "hypothesis": row.hypothesis,
        "num_episodes": len(row.reached),
        "num_reached": row.num_reached,
        "success": row.success_rate,
        "interval": list(row.interval),
        "mean_steps": row.mean_steps,
    }
