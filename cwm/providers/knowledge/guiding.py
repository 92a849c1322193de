"""Knowledge as a prior over actions, for planners that look ahead.

WKM says what is likely and predicts nothing; a world model predicts and says nothing of
what is likely. Together, `P(a | history)` comes from here and transitions come from the
model, so that the paper's agent is the special case of a planner without a look ahead
(`policy` in `planners`).

    P(a) = (1 - e) [w P_agent(a) + (1 - w) P_know(a)] + e / A

where `P_know(a)` divides the share of the action's verb in the state base among its
actions (`mixing`). States are told by the deterministic writer, from what a planner's
node holds: instruction, observations, actions. Imagined states cost no language model.

Covers: the state base alone; an agent beside it, for as many contexts as a decision may
ask about; task knowledge in what the agent reads. Does not cover: values.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np

from cwm.core.errors import ConfigError, LLMError
from cwm.core.protocols import Context, FloatArray
from cwm.core.spaces import Value
from cwm.llm.chat import ChatMessage
from cwm.llm.scoring import ScoringModel
from cwm.providers.knowledge.acting.knowing import KnowledgeModel
from cwm.providers.knowledge.acting.players import OutOfContext, Start
from cwm.providers.knowledge.base.states import (
    NO_NEIGHBOURS,
    Neighbours,
    RetrievalConfig,
    StateBase,
)
from cwm.providers.knowledge.base.verbs import FIRST_ACTION
from cwm.providers.knowledge.conversations import (
    answer_text,
    observation_text,
    opening,
    task_text,
)
from cwm.providers.knowledge.mixing import MixingConfig, mix_actions
from cwm.providers.knowledge.models.choosing import (
    Choice,
    ScoringMode,
    begun_answer,
    score_choices,
)
from cwm.providers.knowledge.reading.progress import Progress
from prompts.knowledge import KnowledgePrompts

MAX_KEPT = 100_000
"""Answers that are kept at most; then all are forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuidingConfig:
    """How knowledge becomes a prior.

    Attributes:
        mixing: Agent and state base; `epsilon` is what every legal action gets, so that
            a search can find out that knowledge is wrong.
        retrieval: What is taken from the state base.
        scoring: What of an action the agent's probability is made of.
        agent_contexts: Contexts that the agent is asked about between two `forget`s,
            the first ones that planners ask about; the state base speaks alone for
            the others. At least 0.
    """

    mixing: MixingConfig = field(default_factory=lambda: MixingConfig(epsilon=0.1))
    retrieval: RetrievalConfig = field(default_factory=RetrievalConfig)
    scoring: ScoringMode = "sum"
    agent_contexts: int = 16

    def __post_init__(self) -> None:
        if self.agent_contexts < 0:
            raise ConfigError(
                f"agent_contexts must be at least 0, got {self.agent_contexts}."
            )


@dataclass(frozen=True, kw_only=True)
class GuidingAgent:
    """An agent that has a say in the prior.

    Attributes:
        scorer: Its model.
        prompts: What it is told. It must have been trained without thoughts: imagined
            actions have none.
        knower: Who tells it task knowledge; `None` for none.
    """

    scorer: ScoringModel
    prompts: KnowledgePrompts
    knower: KnowledgeModel | None = None


