"""What the ways to score every action after every prompt cost.

    flat      every action after its own copy of the prompt
    prefix    prompts are encoded once, and continued with every action
    tree      one pass over each prompt and the tree of all actions

Each is measured without and with gradients, of a random decoder-only model of 33
million weights (llama) and of a random one of the size of T5-small (t5), with prompts
of random words. Figures are seconds of processor time on one thread, so that other work
on the machine matters little, and how often the way fits into the time of `flat` in the
same round.

    python -m benchmarks.action_scoring
    python -m benchmarks.action_scoring --model tiny --repeats 1 --output ""
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import tyro

from benchmarks.recording import append_record, print_table
from cwm.llm.local.packages import LazyPackage, Tensor
from cwm.providers.policies.scoring.config import ScoringConfig
from cwm.providers.policies.scoring.scorer import ActionScorer

torch = LazyPackage("torch")
transformers = LazyPackage("transformers")

ACTIONS = ("turn left", "turn right", "go forward", "pick up", "drop", "toggle")
Way = Literal["flat", "prefix", "tree"]
WAYS: tuple[Way, ...] = get_args(Way)
Family = Literal["llama", "t5"]


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Settings of this benchmark.

    Attributes:
        model: Whether the models have the sizes above, or are tiny.
        num_prompts: Prompts of one call.
        prompt_tokens: Words of each.
        seed: Of the weights and the words.
        repeats: Rounds after one to warm up; each measures every way once.
        output: File that one line is appended to; none if it is empty.
    """

    model: Literal["full", "tiny"] = "full"
    num_prompts: int = 8
    prompt_tokens: int = 180
    seed: int = 0
    repeats: int = 5
    output: str = str(Path(__file__).parent / "results" / "action_scoring.jsonl")


class Words:
    """Every word is a token, numbered as it is first met."""

    end_id: int | None = None

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}

    def encode(self, text: str) -> list[int]:
        """Returns a number for each word."""
        return [self._ids.setdefault(word, len(self._ids) + 1) for word in text.split()]


def make_model(family: Family, config: BenchmarkConfig) -> Any:
    """Returns a model with random weights."""
    is_tiny = config.model == "tiny"
    torch.manual_seed(config.seed)
    if family == "llama":
        return transformers.LlamaForCausalLM(
            transformers.LlamaConfig(
                vocab_size=512 if is_tiny else 8192,
                hidden_size=32 if is_tiny else 512,
                intermediate_size=64 if is_tiny else 1376,
                num_hidden_layers=2 if is_tiny else 8,
                num_attention_heads=4 if is_tiny else 8,
            )
        ).eval()
    return transformers.T5ForConditionalGeneration(
        transformers.T5Config(
            vocab_size=512 if is_tiny else 32128,
            d_model=32 if is_tiny else 512,
            d_ff=64 if is_tiny else 2048,
            d_kv=8 if is_tiny else 64,
            num_layers=2 if is_tiny else 6,
            num_heads=4 if is_tiny else 8,
            decoder_start_token_id=0,
        )
    ).eval()


class Workload:
    """The calls that are timed, of one model."""

    def __init__(self, family: Family, config: BenchmarkConfig) -> None:
        self._family = family
        self._model = make_model(family, config)
        rng = np.random.default_rng(config.seed)
        size = (config.num_prompts, config.prompt_tokens)
        self._prompts = [
            " ".join(f"w{word}" for word in row) for row in rng.integers(300, size=size)
        ]
        words = Words()
        self._scorers = {
            way: ActionScorer(self._model, words, ScoringConfig(engine=way))
            for way in WAYS
        }

    def figures(self) -> dict[str, float]:
        """Returns every figure once."""
        found: dict[str, float] = {}
        expected: Tensor | None = None
        for way in WAYS:
            scores, forward_s = timed(partial(self._forward, way))
            _, training_s = timed(partial(self._training, way))
            expected = scores if expected is None else expected
            name = f"{self._family}_{way}"
            found[f"{name}_forward_s"] = forward_s
            found[f"{name}_training_s"] = training_s
            if way == "flat":
                continue
            for kind in ("forward", "training"):
                flat_s = found[f"{self._family}_flat_{kind}_s"]
                found[f"{name}_{kind}_over_flat"] = flat_s / found[f"{name}_{kind}_s"]
            difference = (scores - expected).abs().max()
            found[f"{name}_largest_difference"] = float(difference)
        return found

    def _forward(self, way: Way) -> Tensor:
        with torch.no_grad():
            return self._scorers[way](self._prompts, ACTIONS).scores

    def _training(self, way: Way) -> None:
        self._model.zero_grad()
        scores = self._scorers[way](self._prompts, ACTIONS).scores
        scores.log_softmax(dim=-1)[:, 0].sum().backward()


def timed(action: Callable[[], Any]) -> tuple[Any, float]:
    """Returns what a call gives, and its processor time."""
    start = time.process_time()
    found = action()
    return found, time.process_time() - start


def main(config: BenchmarkConfig) -> None:
    """Measures, prints a table and appends a line to the results."""
    torch.set_num_threads(1)
    figures: dict[str, list[float]] = {}
    workloads = [Workload(family, config) for family in get_args(Family)]
    for workload in workloads:
        workload.figures()
    for _ in range(config.repeats):
        for workload in workloads:
            for figure, value in workload.figures().items():
                figures.setdefault(figure, []).append(value)
    print_table(figures)
    append_record("action_scoring", config, figures)


if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig, description=__doc__))
