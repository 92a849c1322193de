from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cwm.benchmark import measures
from cwm.benchmark.plan import Cell, SuiteConfig
from cwm.benchmark.rows import LANGUAGE_MODEL
from cwm.config import RunConfig
from cwm.evaluation.cell_results import CellKey
from cwm.evaluation.metric_rows import MetricRow
from cwm.proposers.config import LanguageModelConfig


def cell(root: Path, search: str, models: LanguageModelConfig) -> Cell:
    config = SuiteConfig(suite="cwmb-r", run=RunConfig(models=models), asks_model=2)
    return Cell(key=CellKey("Taxi-v4", search, 0), config=config, root=root)


def test_answers_of_an_asked_model_are_kept_and_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders: list[Path | None] = []

    def make(text: str, **settings: Any) -> None:
        folders.append(settings["cache"])

    monkeypatch.setattr(measures, "make_chat_model", make)
    service = LanguageModelConfig(llm=("openai:small",))
    for search in ("linear", "gif-mcts"):
        measures._model_to_ask(cell(tmp_path, search, service))
    assert folders == [tmp_path / "references" / "answers"] * 2
    own = replace(service, cache=tmp_path / "own")
    scripted = LanguageModelConfig(llm=("scripted:a.json",))
    for models in (own, scripted):
        measures._model_to_ask(cell(tmp_path, "linear", models))
    assert folders[2:] == [tmp_path / "own", None]


def test_what_asking_costs_is_a_figure_of_its_own() -> None:
    cost = {"prompt_tokens": 70, "completion_tokens": 5}
    row = MetricRow(name=LANGUAGE_MODEL, metrics={}, cost=cost)
    assert measures.row_figures(row) == {"asked_tokens": 75}