class KnowledgePrior:
    """State base and agent as an `ActionPrior`, in games of text.

    Deterministic: the same contexts, asked about in the same order after a `forget`,
    get the same answers. What was answered is kept, as trees come back to their nodes.

    Args:
        base: Where moments are looked up; `None` for the agent alone.
        agent: Who has a say beside it; `None` for the base alone. Without both all
            legal actions are equally probable.
        config: Settings.

    Attributes:
        num_contexts: Contexts that it was asked about.
        num_evaluated: Of these, how many were no repetition.
        num_looked_up: Of these, how many were looked up in the base.
        num_agent_contexts: And how many the agent was asked about.
        num_too_long: Of the latter, how many were too long for it to read; the base
            spoke alone.
    """

    def __init__(
        self,
        base: StateBase | None,
        agent: GuidingAgent | None = None,
        config: GuidingConfig | None = None,
    ) -> None:
        self._base, self._agent = base, agent
        self._config = config or GuidingConfig()
        self._kept: dict[Hashable, FloatArray] = {}
        self._task_knowledge: dict[tuple[str, str], str] = {}
        self._asked = 0
        self.num_contexts = self.num_evaluated = self.num_looked_up = 0
        self.num_agent_contexts = self.num_too_long = 0

    def forget(self) -> None:
        """Forgets what was answered; the agent may be asked again."""
        self._kept.clear()
        self._asked = 0

    def evaluate(
        self, contexts: Sequence[Context], legal: Sequence[Sequence[Value]]
    ) -> list[FloatArray]:
        """Returns log-probabilities of exactly the legal actions; see `ActionPrior`.

        Raises:
            ValueError: If an action is no text, or there is none.
            LLMError: If the agent cannot be asked.
        """
        self.num_contexts += len(contexts)
        actions = [_texts(one) for one in legal]
        keys = [
            (context.instruction, context.observations, context.actions, frozenset(one))
            for context, one in zip(contexts, actions, strict=True)
        ]
        if len(self._kept) + len(keys) > MAX_KEPT:
            self._kept.clear()
        new = {
            key: (context, tuple(sorted(one)))
            for key, context, one in zip(keys, contexts, actions, strict=True)
            if key not in self._kept
        }
        self.num_evaluated += len(new)
        self._kept.update(zip(new, self._new([*new.values()]), strict=True))
        results = []
        for key, one in zip(keys, actions, strict=True):
            place = {action: index for index, action in enumerate(sorted(one))}
            results.append(self._kept[key][[place[action] for action in one]])
        return results

    def _new(
        self, asked: Sequence[tuple[Context, tuple[str, ...]]]
    ) -> list[FloatArray]:
        """Returns the answers about contexts that were not asked about before."""
        neighbours = self._neighbours([context for context, _ in asked])
        scores = self._scores(asked)
        found = []
        for (_, actions), near, scored in zip(asked, neighbours, scores, strict=True):
            mixture = mix_actions(actions, scored, near, self._config.mixing)
            with np.errstate(divide="ignore"):
                found.append(np.log(mixture.probabilities))
        return found

    def _neighbours(self, contexts: Sequence[Context]) -> list[Neighbours]:
        if self._base is None or not contexts:
            return [NO_NEIGHBOURS] * len(contexts)
        self.num_looked_up += len(contexts)
        notes = [note_of(context) for context in contexts]
        previous = [
            str(context.actions[-1]) if context.actions else FIRST_ACTION
            for context in contexts
        ]
        return self._base.neighbours_of_all(notes, previous, self._config.retrieval)

    def _scores(
        self, asked: Sequence[tuple[Context, tuple[str, ...]]]
    ) -> list[FloatArray]:
        """Returns the agent's scores; minus infinity where it is not asked."""
        silent = [np.full(len(actions), -np.inf) for _, actions in asked]
        number = min(len(asked), self._config.agent_contexts - self._asked)
        if self._agent is None or number <= 0:
            return silent
        self._asked += number
        self.num_agent_contexts += number
        found = [self._agent_scores(*one) for one in asked[:number]]
        return [*found, *silent[number:]]

    def _agent_scores(self, context: Context, actions: tuple[str, ...]) -> FloatArray:
        """Returns what the agent gives to actions; minus infinity if it cannot read."""
        assert self._agent is not None, "asked only then"
        try:
            choice = Choice(
                messages=self._messages(context),
                begun=begun_answer(),
                candidates=actions,
            )
            (found,) = score_choices(
                self._agent.scorer, [choice], mode=self._config.scoring
            )
        except OutOfContext:
            self.num_too_long += 1
        except LLMError as error:
            if not error.is_about_prompt:
                raise
            self.num_too_long += 1
        else:
            return found.scores
        return np.full(len(actions), -np.inf)

    def _messages(self, context: Context) -> list[ChatMessage]:
        """Returns the dialogue that an agent would have had up to a context."""
        assert self._agent is not None, "asked only then"
        first = str(context.observations[0])
        known = self._known(context.instruction, first)
        messages = [
            *opening(self._agent.prompts.agent(with_thought=False)),
            ChatMessage("user", task_text(context.instruction, first, known)),
        ]
        pairs = zip(context.actions, context.observations[1:], strict=True)
        for action, observation in pairs:
            messages.append(ChatMessage("assistant", answer_text(str(action))))
            messages.append(ChatMessage("user", observation_text(str(observation))))
        return messages

    def _known(self, instruction: str, observation: str) -> str:
        """Returns the task knowledge of a game, asked for once."""
        assert self._agent is not None, "asked only then"
        if self._agent.knower is None:
            return ""
        key = instruction, observation
        if key not in self._task_knowledge:
            start = Start(
                instruction=instruction, observation=observation, task="", key=""
            )
            self._task_knowledge[key] = self._agent.knower.begin(start).task()
        return self._task_knowledge[key]


def note_of(context: Context) -> str:
    """Returns the state knowledge of a context, by the deterministic writer.

    Whether the game understood a command is told by its words alone.
    """
    first, *later = map(str, context.observations)
    progress = Progress.begin(context.instruction, first)
    for action, observation in zip(context.actions, later, strict=True):
        progress = progress.after(str(action), observation)
    return progress.note()


def _texts(actions: Sequence[Value]) -> list[str]:
    if not actions or not all(isinstance(action, str) for action in actions):
        raise ValueError(
            "Knowledge is about commands: legal actions must be texts, at least one, "
            f"got {list(actions)[:3]}."
        )
    return list(actions)
