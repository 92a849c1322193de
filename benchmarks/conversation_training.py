"""What it saves to learn all answers of a conversation in one pass.

    answers         one pass for each answer, with all that stands before it
    conversations   one pass for each conversation, all its answers at once
    together        passes of several conversations, as many as fit into `pass_tokens`

All three give the same gradient. Figures are tokens of the conversations, each counted
once, per second of processor time on one thread, forward and backward, so that other
work on the machine matters little.

    python -m benchmarks.conversation_training
    python -m benchmarks.conversation_training --model smollm2 --num-conversations 2
"""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from benchmarks.local_models import BenchmarkConfig as ModelConfig
from benchmarks.local_models import make_model
from benchmarks.recording import append_record, print_table
from cwm.core.seeding import child_rng
from cwm.llm.chat import ChatMessage
from cwm.llm.local.adapters import Adapter
from cwm.llm.local.conversations import Turn, tokenize_conversations
from cwm.llm.local.loading import LoadedModel
from cwm.llm.local.packages import LazyPackage
from cwm.llm.local.templates import ChatTemplate
from cwm.llm.local.tokenizing import TokenizedText
from cwm.llm.local.training import _add_gradients
from cwm.providers.knowledge.models.config import AdapterConfig, ScratchConfig
from cwm.providers.knowledge.models.scratch import random_model
from cwm.providers.knowledge.models.vocabulary import make_tokenizer

torch = LazyPackage("torch")

THINGS = ("towel", "spoon", "hammer", "clean plate", "wet coat", "old newspaper")
PLACES = ("kitchen cupboard", "bathroom shelf", "tool box", "hat rack", "paper basket")


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Settings of this benchmark.

    Attributes:
        model: `scratch`, whose weights are all trained, or a model as in
            `benchmarks.local_models`, of which the published adapter is.
        num_conversations: How many.
        num_answers: In each.
        pass_tokens: Of the passes that hold several conversations.
        seed: Of the conversations.
        repeats: How often everything is measured, after one pass to warm up.
        output: File that one line is appended to; none if it is empty.
    """

    model: str = "scratch"
    num_conversations: int = 8
    num_answers: int = 8
    pass_tokens: int = 1024
    seed: int = 0
    repeats: int = 3
    output: str = str(Path(__file__).parent / "results" / "conversation_training.jsonl")


def conversations(config: BenchmarkConfig) -> list[list[Turn]]:
    """Returns games of tidying up, each drawn anew."""
    found = []
    for number in range(config.num_conversations):
        rng = child_rng(config.seed, "conversation", number)
        turns: list[Turn] = []
        for _ in range(config.num_answers):
            thing, place = rng.choice(THINGS), rng.choice(PLACES)
            seen = (
                f"Observation: You see a {thing} here, that does not belong here. You "
                f"also see a {place}, that is closed, and a {rng.choice(PLACES)}. To "
                "the North you see another room."
            )
            said = f"Thought: The {thing} must go.\nAction: put {thing} in {place}"
            turns += [(ChatMessage("user", seen), False)]
            turns += [(ChatMessage("assistant", said), True)]
        found.append(turns)
    return found


def make_trained(
    config: BenchmarkConfig, talks: Sequence[Sequence[Turn]]
) -> tuple[LoadedModel, ChatTemplate]:
    """Returns a model whose trained weights ask for a gradient, on one thread."""
    torch.set_num_threads(1)
    if config.model == "scratch":
        settings = ScratchConfig()
        tokenizer = make_tokenizer(talks, settings.vocabulary_size)
        loaded = LoadedModel.of("scratch", random_model(settings, tokenizer), tokenizer)
        template = ChatTemplate(
            name=loaded.name, tokenizer=tokenizer, end_ids=loaded.end_ids
        )
        return loaded, template
    base = make_model(ModelConfig(model=config.model))
    adapter = Adapter(base.loaded, AdapterConfig(dropout=0.0))
    return adapter.attached(base.name), base.template


class Workload:
    """The gradients that are timed."""

    def __init__(self, config: BenchmarkConfig) -> None:
        talks = conversations(config)
        self._config = config
        self._loaded, template = make_trained(config, talks)
        found = tokenize_conversations(self._loaded, template, talks)
        self._texts = found.texts
        self._num_answers = found.num_answers
        self._num_tokens = sum(len(text.token_ids) for text in self._texts)

    def answers(self) -> float:
        """Takes one pass for each answer."""
        total, num_scored = 0.0, sum(text.num_scored for text in self._texts)
        for text in self._texts:
            for start, end in text.spans:
                one = TokenizedText(text.token_ids[:end], ((start, end),))
                loss = _add_gradients(self._loaded.model, [one], 1)
                total += loss * (end - start) / num_scored
        return total

    def conversations(self) -> float:
        """Takes one pass for each conversation."""
        return _add_gradients(self._loaded.model, self._texts, 1)

    def together(self) -> float:
        """Takes passes of several conversations."""
        return _add_gradients(self._loaded.model, self._texts, self._config.pass_tokens)

    def rates(self) -> dict[str, float]:
        """Returns every figure once."""
        figures: dict[str, float] = {
            "conversation_tokens": self._num_tokens / len(self._texts),
            "answers": self._num_answers,
        }
        losses = {}
        for name in ("answers", "conversations", "together"):
            self._loaded.model.zero_grad()
            start = time.process_time()
            losses[name] = getattr(self, name)()
            seconds = time.process_time() - start
            figures[f"{name}_tokens_per_s"] = self._num_tokens / seconds
        slowest = figures["answers_tokens_per_s"]
        for name in ("conversations", "together"):
            figures[f"{name}_over_answers"] = figures[f"{name}_tokens_per_s"] / slowest
            difference = abs(losses[name] - losses["answers"])
            figures[f"{name}_loss_difference"] = difference
        return figures


def main(config: BenchmarkConfig) -> None:
    """Measures, prints a table and appends a line to the results."""
    workload = Workload(config)
    figures: dict[str, list[Any]] = {}
    workload.together()
    for _ in range(config.repeats):
        for figure, value in workload.rates().items():
            figures.setdefault(figure, []).append(value)
    print_table(figures)
    print(f"processors: {os.cpu_count()}, load: {os.getloadavg()[0]:.1f}")
    append_record("conversation_training", config, figures)


if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig, description=__doc__))
