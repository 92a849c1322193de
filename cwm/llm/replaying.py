"""A chat model that answers from the journal of an earlier run, and from nothing else.

What a run's proposer stores beside each completion (`requests.request_annotation`)
is what its answers are found by: the hash of the full request.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cwm.core.errors import DataError, LLMError
from cwm.core.journal import Record, read_journal
from cwm.llm.caching import without_cost
from cwm.llm.chat import DEFAULT_SAMPLING, ChatCompletion, ChatMessage
from cwm.llm.requests import REFUSED, ChatRequest, canonical_json

# Packages above this one write runs; a test compares these names with theirs.
JOURNAL: Final = "journal.jsonl"
COMPLETION: Final = "completion"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """A recorded completion.

    Attributes:
        call: The call that it answered.
        request_hash: Hash of its request.
        request: The request without its messages, and their hash.
        completion: The answer.
        refused: Why the service gave none to this prompt; empty if it did.
    """

    call: int
    request_hash: str
    request: Mapping[str, Any]
    completion: ChatCompletion
    refused: str


class ReplayChatModel:
    """Answers the requests of a recorded run with what that run was told.

    Nothing is asked and nothing is spent; a request that was not recorded is an
    error. Model and endpoint are those of the recording: a request is found if all
    else in it is the same.
    """

    def __init__(self, run: Path) -> None:
        """Reads the recorded completions.

        Args:
            run: Folder of the run.

        Raises:
            DataError: If its journal cannot be read, or holds no completion of a
                language model with its request.
        """
        self._run = run
        content = read_journal(run / JOURNAL)
        self._answers = [
            answer
            for record in content.records
            if (answer := _read(record)) is not None
        ]
        if not self._answers:
            raise DataError(
                f"{str(run / JOURNAL)!r} must hold completions of a language model, "
                "got none with its request."
            )
        self._by_hash: dict[str, _Answer] = {}
        for answer in self._answers:
            self._by_hash.setdefault(answer.request_hash, answer)
        askers = {
            canonical_json([a.request["model"], a.request["identity"]]): a.request
            for a in self._answers
        }
        self._askers = list(askers.values())

    @property
    def name(self) -> str:
        """Whose answers they are."""
        models = dict.fromkeys(str(asker["model"]) for asker in self._askers)
        return f"replay of {', '.join(models)}"

    @property
    def continues_assistant(self) -> bool:
        """Whether the recorded run had messages of the assistant's continued."""
        return any(answer.request["continues_assistant"] for answer in self._answers)

    def complete(
        self,
        messages: Sequence[ChatMessage],
        *,
        num_completions: int = 1,
        temperature: float = DEFAULT_SAMPLING.temperature,
        top_p: float = DEFAULT_SAMPLING.top_p,
        max_tokens: int = DEFAULT_SAMPLING.max_tokens,
        stop: Sequence[str] = (),
        seed: int | None = None,
    ) -> list[ChatCompletion]:
        """Returns the recorded answer; see `ChatModel.complete`.

        Raises:
            LLMError: If this request was not recorded, or was refused then.
        """
        requests = [
            ChatRequest(
                model=str(asker["model"]),
                identity=asker["identity"],
                messages=tuple(messages),
                num_completions=num_completions,
                temperature=temperature,
                top_p=top_p,
                max_tokens=max_tokens,
                stop=tuple(stop),
                seed=seed,
            )
            for asker in self._askers
        ]
        for request in requests:
            found = self._by_hash.get(request.request_hash)
            if found is not None and found.refused:
                raise LLMError(found.refused, retryable=False, is_about_prompt=True)
            if found is not None:
                return [without_cost(found.completion)]
        raise LLMError(self._not_recorded(requests[0]), retryable=False)

    def _not_recorded(self, request: ChatRequest) -> str:
        return (
            f"Run {str(self._run)!r} has no answer to request "
            f"{request.request_hash[:12]} (seed {request.seed}): "
            f"{self._difference(request)}. It holds {len(self._answers)} answers. "
            f"Replay with the run's own settings (--config "
            f"{self._run / 'config.json'}), or name the model to go on with it."
        )

    def _difference(self, request: ChatRequest) -> str:
        """Returns how the request differs from the recorded one that is nearest."""
        same = [
            answer
            for answer in self._answers
            if answer.request["messages_sha256"] == request.messages_hash
        ]
        if not same:
            return "none was recorded with this prompt"
        asked = request.settings_to_json()
        # Every recorded model was tried: it is not what differs.
        names = [name for name in asked if name not in ("model", "identity")]

        def differing(answer: _Answer) -> list[str]:
            return [n for n in names if asked[n] != answer.request.get(n)]

        nearest = min(same, key=lambda answer: len(differing(answer)))
        told = ", ".join(
            f"{name} is {asked[name]!r}, not {nearest.request.get(name)!r}"
            for name in differing(nearest)
        )
        return f"call {nearest.call} had this prompt, but {told or 'another model'}"


def _read(record: Record) -> _Answer | None:
    """Returns the answer in a record; `None` if it is not one of a language model."""
    if record.kind != COMPLETION:
        return None
    body = record.body
    annotation, usage = body["annotation"], body["usage"]
    if "request" not in annotation or "request_hash" not in annotation:
        return None
    saved = annotation.get("saved", {})
    return _Answer(
        call=int(body["call"]),
        request_hash=str(annotation["request_hash"]),
        request=annotation["request"],
        completion=ChatCompletion(
            text=str(body["text"]),
            finish_reason=annotation["finish_reason"],
            model=str(annotation["model"]),
            has_estimated_tokens=bool(annotation.get("has_estimated_tokens", False)),
            # A run that was itself served from a store had spent nothing.
            prompt_tokens=usage["prompt_tokens"] + saved.get("prompt_tokens", 0),
            completion_tokens=usage["completion_tokens"]
            + saved.get("completion_tokens", 0),
        ),
        refused=str(annotation.get(REFUSED, "")),
    )
