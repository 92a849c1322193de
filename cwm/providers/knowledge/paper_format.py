"""The files of the paper's release, read and written.

    pairs           [{"chosen": T, "rejected": T}], and with "task_knowledege" (sic)
    state file      [T with "state_knowledge" at each human turn]
    merged          the same with "task_knowledge"
    training        [{"conversations": [...]}]
    state actions   [{"pre_action", "state", "action"}]

where T = {"id", "conversations": [{"from": "human" | "gpt", "value"}], ...}. The
release writes the key of task knowledge as `task_knowledege` and reads
`task_knowledge`; both are read here, and pairs are written as it writes them. Fields
that are not named here are read over.

Qiao et al., 2024, https://github.com/zjunlp/WKM.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Literal, TypeVar

import msgspec

from cwm.core.errors import ConfigError, DataError
from cwm.core.files import write_atomically
from cwm.llm.chat import ChatMessage
from cwm.providers.knowledge.base.entries import Entry
from cwm.providers.knowledge.conversations import (
    FORMAT_ERROR,
    OPENING_ANSWER,
    Conversation,
    Thoughts,
    Turn,
    agent_conversation,
    parse_answer,
)
from cwm.providers.knowledge.reading.texts import refusal_in
from cwm.providers.knowledge.records import (
    Ending,
    Episode,
    Source,
    StateNotes,
    Step,
    TaskNote,
)
from prompts.knowledge import OBSERVATION, KnowledgePrompts

_GOAL: Final = re.compile(r"(?s)^(.+?)\s*\n\s*(Your task is to:? .+)$")
_TASK_PLACE: Final = 2
"""Place of the turn that has the task, after instruction and `OK`."""


class PaperTurn(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    rename={"who": "from"},
):
    """One turn.

    Attributes:
        who: `human` for what a model is told, `gpt` for what it says.
        value: The text.
        state_knowledge: What was said about the moment, in state files.
    """

    who: Literal["human", "gpt"]
    value: str
    state_knowledge: str = ""


class PaperTrajectory(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One attempt at a task.

    Attributes:
        id: Name of the game.
        conversations: Instruction, `OK`, task, then answers and observations in turn.
        game_file: Path of the game, for ALFWorld.
        reward: What was reached, for WebShop.
        task_knowledge: Of the task, in merged files.
    """

    id: str | int
    conversations: tuple[PaperTurn, ...]
    game_file: str = ""
    reward: float | None = None
    task_knowledge: str = ""


class PaperPair(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    rename={"misspelt": "task_knowledege"},
):
    """An expert's attempt with the explored one.

    Attributes:
        chosen: The expert's.
        rejected: The explored one.
        misspelt: Task knowledge, under the key that the release writes.
        task_knowledge: The same under the key that it reads.
    """

    chosen: PaperTrajectory
    rejected: PaperTrajectory
    misspelt: str = ""
    task_knowledge: str = ""

    @property
    def knowledge(self) -> str:
        """Task knowledge under whichever key; empty if there is none."""
        return self.task_knowledge or self.misspelt


class PaperTraining(msgspec.Struct, frozen=True, kw_only=True):
    """What one model learns from one episode."""

    conversations: tuple[PaperTurn, ...]


class PaperStateAction(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the state base."""

    pre_action: str
    state: str
    action: str


ItemT = TypeVar("ItemT", bound=msgspec.Struct)


def read_items(path: Path, kind: type[ItemT]) -> list[ItemT]:
    """Returns the items of a file of the release.

    Raises:
        DataError: If it cannot be read or has another form.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[kind])  # type: ignore[valid-type]
    except (OSError, msgspec.DecodeError) as error:
        raise DataError(
            f"{str(path)!r} must be a JSON list of {kind.__name__}: {error}."
        ) from error


def write_items(path: Path, items: Iterable[msgspec.Struct]) -> None:
    """Writes a file of the release; it is replaced in one step.

    Raises:
        ConfigError: If it cannot be written.
    """
    text = msgspec.json.format(msgspec.json.encode(list(items)), indent=2)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text + b"\n")
    except OSError as error:
        raise ConfigError(f"{str(path)!r} cannot be written: {error}.") from error


