"""What a language model saves when it scores the transitions of one hypothesis.

    full           one request after the other, every prompt read from its beginning
    known          the same, with the beginnings of earlier prompts kept
    together       all requests in one call, as the statistician makes it: a tree in
                   which no beginning is read twice
    deduplicated   the same behind `CachedStatistician`
    again          a second call behind it, for the same hypothesis

The transitions are those of random actions. Figures are transitions per second of
processor time on one thread, so that other work on the machine matters little, and
tokens that went through the model.

    python -m benchmarks.hypothesis_scoring
    python -m benchmarks.hypothesis_scoring --model tiny --repeats 1 --output ""
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from benchmarks.local_models import BenchmarkConfig as ModelConfig
from benchmarks.local_models import make_model
from benchmarks.recording import append_record, print_table
from cwm.core.protocols import FloatArray
from cwm.core.seeding import child_seed
from cwm.llm.local.config import LocalConfig, NumberType
from cwm.llm.local.model import TransformersModel
from cwm.providers.hypotheses.experimenters.scripted import RandomExperimenter
from cwm.providers.hypotheses.roles import Assignment, Statistician
from cwm.providers.hypotheses.statisticians.caching import CachedStatistician
from cwm.providers.hypotheses.statisticians.language_model import (
    LanguageModelStatistician,
)
from cwm.providers.hypotheses.texts import TextTransition, transitions_of
from cwm.providers.hypotheses.worlds import TextWorld, find_world
from prompts.hypotheses import HypothesisPrompts

HYPOTHESIS = """1. When you go to an object, you are standing on it.
2. When you pick up an object, it is in your inventory. You can hold two objects.
3. When you give water to a seed, the objects transform into the plant.
4. When you give a plant to a small baby animal, the objects transform into the animal.
5. A large baby animal needs two plants, both at once."""

WHOLE = 8_192
"""More tokens than any prompt has, so that each is read in one pass."""


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Settings of this benchmark.

    Attributes:
        model: As in `benchmarks.local_models`.
        dtype: Number type, as in `LocalConfig`.
        env: Where the transitions come from: playground or door.
        num_trajectories: Episodes of random actions.
        seed: Of the actions.
        block_tokens: Prompts are kept in blocks of so many tokens.
        repeats: How often everything is measured, after one call to warm up.
        output: File that one line is appended to; none if it is empty.
    """

    model: str = "smollm2"
    dtype: NumberType = "float32"
    env: str = "playground"
    num_trajectories: int = 2
    seed: int = 0
    block_tokens: int = 32
    repeats: int = 3
    output: str = str(Path(__file__).parent / "results" / "hypothesis_scoring.jsonl")


def collect(world: TextWorld, config: BenchmarkConfig) -> list[TextTransition]:
    """Returns the transitions of random actions."""
    assignment = Assignment(
        phase=0,
        progress=0.0,
        hypothesis=None,
        num_trajectories=config.num_trajectories,
        seed=child_seed(config.seed, "collect"),
    )
    return transitions_of(RandomExperimenter(world).collect(assignment))


@dataclass(slots=True)
class Tokens:
    """Tokens that went through a model."""

    number: int = 0


@contextmanager
def counted(module: Any) -> Iterator[Tokens]:
    """Counts the tokens that a model of transformers is given."""
    found = Tokens()

    def count(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        ids = kwargs["input_ids"] if "input_ids" in kwargs else args[0]
        found.number += int(ids.numel())

    handle = module.register_forward_pre_hook(count, with_kwargs=True)
    try:
        yield found
    finally:
        handle.remove()


def one_by_one(
    statistician: Statistician, transitions: Sequence[TextTransition]
) -> FloatArray:
    """Scores each transition in a call of its own."""
    found = [statistician.log_probs(HYPOTHESIS, [one]) for one in transitions]
    return np.concatenate(found)


class Workload:
    """The calls that are timed, of one model."""

    def __init__(self, config: BenchmarkConfig) -> None:
        world = find_world(config.env)
        self.transitions = collect(world, config)
        made = make_model(ModelConfig(model=config.model, dtype=config.dtype))
        loaded = made._loaded_engine().loaded
        self.module = loaded.model
        prompts = HypothesisPrompts(world.prompts)
        common = {"device": "cpu", "dtype": config.dtype, "num_threads": 1}
        self._keeping = TransformersModel(
            loaded, LocalConfig(**common, prefix_block_tokens=config.block_tokens)
        )
        forgetting = TransformersModel(
            loaded,
            LocalConfig(**common, prefix_cache_mib=0, prefix_block_tokens=WHOLE),
        )
        self.plain = LanguageModelStatistician(forgetting, prompts)
        self.keeping = LanguageModelStatistician(self._keeping, prompts)

    def rates(self) -> dict[str, float]:
        """Returns every figure once."""
        cached = CachedStatistician(self.keeping)
        ways: dict[str, Callable[[], FloatArray]] = {
            "full": lambda: one_by_one(self.plain, self.transitions),
            "known": lambda: one_by_one(self.keeping, self.transitions),
            "together": lambda: self.keeping.log_probs(HYPOTHESIS, self.transitions),
            "deduplicated": lambda: cached.log_probs(HYPOTHESIS, self.transitions),
            "again": lambda: cached.log_probs(HYPOTHESIS, self.transitions),
        }
        figures: dict[str, float] = {
            "transitions": len(self.transitions),
            "different_transitions": len(set(self.transitions)),
        }
        expected: FloatArray | None = None
        for name, way in ways.items():
            self._keeping.forget_prefixes()
            with counted(self.module) as tokens:
                start = time.process_time()
                found = way()
                seconds = time.process_time() - start
            expected = found if expected is None else expected
            figures[f"{name}_per_s"] = len(found) / seconds
            figures[f"{name}_tokens"] = tokens.number
            if name not in ("full", "again"):
                figures[f"{name}_over_full"] = (
                    figures[f"{name}_per_s"] / figures["full_per_s"]
                )
                difference = float(np.abs(found - expected).max())
                figures[f"{name}_largest_difference"] = difference
        return figures


def main(config: BenchmarkConfig) -> None:
    """Measures, prints a table and appends a line to the results."""
    workload = Workload(config)
    figures: dict[str, list[float]] = {}
    workload.keeping.log_probs(HYPOTHESIS, workload.transitions[:4])
    workload.plain.log_probs(HYPOTHESIS, workload.transitions[:1])
    for _ in range(config.repeats):
        for figure, value in workload.rates().items():
            figures.setdefault(figure, []).append(value)
    print_table(figures)
    print(f"processors: {os.cpu_count()}, load: {os.getloadavg()[0]:.1f}")
    append_record("hypothesis_scoring", config, figures)


if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig, description=__doc__))
