"""What commands write into a run unless told otherwise is known as the run's own."""

from pathlib import Path

import pytest

from cwm.agents.runs import PolicyFolder
from cwm.benchmark.plan import ResultsFolder
from cwm.execution.run_folder import RunFolder
from cwm.finetuning import TUNED
from cwm.induction import InductionFolder
from cwm.knowledge_pipeline.runs import KnowledgeFolder
from cwm.mcp.keeping import FOLDER, SourceLog
from cwm.pages.command import Arguments as ReportArguments
from cwm.program_synthesis import ProgramFolder
from cwm.programs.acceleration.files import FastFiles
from cwm.providers.hypotheses.search.keeping import RunFiles
from cwm.runs.kinds import FoundRun, RunKind, own_files

RUN = Path("run")
ROUND = RUN / "round-1"


def files_of(folder: object) -> list[Path]:
    """Returns every file that a folder's class names."""
    found = [
        getattr(folder, name)
        for kind in type(folder).__mro__
        for name, value in vars(kind).items()
        if isinstance(value, property)
    ]
    assert found
    return [path for path in found if isinstance(path, Path)]


def page_of(run: Path) -> Path:
    return ReportArguments(runs=(run,)).file


def files_beside(run: Path) -> list[Path]:
    """Returns what other commands leave in a run of `cwm.synthesize`."""
    log, fast = SourceLog(run / FOLDER), FastFiles.beside(RunFolder(run).world_model)
    return [page_of(run), log.path, log.best, fast.program, fast.record]


def knowledge_files() -> list[Path]:
    run = KnowledgeFolder(RUN)
    seed = run.of(3)
    return [
        *(run.config, run.result, page_of(RUN), run.experts, run.experts_in("seen")),
        *(seed.ledger, seed.explored, seed.task_notes, seed.kind_notes),
        *(seed.state_notes, seed.base / "notes.npz", seed.training("agent")),
        *(seed.model("agent") / "weights", seed.oracle_notes("seen")),
        seed.played("wkm", "seen"),
    ]


WRITTEN: dict[RunKind, list[Path]] = {
    "synthesize": [*files_of(RunFolder(RUN)), *files_beside(RUN)],
    "problem": [ProgramFolder(RUN).problem, ProgramFolder(RUN).program],
    "induce": [
        *(InductionFolder(RUN).hypotheses, page_of(RUN), RunFiles(RUN).policy(1)),
        *(RunFiles(RUN).trajectories(1), RUN / TUNED / "result.json"),
    ],
    "ppo": [
        *(PolicyFolder(RUN).checkpoint, PolicyFolder(RUN).log),
        *(PolicyFolder(RUN).probabilities, page_of(RUN)),
    ],
    "knowledge": knowledge_files(),
    "online": [
        *(*files_of(RunFolder(ROUND)), *files_beside(ROUND), ROUND / "played.npz"),
        *(RunFolder(RUN).world_model, RUN / "data-1.npz"),
        FastFiles.beside(RunFolder(RUN).world_model).program,
    ],
    "benchmark": files_of(ResultsFolder(RUN)),
}


@pytest.mark.parametrize("kind", WRITTEN)
def test_what_commands_write_by_default_is_a_runs_own(
    tmp_path: Path, kind: RunKind
) -> None:
    for path in (*WRITTEN[kind], RUN / "notes.txt"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    _, other = own_files(FoundRun(tmp_path / RUN, kind, {}))
    assert other == [tmp_path / RUN / "notes.txt"]
