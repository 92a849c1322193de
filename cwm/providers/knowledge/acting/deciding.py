"""How an agent decides: what it says, and what knowledge makes of it.

At each step the agent may think; then a verb is chosen among those of the legal
commands by `gamma` of what the agent makes of it and the rest of what the state base
says, and the agent goes on with what belongs to the verb (Qiao et al., 2024,
https://arxiv.org/abs/2405.14205, section 3.4, equations 11 to 13).

Covers: agents that are chat models; whole commands instead of verbs; agents alone.
Does not cover: planning with a world model (`guiding`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np

from cwm.core.errors import ConfigError, LLMError
from cwm.core.protocols import FloatArray
from cwm.llm.chat import ChatMessage, ChatModel
from cwm.llm.scoring import ScoringModel
from cwm.providers.knowledge.acting.knowing import Knower, KnowerSession, ask
from cwm.providers.knowledge.acting.players import (
    Legal,
    Move,
    OutOfContext,
    Session,
    Start,
    Usage,
)
from cwm.providers.knowledge.base.states import (
    NO_NEIGHBOURS,
    Neighbours,
    RetrievalConfig,
    StateBase,
)
from cwm.providers.knowledge.base.verbs import (
    FIRST_ACTION,
    is_choice,
    join_verb,
    verb_of,
)
from cwm.providers.knowledge.conversations import (
    answer_text,
    observation_text,
    opening,
    parse_answer,
    task_text,
)
from cwm.providers.knowledge.mixing import (
    MixingConfig,
    Mixture,
    mix_actions,
    mix_verbs,
)
from cwm.providers.knowledge.models.choosing import (
    ACTION,
    Choice,
    ScoringMode,
    begun_answer,
    score_choices,
)
from cwm.providers.knowledge.reading.progress import Progress
from prompts.knowledge import KnowledgePrompts

ANSWER_TOKENS = 512
"""Longest answer of an agent, as published."""

COMMAND_TOKENS = 64
"""Longest end of a command whose verb was chosen."""

AnswerStyle: TypeAlias = Literal["verbs", "commands", "free"]
"""What is chosen among: the verbs of legal commands, the agent writing what follows;
legal commands as they are; nothing, the agent writing all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidingConfig:
    """How the next action is chosen; the same for all rows of a table.

    Attributes:
        choose: Among verbs, the agent writing what belongs to them, as published;
            among whole commands; or not at all (free).
        scoring: What of a candidate the agent's probability is made of.
        mixing: Agent and state base.
        retrieval: What is taken from the state base.
        constrains_first: Whether the state base has a say before the first action,
            too, for which the deterministic writer then tells the state; in the paper
            the agent is free there.
    """

    choose: AnswerStyle = "verbs"
    scoring: ScoringMode = "sum"
    mixing: MixingConfig = field(default_factory=MixingConfig)
    retrieval: RetrievalConfig = field(default_factory=RetrievalConfig)
    constrains_first: bool = False

    def __post_init__(self) -> None:
        if self.choose == "commands" and self.scoring == "first_token":
            raise ConfigError(
                "deciding.scoring must be sum or mean where commands are chosen: those "
                "of one verb begin with the same token. Got first_token."
            )


@dataclass(frozen=True, kw_only=True)
class KnowledgePlayer:
    """A chat model that acts, with task and state knowledge or without.

    Attributes:
        name: As shown beside its numbers.
        agent: Who acts.
        scorer: The same model as one that gives log-probabilities; needed unless it
            answers freely.
        prompts: What it is told.
        thinks: Whether it says what it thinks before it acts.
        knower: Where knowledge comes from; `None` for none.
        tells_task: Whether the agent is told the task knowledge.
        shows_state: Whether it is shown the state knowledge.
        base: Where moments like the present are looked up; `None` for the agent alone.
        config: How actions are chosen.
    """

    name: str
    agent: ChatModel
    scorer: ScoringModel | None
    prompts: KnowledgePrompts
    thinks: bool = False
    knower: Knower | None = None
    tells_task: bool = False
    shows_state: bool = False
    base: StateBase | None = None
    config: DecidingConfig = field(default_factory=DecidingConfig)

    def __post_init__(self) -> None:
        knows = self.tells_task or self.shows_state or self.base is not None
        if knows and self.knower is None:
            raise ValueError("Task and state knowledge need a knower, got none.")
        if self.config.choose == "free" and self.base is not None:
            raise ConfigError(
                "deciding.choose must be verbs or commands where the state base has a "
                "say, got free."
            )
        if self.config.choose != "free" and self.scorer is None:
            raise ConfigError(
                f"deciding.choose must be free, as {self.agent.name} gives no "
                f"log-probabilities, got {self.config.choose}."
            )

    def begin(self, start: Start, rng: np.random.Generator) -> Session:
        """Returns the player in a new episode; the task knowledge is asked for now."""
        return _Episode(self, start)