def trajectory_of(
    episode: Episode,
    prompts: KnowledgePrompts,
    *,
    states: StateNotes | None = None,
    thoughts: Thoughts = "none",
) -> PaperTrajectory:
    """Returns an episode as an attempt of the release.

    What was seen after the last action is not in these files.

    Args:
        episode: Which one; of at least one step.
        prompts: Of its environment.
        states: Its state knowledge, for state files.
        thoughts: What stands before each action.

    Raises:
        DataError: As `agent_conversation`.
    """
    conversation = agent_conversation(episode, prompts, thoughts=thoughts)
    turns = list(_turns(conversation))
    if states is not None:
        # The checks are those of a conversation that shows them.
        agent_conversation(episode, prompts, states=states, thoughts=thoughts)
        for place in range(_TASK_PLACE, len(turns), 2):
            told = states.texts[(place - _TASK_PLACE) // 2]
            turns[place] = msgspec.structs.replace(turns[place], state_knowledge=told)
    return PaperTrajectory(
        id=episode.id, conversations=tuple(turns), reward=episode.score
    )


def pair_of(
    chosen: PaperTrajectory, rejected: PaperTrajectory, task: TaskNote | None = None
) -> PaperPair:
    """Returns a pair, with task knowledge under the key that the release writes."""
    return PaperPair(
        chosen=chosen, rejected=rejected, misspelt="" if task is None else task.text
    )


def merged(
    states: Sequence[PaperTrajectory], pairs: Sequence[PaperPair]
) -> list[PaperTrajectory]:
    """Returns the items of a state file with the task knowledge of their pairs.

    The release has no script for it; its authors describe it in issue 6.

    Raises:
        DataError: If an item has no pair, or its pair no task knowledge.
    """
    knowledge = {pair.chosen.id: pair.knowledge for pair in pairs}
    items = []
    for item in states:
        if not knowledge.get(item.id):
            raise DataError(f"Item {item.id!r} must have a pair with task knowledge.")
        items.append(msgspec.structs.replace(item, task_knowledge=knowledge[item.id]))
    return items


def training_of(conversation: Conversation) -> PaperTraining:
    """Returns a conversation as an item of a training file."""
    return PaperTraining(conversations=tuple(_turns(conversation)))


def conversation_of(item: PaperTraining) -> Conversation:
    """Returns an item of a training file as a conversation; all answers are learned."""
    return tuple(
        Turn(
            ChatMessage("user" if turn.who == "human" else "assistant", turn.value),
            turn.who == "gpt",
        )
        for turn in item.conversations
    )


def state_action_of(entry: Entry) -> PaperStateAction:
    """Returns an entry of the state base as the release writes it."""
    return PaperStateAction(
        pre_action=entry.previous, state=entry.state, action=entry.next
    )


def entry_of(item: PaperStateAction, *, task: str, episode: str = "") -> Entry:
    """Returns an entry of the state base that the release has written.

    Its files do not say of which task and episode an entry is.
    """
    return Entry(
        state=item.state,
        previous=item.pre_action,
        next=item.action,
        task=task,
        episode=episode,
    )


def episode_of(
    item: PaperTrajectory,
    *,
    env: str,
    task: str,
    game: int,
    score: float,
    ending: Ending,
    source: Source,
    made_by: str,
) -> Episode:
    """Returns an attempt of the release as an episode.

    What its files do not say has to be given. They have no observation after the last
    action, so that the last step's is empty. Its score is that of the whole, and that
    of the steps before it 0; a command counts as understood unless what is seen
    after it is a known refusal.

    Args:
        item: The attempt.
        env: Id of the environment.
        task: Kind of task.
        game: Number of the game.
        score: What was reached, from 0 to 1.
        ending: How it ended.
        source: Why it was played.
        made_by: Who acted.

    Raises:
        DataError: If the turns are not in turn, or there is no action.
    """
    turns = _checked(item)
    instruction, observation = _task_of(turns[_TASK_PLACE].value)
    answers, seen = turns[3::2], [turn.value for turn in turns[4::2]]
    observations = [*map(_observed, seen), ""][: len(answers)]
    steps = []
    for place, (turn, text) in enumerate(zip(answers, observations, strict=True), 1):
        answer = parse_answer(turn.value)
        steps.append(
            Step(
                thought=answer.thought,
                action=answer.action,
                observation=text if answer.action else text or FORMAT_ERROR,
                score=score if place == len(answers) else 0.0,
                is_legal=bool(answer.action) and not refusal_in(text),
            )
        )
    return Episode(
        id=str(item.id),
        env=env,
        task=task,
        split="train",
        game=game,
        instruction=instruction,
        observation=observation,
        steps=tuple(steps),
        score=score,
        ending=ending,
        source=source,
        made_by=made_by,
    )


def states_of(item: PaperTrajectory, made_by: str) -> StateNotes:
    """Returns the state knowledge of an item of a state file.

    After the last action the release says nothing: the last text is empty.

    Raises:
        DataError: If the turns are not in turn, or one has no state knowledge.
    """
    turns = _checked(item)
    texts = [turn.state_knowledge for turn in turns[_TASK_PLACE::2]]
    if len(texts) == len(turns[3::2]):
        texts.append("")
    if not all(texts[:-1]):
        raise DataError(f"Each human turn of {item.id!r} must have state knowledge.")
    return StateNotes(episode=str(item.id), texts=tuple(texts), made_by=made_by)


def _turns(conversation: Conversation) -> Iterable[PaperTurn]:
    for turn in conversation:
        who: Literal["human", "gpt"] = (
            "gpt" if turn.message.role == "assistant" else "human"
        )
        yield PaperTurn(who=who, value=turn.message.content)


def _checked(item: PaperTrajectory) -> tuple[PaperTurn, ...]:
    turns = item.conversations
    whos = [turn.who for turn in turns]
    in_turn = ["human", "gpt"] * (len(turns) // 2 + 1)
    if len(turns) < _TASK_PLACE + 2 or whos != in_turn[: len(turns)]:
        raise DataError(
            f"Item {item.id!r} must have an instruction, {OPENING_ANSWER!r}, a task and"
            f" at least one action, human and gpt in turn, got {len(turns)} turns."
        )
    return turns


def _task_of(text: str) -> tuple[str, str]:
    """Returns instruction and first observation.

    ALFWorld tells the room first and then "Your task is to"; elsewhere the first
    paragraph is the instruction.
    """
    found = _GOAL.match(text.strip())
    if found:
        return found[2].strip(), found[1].strip()
    instruction, _, observation = text.strip().partition("\n")
    return instruction.strip(), observation.strip()


def _observed(text: str) -> str:
    return text.strip().removeprefix(OBSERVATION).strip()
