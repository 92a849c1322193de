"""A language model that predicts transitions itself, without any program.

It stands beside a program for what it gets right and for what it takes: a program
is paid for once, and steps in microseconds; this is paid for at every step.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np

from cwm.core.codec import encode_columns
from cwm.core.errors import LLMError
from cwm.core.predictions import Predictions
from cwm.core.proposals import ParseFailure, Task
from cwm.core.seeding import child_rng, child_seed
from cwm.core.spaces import Value
from cwm.core.trajectories import TransitionBatch
from cwm.llm.chat import ChatCompletion, ChatMessage, ChatModel
from prompts.direct import PredictedOutcome, parse_answer, render_question


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectConfig:
    """What a language model is asked, and how.

    Attributes:
        num_transitions: Transitions to predict, drawn from those that there are; at
            least 1.
        num_examples: Training transitions in each prompt; at least 0.
        max_tokens: Longest answer, in tokens; at least 1.
        temperature: Spread of the answers; 0 takes the likeliest one.
        seed: Which transitions, and of the answers.
    """

    num_transitions: int = 20
    num_examples: int = 10
    max_tokens: int = 2048
    temperature: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low in (
            ("num_transitions", 1),
            ("num_examples", 0),
            ("max_tokens", 1),
        ):
            if getattr(self, name) < low:
                raise ValueError(
                    f"{name} must be at least {low}, got {getattr(self, name)}."
                )


@dataclass(frozen=True, kw_only=True)
class DirectPredictions:
    """What a language model predicted, and what it took.

    Attributes:
        model: Its name.
        batch: The transitions in question.
        predictions: Of them, in order. A row whose answer could not be read is
            invalid, and so wrong in every part.
        failures: By row, why there is no answer.
        seconds: Wall-clock time of each call; those of stored answers are left out.
        prompt_tokens: Sent in all, stored answers included.
        completion_tokens: Received in all, likewise.
        has_estimated_tokens: Whether some of these numbers are estimates.
    """

    model: str
    batch: TransitionBatch
    predictions: Predictions
    failures: dict[int, str] = field(default_factory=dict)
    seconds: tuple[float, ...] = ()
    prompt_tokens: int = 0
    completion_tokens: int = 0
    has_estimated_tokens: bool = False

    @property
    def seconds_per_transition(self) -> float | None:
        """Median time of a call; `None` if all answers were stored ones."""
        return statistics.median(self.seconds) if self.seconds else None

    @property
    def tokens_per_transition(self) -> float:
        """Tokens sent and received, on average."""
        return (self.prompt_tokens + self.completion_tokens) / len(self.batch)

    def to_json(self) -> dict[str, Any]:
        """Returns what it took, as plain data."""
        return {
            "model": self.model,
            "num_transitions": len(self.batch),
            "num_failures": len(self.failures),
            "failures": {str(row): why for row, why in self.failures.items()},
            "seconds_per_transition": self.seconds_per_transition,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "has_estimated_tokens": self.has_estimated_tokens,
            "tokens_per_transition": self.tokens_per_transition,
        }


def predict_directly(
    model: ChatModel,
    task: Task,
    batch: TransitionBatch,
    config: DirectConfig,
    *,
    on_answer: Callable[[int, int], None] | None = None,
) -> DirectPredictions:
    """Returns what a language model says of some transitions, asked one by one.

    Each call has the environment's description, training transitions as examples,
    and one observation and action; nothing of its outcome, nor of other questions.

    Args:
        model: Whom to ask; one call for each transition.
        task: The environment, with its training transitions.
        batch: Transitions to draw from, such as held-out ones.
        config: How many, and how.
        on_answer: Is told of each answer: its number, from 1, and how many there
            will be.

    Raises:
        LLMError: If the service failed; a prompt that it refuses is no answer.
    """
    rng = child_rng(config.seed, "direct prediction")
    number = min(config.num_transitions, len(batch))
    chosen = batch.select(np.sort(rng.choice(len(batch), number, replace=False)))
    outcomes: list[PredictedOutcome | ParseFailure] = []
    spent: list[tuple[ChatCompletion, float]] = []
    for row in range(number):
        start = perf_counter()
        answer = _ask(model, task, chosen, row, config)
        if isinstance(answer, ChatCompletion):
            spent.append((answer, perf_counter() - start))
            outcomes.append(parse_answer(answer.text, task))
        else:
            outcomes.append(answer)
        if on_answer is not None:
            on_answer(row + 1, number)
    return DirectPredictions(
        model=model.name,
        batch=chosen,
        predictions=_as_predictions(outcomes, chosen),
        failures={
            row: outcome.reason
            for row, outcome in enumerate(outcomes)
            if isinstance(outcome, ParseFailure)
        },
        seconds=tuple(seconds for c, seconds in spent if not c.is_cached),
        prompt_tokens=sum(c.prompt_tokens + c.saved_prompt_tokens for c, _ in spent),
        completion_tokens=sum(
            c.completion_tokens + c.saved_completion_tokens for c, _ in spent
        ),
        has_estimated_tokens=any(c.has_estimated_tokens for c, _ in spent),
    )


def _ask(
    model: ChatModel,
    task: Task,
    batch: TransitionBatch,
    row: int,
    config: DirectConfig,
) -> ChatCompletion | ParseFailure:
    transition = batch.transition(row)
    prompt = render_question(
        task,
        transition.observation,
        transition.action,
        num_examples=config.num_examples,
    )
    messages = [ChatMessage("system", prompt.system), ChatMessage("user", prompt.user)]
    try:
        (completion,) = model.complete(
            messages,
            temperature=config.temperature,
            max_tokens=config.max_tokens,
            seed=child_seed(config.seed, "direct answer", row),
        )
    except LLMError as error:
        if not error.is_about_prompt:
            raise
        return ParseFailure(f"the service refused the prompt: {error}")
    return completion


def _as_predictions(
    outcomes: list[PredictedOutcome | ParseFailure], batch: TransitionBatch
) -> Predictions:
    """Returns outcomes as columns; what cannot be read is an invalid row."""
    observations: list[Value] = []
    rewards = np.zeros(len(outcomes))
    terminated = np.zeros(len(outcomes), dtype=np.bool_)
    valid = np.zeros(len(outcomes), dtype=np.bool_)
    legal: list[tuple[Value, ...] | None] = []
    messages: dict[int, str] = {}
    for row, outcome in enumerate(outcomes):
        if isinstance(outcome, ParseFailure):
            observations.append(batch.transition(row).observation)
            legal.append(None)
            messages[row] = outcome.reason
            continue
        observations.append(outcome.next_observation)
        rewards[row], terminated[row] = outcome.reward, outcome.terminated
        valid[row] = True
        legal.append(outcome.legal_actions)
    return Predictions(
        next_observations=encode_columns(batch.observation_space, observations),
        rewards=rewards,
        terminated=terminated,
        valid=valid,
        messages=messages,
        legal_actions=None if batch.next_legal_actions is None else tuple(legal),
    )
