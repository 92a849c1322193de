from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from cwm.core.errors import ConfigError, LLMError
from cwm.llm.chat import ChatCompletion, ChatMessage
from cwm.llm.scoring import TokenLogProbs
from cwm.providers.knowledge.acting.deciding import DecidingConfig, KnowledgePlayer
from cwm.providers.knowledge.acting.knowing import KnowledgeModel, WrittenKnowledge
from cwm.providers.knowledge.acting.players import (
    Move,
    OutOfContext,
    Session,
    Start,
    Usage,
)
from cwm.providers.knowledge.base.encoders import HashedEncoder
from cwm.providers.knowledge.base.entries import Entry
from cwm.providers.knowledge.base.states import StateBase
from cwm.providers.knowledge.mixing import MixingConfig
from prompts.knowledge import KnowledgePrompts

PROMPTS = KnowledgePrompts("household")
START = Start(instruction="Put the cup away.", observation="A room.", task="t", key="k")


@dataclass
class Speaker:
    """Says what it is given, scores what it is told to, and keeps what it read."""

    says: list[str]
    scores: dict[str, float] = field(default_factory=dict)
    read: list[list[ChatMessage]] = field(default_factory=list)
    stops: list[Sequence[str]] = field(default_factory=list)
    name: str = "speaker"
    longest: int = 100

    def complete(
        self,
        messages: Sequence[ChatMessage],
        *,
        num_completions: int = 1,
        temperature: float = 1.0,
        top_p: float = 1.0,
        max_tokens: int = 1,
        stop: Sequence[str] = (),
        seed: int | None = None,
    ) -> list[ChatCompletion]:
        assert (temperature, num_completions) == (0.0, 1)
        if len(messages) > self.longest:
            raise LLMError("too long", retryable=False, is_about_prompt=True)
        self.read.append(list(messages))
        self.stops.append(stop)
        text = self.says.pop(0)
        return [ChatCompletion(text=text, prompt_tokens=10, completion_tokens=3)]

    def log_probs(
        self,
        messages: Sequence[ChatMessage],
        continuations: Sequence[str],
        *,
        end_of_turn: bool = True,
    ) -> list[TokenLogProbs]:
        self.read.append(list(messages))
        return [
            TokenLogProbs(
                token_ids=(index,),
                tokens=(text,),
                log_probs=np.array([self.scores[text]], dtype=np.float32),
            )
            for index, text in enumerate(continuations)
        ]


def player(agent: Speaker, **changes: object) -> KnowledgePlayer:
    made = KnowledgePlayer(name="p", agent=agent, scorer=agent, prompts=PROMPTS)
    return replace(made, **changes)  # type: ignore[arg-type]


def begun(made: KnowledgePlayer) -> Session:
    return made.begin(START, np.random.default_rng(0))


def legal() -> list[str]:
    return ["take cup", "go to bed", "go to desk"]


KNOWN = WrittenKnowledge(name="rules", texts={"k": "Cups belong on beds."})

BASE = StateBase.from_entries(
    [
        Entry(state="s", previous="go to bed", next=then, task="t", episode="e")
        for then in ("put cup", "take pen", "take hat", "go to desk")
    ],
    HashedEncoder(),
)


def test_a_verb_is_chosen_and_the_agent_writes_what_belongs_to_it() -> None:
    agent = Speaker([" to desk."], {" go": -0.5, " take": -2.0})
    session = begun(player(agent))
    move = session.act(legal)
    assert move.action == "go to desk"
    scoring, writing = agent.read
    assert [m.content for m in scoring[-2:]] == [
        "Put the cup away.\nA room.",
        "Action:",
    ]
    assert writing[-1] == ChatMessage("assistant", "Action: go")
    assert agent.stops == [("\n",)]
    assert move.trace["candidates"] == ["go", "take"]
    # softmax of -0.5 and -2: 1 / (1 + exp(-1.5)) = 0.8176
    assert move.trace["probabilities"][0] == pytest.approx(0.817574, abs=1e-5)
    assert session.usage == Usage(num_calls=2, prompt_tokens=10, completion_tokens=3)


def test_whole_commands_need_no_writing() -> None:
    scores = {" take cup": -1.0, " go to bed": -0.9, " go to desk": -3.0}
    agent = Speaker([], scores)
    config = DecidingConfig(choose="commands")
    assert begun(player(agent, config=config)).act(legal).action == "go to bed"


def test_the_task_knowledge_is_told_once_and_states_are_not_shown() -> None:
    agent = Speaker(["cup", "to bed"], {" go": -1.0, " take": 0.0})
    session = begun(player(agent, knower=KNOWN, tells_task=True))
    session.act(legal)
    session.see("You take it.", is_legal=True)
    session.act(legal)
    told = [message.content for message in agent.read[-1]]
    assert told[2:] == [
        "Put the cup away.\nA room.\nCups belong on beds.",
        "Action: take cup",
        "Observation: You take it.",
        "Action: take",
    ]