class _Episode:
    """A player in one episode."""

    def __init__(self, player: KnowledgePlayer, start: Start) -> None:
        self._player, self._start = player, start
        self._usage = Usage()
        self._knower: KnowerSession | None = None
        self._state, self._previous, self._answer = "", FIRST_ACTION, ""
        self._num_acts, self._is_alone = 0, False
        if player.config.constrains_first:
            # Knowledge models are not asked for a state before the first action.
            self._state = Progress.begin(start.instruction, start.observation).note()
        known = ""
        if player.knower is not None:
            self._knower = player.knower.begin(start)
            # A knowledge model has said it before it says anything about states.
            known = self._knower.task()
        text = task_text(
            start.instruction, start.observation, known if player.tells_task else ""
        )
        told = opening(player.prompts.agent(with_thought=player.thinks))
        self._messages = [*told, ChatMessage("user", text)]

    @property
    def usage(self) -> Usage:
        """What agent and knower have asked of models."""
        known = Usage() if self._knower is None else self._knower.usage
        return self._usage + known

    def act(self, legal: Legal) -> Move:
        """Returns what to do now; see `Session`."""
        if self._player.config.choose == "free":
            move = self._said(self._written("", ()))
        else:
            thought = self._thought() if self._player.thinks else ""
            move = self._chosen(thought, legal())
        self._answer = answer_text(move.action, move.thought)
        self._messages.append(ChatMessage("assistant", self._answer))
        self._previous = move.action or self._previous
        self._num_acts += 1
        return move

    def see(self, observation: str, *, is_legal: bool) -> None:
        """Is told what came of the last move."""
        player = self._player
        if self._knower is not None and (player.shows_state or player.base is not None):
            self._hear(self._knower, observation, is_legal=is_legal)
        shown = observation_text(observation, self._state * player.shows_state)
        self._messages.append(ChatMessage("user", shown))

    def _hear(self, knower: KnowerSession, observation: str, *, is_legal: bool) -> None:
        """Asks for the state; who can read no further leaves the agent alone."""
        if self._is_alone:
            return
        try:
            self._state = knower.state(self._answer, observation, is_legal=is_legal)
        except OutOfContext:
            self._state, self._is_alone = "", True

    def _written(
        self, begun: str, stop: tuple[str, ...], max_tokens: int = ANSWER_TOKENS
    ) -> str:
        """Returns what the agent writes, after a begun answer."""
        messages = list(self._messages)
        if begun:
            messages.append(ChatMessage("assistant", begun))
        text, usage = ask(
            self._player.agent, messages, max_tokens=max_tokens, stop=stop
        )
        self._usage += usage
        return text

    def _thought(self) -> str:
        return parse_answer(self._written("Thought:", ("\nAction:", "\n"))).thought

    def _said(self, text: str) -> Move:
        found = parse_answer(text.partition("\nObservation:")[0])
        return Move(action=found.action, thought=found.thought)

    def _chosen(self, thought: str, commands: Sequence[str]) -> Move:
        begun = begun_answer(thought)
        candidates = tuple(sorted(set(commands)))
        if self._player.config.choose == "commands":
            mixture = self._mixed(begun, candidates, are_verbs=False)
            action = mixture.best
        else:
            verbs = tuple(sorted(set(map(verb_of, candidates))))
            mixture = self._mixed(begun, verbs, are_verbs=True)
            action = self._completed(begun, mixture.best)
        return Move(action=action, thought=thought, trace=mixture.trace())

    def _mixed(
        self, begun: str, candidates: tuple[str, ...], *, are_verbs: bool
    ) -> Mixture:
        """Returns the probabilities of candidates, and what made them."""
        config, found = self._player.config, self._neighbours()
        scores = self._scores(begun, candidates, is_whole=not are_verbs)
        weights = config.mixing if found.entries else _ALONE
        rule = mix_verbs if are_verbs else mix_actions
        return rule(candidates, scores, found, weights)

    def _scores(
        self, begun: str, candidates: tuple[str, ...], *, is_whole: bool
    ) -> FloatArray:
        """Returns what the agent gives to candidates, in nats."""
        scorer = self._player.scorer
        assert scorer is not None, "checked when the player was made"
        choice = Choice(messages=self._messages, begun=begun, candidates=candidates)
        try:
            (found,) = score_choices(
                scorer,
                [choice],
                mode=self._player.config.scoring,
                end_of_turn=is_whole,
            )
        except LLMError as error:
            if error.is_about_prompt:
                raise OutOfContext(str(error)) from error
            raise
        self._usage += Usage(num_calls=1)
        return found.scores

    def _neighbours(self) -> Neighbours:
        """Returns moments like this one; none where the agent is left alone."""
        player = self._player
        is_free = not (self._num_acts or player.config.constrains_first)
        if player.base is None or self._is_alone or is_free:
            return NO_NEIGHBOURS
        return player.base.neighbours(
            self._state, self._previous, player.config.retrieval
        )

    def _completed(self, begun: str, verb: str) -> str:
        """Returns the command that the agent makes of a verb."""
        if is_choice(verb):
            return verb
        rest = self._written(f"{begun} {verb}", ("\n",), COMMAND_TOKENS)
        return parse_answer(f"{ACTION} {join_verb(verb, rest)}").action


_ALONE = MixingConfig(agent_weight=1.0)
