"""Everything that a page knows of a run of `cwm.knowledge`."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cwm.core.errors import DataError
from cwm.knowledge_pipeline.games import TEST_SPLITS
from cwm.knowledge_pipeline.rows import BASELINE
from cwm.knowledge_pipeline.runs import (
    DETERMINISTIC,
    SCRATCH,
    KnowledgeFolder,
    KnowledgeRunConfig,
)
from cwm.pages.games import game_views
from cwm.pages.plans import find_plans, plan_views
from cwm.pages.reading import UNFINISHED, files_signature, made_with
from cwm.pages.settings import flat_settings
from cwm.pages.texts import TextStore
from cwm.report.knowledge import SPLIT_TITLES
from cwm.report.policies import spread

MAIN_ROWS = (
    *("wkm", "explicit", "task", "state", "prompted-task", "kind", "released"),
    *(BASELINE, "prompted"),
)
"""Players that the first sentence is about: the first of them that played."""

MAX_LOSSES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class KnowledgeReader:
    """Reads the folder of a run of `cwm.knowledge`, also while it goes on.

    Attributes:
        path: The folder.
        name: What the page calls the run.
        plans: Files and folders of `cwm.plan` besides what lies in it.
    """

    path: Path
    name: str
    plans: tuple[Path, ...] = ()

    @property
    def group(self) -> str:
        """Which runs it can be compared with."""
        return "cwm.knowledge"

    def signature(self) -> str:
        """Returns a text that changes when the run's page does."""
        folder = KnowledgeFolder(self.path)
        files = [folder.result, folder.config, *sorted(self.path.glob("*.jsonl"))]
        for pattern in ("*.json*", "played/*.jsonl", "models/*/training.json"):
            files += sorted(self.path.glob(f"seed-*/{pattern}"))
        return files_signature([*files, *find_plans(self.path, self.plans)])

    def read(self) -> dict[str, Any]:
        """Returns all that a page shows of the run, as plain data.

        Raises:
            ConfigError: If a setting of the run is wrong.
            DataError: If a file of the run cannot be read.
        """
        folder = KnowledgeFolder(self.path)
        config = folder.read_config()
        result = folder.read_json(folder.result) if folder.result.exists() else None
        texts = TextStore()
        rows = [] if result is None else result["rows"]
        return {
            "name": self.name,
            "kind": "knowledge",
            "environment": config.games.id,
            "seeds": list(config.seeds),
            "baseline": BASELINE,
            "main": main_row([row["row"] for row in rows]),
            "splits": {name: SPLIT_TITLES[name] for name in TEST_SPLITS},
            "about": {name: row.about for name, row in config.read_rows().items()},
            "warnings": stand_ins(config),
            "made": _made(config),
            "status": _status(result),
            "rows": rows,
            "counts": _counts(folder, config),
            "models": list(_models(folder, config)),
            "nodes": game_views(folder, config, texts),
            "texts": texts.to_json(),
            "settings": flat_settings(config.to_json()),
            "made_with": made_with(folder),
            "plans": plan_views(find_plans(self.path, self.plans)),
        }


def main_row(names: list[str]) -> str | None:
    """Returns the player that a run is about; `None` if none of a kind played."""
    return next((name for name in MAIN_ROWS if name in names), None)


def stand_ins(config: KnowledgeRunConfig) -> list[str]:
    """Returns what must be known of numbers that no language model gave."""
    names = (config.models.agent_llm, config.models.knowledge_name)
    from_nothing = [name == SCRATCH for name in names]
    found = []
    if all(from_nothing):
        found.append(
            "Who acts and who knows are small transformers from nothing, no language "
            "models: they know of the world what these games have taught them."
        )
    elif any(from_nothing):
        who = "acts" if from_nothing[0] else "knows"
        found.append(
            f"Who {who} is a small transformer from nothing, no language model."
        )
    if config.writing.writer == DETERMINISTIC:
        found.append(
            "The knowledge was written by rules (writer deterministic), in the place "
            "of a language model."
        )
    return found


def _made(config: KnowledgeRunConfig) -> dict[str, Any]:
    mixing = config.deciding.mixing
    return {
        "agent": config.models.agent_llm,
        "knowledge_model": config.models.knowledge_name,
        "writer": config.writing.writer,
        "encoder": config.encoder,
        "choose": config.deciding.choose,
        "agent_weight": mixing.agent_weight,
    }


def _status(result: Mapping[str, Any] | None) -> dict[str, Any]:
    if result is None:
        return dict(UNFINISHED)
    return {"state": "finished", "sentence": "all players have played all games"}


def _counts(folder: KnowledgeFolder, config: KnowledgeRunConfig) -> dict[str, int]:
    """Returns how much there is of what is learned from; of the first seed."""
    files = folder.of(config.seeds[0])
    paths = {
        "experts": folder.experts,
        "explored": files.explored,
        "task_notes": files.task_notes,
        "state_notes": files.state_notes,
        "entries": files.base / "entries.jsonl",
    }
    return {
        name: path.read_bytes().count(b"\n")
        for name, path in paths.items()
        if path.is_file()
    }


def _models(
    folder: KnowledgeFolder, config: KnowledgeRunConfig
) -> Iterator[dict[str, Any]]:
    """Yields what each model was trained on, and its losses."""
    for seed in config.seeds:
        for path in sorted(folder.of(seed).path.glob("models/*/training.json")):
            try:
                data = json.loads(path.read_text(encoding="utf-8"))
                trained = data["trained_on"]
                losses = [float(loss) for loss in trained["losses"]]
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise DataError(f"{str(path)!r} cannot be read: {error!r}.") from error
            yield {
                "seed": seed,
                "name": path.parent.name,
                "num_weights": data.get("num_weights"),
                "num_conversations": trained["num_conversations"],
                "num_answers": trained["num_answers"],
                "num_cut_answers": trained["num_cut_answers"],
                "num_steps": len(losses),
                "losses": [
                    [at + 1, float(f"{losses[at]:.5g}")]
                    for at in spread(len(losses), MAX_LOSSES)
                ],
            }
