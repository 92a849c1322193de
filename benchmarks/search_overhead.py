"""What a search costs beside the model's latency and the evaluation of programs.

A made-up model answers at once, always with another program, and every program gets
a made-up score at once: what is left is the search itself, prompts, parsing,
recognising repeated programs, and the journal with its `fsync` for each record.

    iteration_ms          one call from request to tree update
    iteration_ms_at_end   the same, over the last tenth of the calls
    memory_kib_per_node   growth of this process's resident memory
    speedup               calls a second with several on their way, over those with
                          one, at a simulated latency

The figures are of a stand-in and say nothing about a model.

    python -m benchmarks.search_overhead
    python -m benchmarks.search_overhead --num-calls 300 --searches gif-mcts --output ""
"""

import resource
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from benchmarks.evaluation_throughput import ACTIONS, OBSERVATIONS, PROGRAM, make_batch
from benchmarks.recording import append_record, print_table
from cwm.core.journal import Journal
from cwm.core.proposals import Counterexample, Task
from cwm.core.seeding import child_rng
from cwm.execution.budget import Limits
from cwm.execution.progress import SilentProgress
from cwm.llm.chat import ChatCompletion, ChatMessage
from cwm.programs.accuracy import SplitScore
from cwm.programs.evaluation import Evaluation
from cwm.proposers.language_model import LanguageModelProposer
from cwm.synthesis.config import SynthesisConfig
from cwm.synthesis.loop import SynthesisLoop
from cwm.synthesis.search import ProgramSearch
from mcts.registry import SEARCH_NAMES, SearchName, new_search


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Settings of this benchmark.

    Attributes:
        searches: Searches to measure.
        num_calls: Calls of each; the tree has as many nodes.
        latency_s: Simulated latency of a call, for the speed-up.
        concurrency: Calls on their way at a time, for the speed-up.
        output: File that one line is appended to; none if it is empty.
    """

    searches: tuple[SearchName, ...] = SEARCH_NAMES
    num_calls: int = 10_000
    latency_s: float = 1.0
    concurrency: int = 8
    output: str = str(Path(__file__).parent / "results" / "search_overhead.jsonl")


class MadeUpModel:
    """Answers with the same program under other constants."""

    name = "made up"

    def __init__(self, latency_s: float = 0.0) -> None:
        self._latency_s = latency_s

    def complete(
        self,
        messages: Sequence[ChatMessage],
        *,
        num_completions: int = 1,
        temperature: float = 0.0,
        top_p: float = 1.0,
        max_tokens: int = 1,
        stop: Sequence[str] = (),
        seed: int | None = None,
    ) -> list[ChatCompletion]:
        """Returns one program; see `ChatModel.complete`."""
        time.sleep(self._latency_s)
        text = f"```python\n{PROGRAM}\nSEED = {seed}\n```"
        return [ChatCompletion(text=text, prompt_tokens=1_000, completion_tokens=500)]


class MadeUpEvaluator:
    """Scores by a random number; nothing runs."""

    def __init__(self, task: Task) -> None:
        self._rng = np.random.default_rng(0)
        first = task.train.transition(0)
        expected = (first.next_observation, first.reward, first.terminated)
        self._examples = tuple(
            Counterexample(
                index=index,
                wrong_parts=("observation[0]",),
                observation=first.observation,
                action=first.action,
                expected=expected,
                predicted=expected,
            )
            for index in range(8)
        )

    def evaluate(self, source: str, **_: object) -> Evaluation:
        """Returns a made-up evaluation; a fifth of them are bugs."""
        score = float(0.9 * self._rng.random())
        if self._rng.random() < 0.2:
            return Evaluation(
                outcome_kind="raised", score=0.0, is_bug=True, feedback="ValueError"
            )
        return Evaluation(
            outcome_kind="completed",
            score=score,
            is_bug=False,
            train=_split(score),
            counterexamples=self._examples,
        )


def _split(score: float) -> SplitScore:
    return SplitScore(
        num_transitions=100,
        strict=score,
        paper=score,
        reference=score,
        score=score,
        part_accuracy={"observation[0]": score},
    )


@dataclass(frozen=True)
class Measured:
    """What one run took.

    Attributes:
        seconds: When each call was in the tree, from the beginning.
        kib: Growth of the resident memory.
    """

    seconds: list[float]
    kib: float


class Watch(SilentProgress):
    """Notes when each call is done."""

    def __init__(self) -> None:
        self.start = time.perf_counter()
        self.seconds: list[float] = []

    def event(self, line: str) -> None:
        """Notes the time."""
        self.seconds.append(time.perf_counter() - self.start)


def run_search(
    name: SearchName, num_calls: int, *, latency_s: float = 0.0, concurrency: int = 1
) -> Measured:
    """Runs one search with the made-up model and returns what it took."""
    task = Task(
        environment_id="benchmark",
        description="A cart with a pole on it. " * 40,
        observation_space=OBSERVATIONS,
        action_space=ACTIONS,
        train=make_batch(1_000),
    )
    search = ProgramSearch(
        task,
        tree=new_search(name, child_rng(0, "search")),
        config=SynthesisConfig(),
        seed=0,
    )
    watch = Watch()
    before = _resident_kib()
    with (
        tempfile.TemporaryDirectory() as folder,
        Journal(Path(folder) / "journal.jsonl") as journal,
    ):
        SynthesisLoop(
            search=search,
            proposer=LanguageModelProposer(MadeUpModel(latency_s)),
            evaluator=MadeUpEvaluator(task),
            journal=journal,
            limits=Limits(calls=num_calls),
            concurrency=concurrency,
            progress=watch,
            on_best=lambda candidate: None,
        ).run()
        return Measured(watch.seconds, _resident_kib() - before)


def _resident_kib() -> float:
    try:
        text = Path("/proc/self/statm").read_text()
    except OSError:
        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return int(text.split()[1]) * resource.getpagesize() / 1024


def measure(config: BenchmarkConfig) -> dict[str, list[float]]:
    """Returns every figure of every search."""
    figures: dict[str, list[float]] = {}
    for name in config.searches:
        found = run_search(name, config.num_calls)
        seconds = found.seconds
        tenth = max(1, len(seconds) // 10)
        figures[f"{name} iteration_ms"] = [1e3 * seconds[-1] / len(seconds)]
        last = seconds[-1] - seconds[-1 - tenth]
        figures[f"{name} iteration_ms_at_end"] = [1e3 * last / tenth]
        figures[f"{name} memory_kib_per_node"] = [found.kib / len(seconds)]
    if config.latency_s > 0:
        number = 3 * config.concurrency
        alone = run_search("gif-mcts", number, latency_s=config.latency_s)
        many = run_search(
            "gif-mcts",
            number,
            latency_s=config.latency_s,
            concurrency=config.concurrency,
        )
        figures["gif-mcts speedup"] = [alone.seconds[-1] / many.seconds[-1]]
    return figures


def main(config: BenchmarkConfig) -> None:
    """Measures, prints the table and appends the record."""
    figures = measure(config)
    print_table(figures)
    append_record("search_overhead", config, figures)


if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig, description=__doc__))
