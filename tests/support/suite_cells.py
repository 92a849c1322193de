"""Results of cells, written by hand, for tests of what is made of them."""

from typing import Any

from cwm.evaluation.cell_results import CellKey, CellResult
from cwm.evaluation.summary import Interval


def cell(
    task: str = "Pole",
    search: str = "gif-mcts",
    seed: int = 0,
    *,
    strict: float | None = 1.0,
    normalised: float | None = None,
    **more: Any,
) -> CellResult:
    """Returns a cell; further figures by name in `figures`."""
    figures = {"held_out_strict": strict, "calls": 4.0} | more.pop("figures", {})
    interval = None
    if normalised is not None:
        figures["normalised_return"] = normalised
        interval = Interval(
            value=normalised, low=normalised - 0.1, high=normalised + 0.1
        )
    fields: dict[str, Any] = {
        "suite": "cwmb-r",
        "key": CellKey(task, search, seed),
        "status": "done",
        "made_by": "symbolic induction",
        "data": f"{task}-{seed}",
        "figures": figures,
        "normalised": interval,
        "folder": f"cells/{task}/{search}-{seed}",
    }
    return CellResult(**(fields | more))


def failed(
    task: str = "Pole", search: str = "gif-mcts", seed: int = 0, reason: str = "broken"
) -> CellResult:
    """Returns a cell that failed."""
    return CellResult(
        suite="cwmb-r",
        key=CellKey(task, search, seed),
        status="failed",
        reason=reason,
    )
