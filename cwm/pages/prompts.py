"""What a language model was asked in each call, made again from the journal.

A journal keeps a hash of each conversation, not its words. The search is rebuilt, so
that every request is there again, and rendered with the run's settings; the hash says
whether that is what was sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cwm.config import RunConfig, config_from_json, load_config
from cwm.core.dataset_file import load_dataset
from cwm.core.errors import CwmError
from cwm.core.journal import Record
from cwm.core.proposals import ProposalRequest
from cwm.execution.run_folder import RunFolder
from cwm.llm.chat import ChatMessage
from cwm.llm.requests import ChatRequest
from cwm.program_synthesis import (
    ProgramRunConfig,
    is_program_run,
    recorded_search,
)
from cwm.session import make_search
from cwm.synthesis.records import COMPLETION
from cwm.synthesis.replay import replay
from cwm.synthesis.search import Call, ProgramSearch
from prompts.config import PromptConfig
from prompts.render import render


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What was asked in one call.

    Attributes:
        messages: Role and text of each message.
        is_as_sent: Whether the hash in the journal is that of these messages; `None`
            if there is none, because the call has no answer yet.
    """

    messages: tuple[tuple[str, str], ...]
    is_as_sent: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversations:
    """What was asked in all calls.

    Attributes:
        by_call: The conversations; none for calls that no language model answered.
        problem: Why they could not be made again; else empty.
    """

    by_call: dict[int, Conversation]
    problem: str = ""


def conversations(folder: RunFolder, records: Sequence[Record]) -> Conversations:
    """Returns what was asked in each call of a run.

    A run whose requests cannot be made again (by another version, with other data) has
    none, and the reason.
    """
    asked = {
        int(record.body["call"]): record.body["annotation"].get("request")
        for record in records
        if record.kind == COMPLETION
    }
    if asked and not any(asked.values()):
        return Conversations(by_call={})
    found: dict[int, Conversation] = {}
    try:
        search, prompts = _search(folder)

        def keep(call: Call) -> None:
            sent = asked.get(call.index)
            # A program to begin with (`--start-from`) was nobody's answer.
            if sent or call.index not in asked:
                found[call.index] = _conversation(call.request, prompts, sent)

        replay(search, records, on_call=keep)
    except CwmError as error:
        return Conversations(by_call=found, problem=str(error))
    return Conversations(by_call=found)


def _search(folder: RunFolder) -> tuple[ProgramSearch, PromptConfig]:
    """Returns a run's search without any call, and how its prompts are made."""
    if is_program_run(folder.path):
        _, search = recorded_search(folder.path)
        settings = config_from_json(
            folder.read_json(folder.config), ProgramRunConfig(), name=str(folder.config)
        )
        return search, settings.models.prompts
    config = load_config(folder.config, RunConfig())
    search = make_search(config, load_dataset(folder.dataset))
    return search, config.models.prompts


def _conversation(
    request: ProposalRequest, prompts: PromptConfig, sent: dict[str, Any] | None
) -> Conversation:
    continues = bool(sent and sent.get("continues_assistant"))
    prompt = render(request, prompts, continues=continues)
    messages = [ChatMessage("system", prompt.system), ChatMessage("user", prompt.user)]
    if prompt.assistant:
        messages.append(ChatMessage("assistant", prompt.assistant))
    is_as_sent = None
    if sent is not None and "messages_sha256" in sent:
        again = ChatRequest(model="", messages=tuple(messages)).messages_hash
        is_as_sent = again == sent["messages_sha256"]
    return Conversation(
        messages=tuple((message.role, message.content) for message in messages),
        is_as_sent=is_as_sent,
    )