def test_states_can_be_shown() -> None:
    agent = Speaker(["cup", "cup"], {" go": -1.0, " take": 0.0})
    session = begun(player(agent, knower=KNOWN, shows_state=True))
    session.act(legal)
    session.see("You can't.", is_legal=False)
    session.act(legal)
    shown = agent.read[-1][-2].content
    assert shown.startswith("Observation: You can't.\nState: Goal: Put the cup away")
    assert "The last command failed" in shown
    assert all("Cups belong" not in message.content for message in agent.read[-1])


@pytest.mark.parametrize(
    ("weight", "chosen"), [(1.0, "go"), (0.34, "go"), (0.32, "take")]
)
def test_the_base_overrules_the_agent_as_its_weight_says(
    weight: float, chosen: str
) -> None:
    # After "go" the base has take twice, go once, put (which is not legal) once; the
    # agent gives go 3/4. So go has 3/4 w + 1/4 (1 - w) and take 1/4 w + 1/2 (1 - w),
    # which are equal at w = 1/3.
    scores = {" go": float(np.log(0.75)), " take": float(np.log(0.25))}
    agent = Speaker(["to bed", "x"], scores)
    config = DecidingConfig(mixing=MixingConfig(agent_weight=weight))
    session = begun(player(agent, knower=KNOWN, base=BASE, config=config))
    first = session.act(legal)
    assert first.trace["support"] == 0, "the agent is free before the first action"
    session.see("You arrive.", is_legal=True)
    second = session.act(legal)
    assert second.action.split()[0] == chosen
    assert second.trace["support"] == 4


def test_weight_one_decides_as_the_agent_does_bit_for_bit() -> None:
    scores = {" go": -0.7, " take": -0.6}
    config = DecidingConfig(mixing=MixingConfig(agent_weight=1.0))
    moves: list[list[Move]] = []
    for base in (None, BASE):
        agent = Speaker(["to bed", "to bed"], dict(scores))
        session = begun(player(agent, knower=KNOWN, base=base, config=config))
        moves.append([])
        for _ in range(2):
            moves[-1].append(session.act(legal))
            session.see("You arrive.", is_legal=True)
    alone, guided = (
        [(m.action, m.trace["probabilities"]) for m in one] for one in moves
    )
    assert alone == guided


def test_the_knowledge_model_hears_all_and_is_asked_after_each_action() -> None:
    knowing = Speaker(["Task known. ", "state one"])
    agent = Speaker(["to bed", "to bed"], {" go": 0.0, " take": -1.0})
    made = player(agent, knower=KnowledgeModel(knowing, PROMPTS), base=BASE)
    session = begun(made)
    session.act(legal)
    session.see("You arrive.", is_legal=True)
    session.act(legal)
    told = [message.content for message in knowing.read[-1]]
    assert told[2:] == [
        "Put the cup away.\nA room.",
        "Task known.",
        "Action: go to bed\nObservation: You arrive.",
    ]
    assert session.usage.num_calls == 2 + 4
    # The agent is told nothing of it in this row.
    assert all("known" not in message.content for message in agent.read[-1])


def test_an_agent_that_thinks_says_so_before_its_action() -> None:
    agent = Speaker([" I look.", "to bed"], {" go": 0.0, " take": -1.0})
    move = begun(player(agent, thinks=True)).act(legal)
    assert (move.thought, move.action) == ("I look.", "go to bed")
    assert agent.read[0][-1] == ChatMessage("assistant", "Thought:")
    assert agent.read[1][-1].content == "Thought: I look.\nAction:"


def test_a_free_agent_writes_all_and_may_fail() -> None:
    agent = Speaker(["Thought: hm\nAction: go to bed.", "I do not know"])
    made = player(agent, scorer=None, config=DecidingConfig(choose="free"))
    session = begun(made)
    assert session.act(legal) == Move(action="go to bed", thought="hm")
    session.see("You arrive.", is_legal=True)
    assert session.act(legal).action == ""


def test_what_no_longer_fits_ends_the_episode() -> None:
    agent = Speaker(["to bed"] * 3, {" go": 0.0, " take": -1.0}, longest=5)
    session = begun(player(agent))
    session.act(legal)
    session.see("You arrive.", is_legal=True)
    with pytest.raises(OutOfContext):
        session.act(legal)


def test_settings_that_do_not_fit_are_refused() -> None:
    agent = Speaker([])
    with pytest.raises(ConfigError, match=r"deciding\.choose must be free"):
        player(agent, scorer=None)
    with pytest.raises(ConfigError, match="where the state base has a say"):
        player(agent, knower=KNOWN, base=BASE, config=DecidingConfig(choose="free"))
    with pytest.raises(ValueError, match="need a knower"):
        player(agent, tells_task=True)
