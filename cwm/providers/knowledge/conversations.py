"""The turns of agent and knowledge model: who says what, and which turns are learned.

    agent                          knowledge model
    what it can do       -> OK     what it is for       -> OK
    task with knowledge  -> answer task                 -> task knowledge
    observation          -> answer answer, observation  -> state knowledge
    ...                            ...

After Qiao et al., 2024 (https://arxiv.org/abs/2405.14205, section 3.3 and its code):
all answers are learned, the first `OK` too. The agent is told the task knowledge once
and no state knowledge. The knowledge model is asked for no state before the first
action and none after the last.

Episodes that are being played take their messages from the same functions, so that what
a model was trained on and what it is asked cannot drift apart.
"""

import re
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from cwm.core.errors import DataError
from cwm.llm.chat import ChatMessage
from cwm.providers.knowledge.reading.texts import goal_of
from cwm.providers.knowledge.records import Episode, StateNotes, TaskNote
from prompts.knowledge import KnowledgePrompts

Thoughts: TypeAlias = Literal["none", "template", "recorded"]
"""What stands before an action: nothing; a sentence made from task and action; what the
episode says."""

OPENING_ANSWER: Final = "OK"
"""What both models answer to what they are told first."""

FORMAT_ERROR: Final = (
    'Nothing was done: an answer must contain "Action:" and a command.'
)
"""What is observed after an answer without a command."""


class Turn(NamedTuple):
    """One message, and whether a model is to learn to say it."""

    message: ChatMessage
    is_learned: bool


Conversation: TypeAlias = tuple[Turn, ...]


class Answer(NamedTuple):
    """What an agent said, taken apart.

    Attributes:
        thought: May be empty.
        action: The command; empty if there is none. `FORMAT_ERROR` is then observed.
    """

    thought: str
    action: str


def agent_conversation(
    episode: Episode,
    prompts: KnowledgePrompts,
    *,
    task: TaskNote | None = None,
    states: StateNotes | None = None,
    thoughts: Thoughts = "none",
) -> Conversation:
    """Returns what an agent learns from an episode.

    Args:
        episode: Which one; of at least one step.
        prompts: Of its environment.
        task: Its task knowledge; without it the agent is told none.
        states: Its state knowledge. It is then shown with each later observation, the
            paper's baseline of explicit states; by default the agent sees none.
        thoughts: What stands before each action.

    Raises:
        DataError: If the episode has no step, a note is of another episode, or a
            recorded thought is missing.
    """
    answers = _answers(episode, thoughts)
    told = _states(episode, states)
    first = task_text(episode.instruction, episode.observation, _text(episode, task))
    turns = [*opening(prompts.agent(with_thought=thoughts != "none")), _user(first)]
    for index, answer in enumerate(answers):
        if index:
            observation = episode.steps[index - 1].observation
            turns.append(_user(observation_text(observation, told[index])))
        turns.append(_assistant(answer))
    return _learned(turns)


def knowledge_conversation(
    episode: Episode,
    prompts: KnowledgePrompts,
    *,
    task: TaskNote,
    states: StateNotes | None = None,
    thoughts: Thoughts = "none",
) -> Conversation:
    """Returns what a knowledge model learns from an episode.

    Args:
        episode: Which one; of at least one step.
        prompts: Of its environment.
        task: Its task knowledge.
        states: Its state knowledge; without it the conversation ends with the task
            knowledge.
        thoughts: What stands before each action.

    Raises:
        DataError: As in `agent_conversation`.
    """
    answers = _answers(episode, thoughts)
    first = task_text(episode.instruction, episode.observation)
    turns = [
        *opening(prompts.knowledge_model()),
        _user(first),
        _assistant(_text(episode, task)),
    ]
    if states is not None:
        told = _states(episode, states)
        for index, answer in enumerate(answers[:-1]):
            observation = episode.steps[index].observation
            turns += [_user(report_text(answer, observation))]
            turns += [_assistant(told[index + 1])]
    return _learned(turns)


def opening(prompt: str) -> tuple[ChatMessage, ChatMessage]:
    """Returns the first two messages: what a model is told, and that it heard."""
    return _user(prompt), _assistant(OPENING_ANSWER)


def task_text(instruction: str, observation: str, task_knowledge: str = "") -> str:
    """Returns the message that begins a game.

    The instruction stands first, unless the first observation has it already, as in
    ALFWorld.
    """
    told = "" if instruction in observation else instruction
    return "\n".join(part for part in (told, observation, task_knowledge) if part)


def answer_text(action: str, thought: str = "") -> str:
    """Returns what an agent answers."""
    said = f"Action: {action}"
    return f"Thought: {thought}\n{said}" if thought else said


def observation_text(observation: str, state: str = "") -> str:
    """Returns what an agent is told after an action.

    Args:
        observation: What is seen.
        state: State knowledge, only where the agent is to see it.
    """
    seen = f"Observation: {observation}"
    return f"{seen}\nState: {state}" if state else seen


def report_text(answer: str, observation: str) -> str:
    """Returns what a knowledge model is told after an agent's action."""
    return f"{answer}\n{observation_text(observation)}"


def parse_answer(text: str) -> Answer:
    """Returns thought and command of what an agent said.

    The command is all that stands after the first `Action:`, without the marks
    `.!?,;:` at its end. What an agent says without that is a thought.
    """
    before, found, after = text.partition("Action:")
    thought = re.sub(r"^\s*Thought:", "", before).strip()
    return Answer(thought, _command(after) if found else "")


def template_thought(instruction: str, action: str) -> str:
    """Returns a sentence that leads to an action."""
    goal = goal_of(instruction).split(". ")[0]
    return f"My task is: {goal}. Next I {action}."


def _command(text: str) -> str:
    return text.strip().rstrip(".!?,;: \n\t").strip()


def _answers(episode: Episode, thoughts: Thoughts) -> list[str]:
    if not episode.steps:
        raise DataError(
            f"An episode must have at least one step to be learned from, got "
            f"{episode.id!r} with none."
        )
    answers = []
    for step in episode.steps:
        thought = ""
        if thoughts == "template":
            thought = template_thought(episode.instruction, step.action)
        elif thoughts == "recorded":
            thought = step.thought
            if not thought:
                raise DataError(
                    f"thoughts is 'recorded', but a step of {episode.id!r} has none. "
                    "Use 'template' or 'none'."
                )
        answers.append(answer_text(step.action, thought))
    return answers


def _text(episode: Episode, task: TaskNote | None) -> str:
    if task is None:
        return ""
    _check(episode, task.episode, "Task")
    return task.text


def _states(episode: Episode, states: StateNotes | None) -> Sequence[str]:
    if states is None:
        return [""] * (len(episode.steps) + 1)
    _check(episode, states.episode, "State")
    if len(states.texts) != len(episode.steps) + 1:
        raise DataError(
            f"State knowledge of {episode.id!r} must have a text for each of its "
            f"{len(episode.steps) + 1} observations, got {len(states.texts)}."
        )
    return states.texts


def _check(episode: Episode, told_of: str, kind: str) -> None:
    if told_of != episode.id:
        raise DataError(
            f"{kind} knowledge of episode {episode.id!r} is needed, got that of "
            f"{told_of!r}."
        )


def _user(text: str) -> ChatMessage:
    return ChatMessage("user", text)


def _assistant(text: str) -> ChatMessage:
    return ChatMessage("assistant", text)


def _learned(messages: Sequence[ChatMessage]) -> Conversation:
    return tuple(Turn(message, message.role == "assistant") for message in messages)
