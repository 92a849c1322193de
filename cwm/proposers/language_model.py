"""Programs written by a language model: the proposer of the paper."""

import contextlib
import threading
import time
from collections.abc import Callable
from typing import TypeAlias

from cwm.core.errors import LLMError
from cwm.core.proposals import (
    Completion,
    ParseFailure,
    ProposalRequest,
    Task,
    Usage,
)
from cwm.llm.chat import (
    DEFAULT_SAMPLING,
    ChatCompletion,
    ChatMessage,
    ChatModel,
    Closable,
    Positioned,
    SamplingConfig,
)
from cwm.llm.continuation import continues_assistant
from cwm.llm.requests import REFUSED, request_annotation, request_to
from cwm.llm.tokens import BYTES_PER_TOKEN, estimated_prompt_tokens
from prompts.parse import parse_completion
from prompts.render import DEFAULT_PROMPT_CONFIG, PromptConfig, render

Price: TypeAlias = Callable[[int, int, int], float | None]
"""Maps tokens sent, received, and sent but read before, to US dollars; `None` if the
price is not known."""

USUAL_TOKENS = 1_500
"""About what a program takes, with the words around it."""


def unknown_price(prompt: int, completion: int, reused: int) -> float | None:
    """Knows no price."""
    return None


class LanguageModelProposer:
    """Asks a chat model for each program, with one prompt template for each kind.

    Makes one call with one completion for each request; retries after a passing
    failure of the service are the chat model's and not counted.
    """

    def __init__(
        self,
        chat_model: ChatModel,
        sampling: SamplingConfig = DEFAULT_SAMPLING,
        prompts: PromptConfig = DEFAULT_PROMPT_CONFIG,
        price: Price = unknown_price,
    ) -> None:
        """Makes the proposer.

        Args:
            chat_model: Who answers.
            sampling: How answers are drawn.
            prompts: What the prompts show.
            price: What a call costs.
        """
        self._chat_model = chat_model
        self._sampling = sampling
        self._prompts = prompts
        self._price = price
        self._rendered: dict[int, list[ChatMessage]] = {}
        # A model whose answers depend on how many calls came before has one at a time.
        self._turn: contextlib.AbstractContextManager[object] = (
            threading.Lock()
            if isinstance(chat_model, Positioned)
            else contextlib.nullcontext()
        )

    @property
    def name(self) -> str:
        """The model's id."""
        return f"language model {self._chat_model.name}"

    def expected_usage(self, task: Task) -> tuple[Usage, Usage]:
        """Returns what a call for a task is expected to cost, and at most.

        Expected is a prompt as long as that of a first generate request with one
        program more in it, and a program of usual length; at most, all that a prompt
        may show, and the longest answer.
        """
        first = ProposalRequest(kind="generate", task=task)
        prompt = estimated_prompt_tokens(self._messages(first))
        shown = self._prompts
        most_chars = (
            shown.max_program_chars
            + shown.max_failure_chars
            + shown.num_counterexamples * 6 * shown.max_value_chars
        )
        longest = self._sampling.max_tokens
        expected = self._cost(prompt + USUAL_TOKENS, min(USUAL_TOKENS, longest))
        highest = self._cost(prompt + most_chars // BYTES_PER_TOKEN, longest)
        return expected, highest

    def highest_usage(self, request: ProposalRequest) -> Usage:
        """Returns what answering a request may cost at most.

        The length of its prompt is an estimate that errs upwards.
        """
        messages = self._messages(request)
        # `propose` comes next, from any thread, and need not render it again.
        self._rendered[request.call_index] = messages
        return self._cost(estimated_prompt_tokens(messages), self._sampling.max_tokens)

    def _cost(self, prompt_tokens: int, completion_tokens: int) -> Usage:
        return Usage(
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            usd=self._price(prompt_tokens, completion_tokens, 0),
        )

    def close(self) -> None:
        """Ends what is on its way; see `cwm.llm.chat.Closable`."""
        if isinstance(self._chat_model, Closable):
            self._chat_model.close()

    def propose(self, request: ProposalRequest) -> Completion:
        """Returns the model's answer to one request.

        A prompt that is refused because of what it holds, such as a program that
        does not fit into the model's context, gets an empty answer that says so: the
        tree goes on elsewhere. One without a program in it holds the task alone, and
        no other prompt is shorter: that is an error.

        Raises:
            LLMError: If the service gave none.
        """
        messages = self._rendered.pop(request.call_index, None)
        if messages is None:
            messages = self._messages(request)
        refused: dict[str, str] = {}
        start = time.perf_counter()
        try:
            answer = self._complete(messages, request)
        except LLMError as error:
            holds_program = request.parent is not None or bool(request.prefix)
            if not (error.is_about_prompt and holds_program):
                raise
            answer = ChatCompletion(text="", finish_reason="other")
            refused = {REFUSED: str(error)}
        asked = request_to(
            self._chat_model,
            messages,
            temperature=self._sampling.temperature,
            top_p=self._sampling.top_p,
            max_tokens=self._sampling.max_tokens,
            stop=self._sampling.stop,
            seed=request.seed,
        )
        return Completion(
            text=answer.text,
            annotation={**request_annotation(asked, answer), **refused},
            usage=self._usage(answer, time.perf_counter() - start),
        )

    def _complete(
        self, messages: list[ChatMessage], request: ProposalRequest
    ) -> ChatCompletion:
        with self._turn:
            if isinstance(self._chat_model, Positioned):
                self._chat_model.move_to(request.call_index)
            (answer,) = self._chat_model.complete(
                messages,
                num_completions=1,
                temperature=self._sampling.temperature,
                top_p=self._sampling.top_p,
                max_tokens=self._sampling.max_tokens,
                stop=self._sampling.stop,
                seed=request.seed,
            )
        return answer

    def _messages(self, request: ProposalRequest) -> list[ChatMessage]:
        continues = bool(request.prefix) and continues_assistant(self._chat_model)
        prompt = render(request, self._prompts, continues=continues)
        messages = [
            ChatMessage("system", prompt.system),
            ChatMessage("user", prompt.user),
        ]
        if prompt.assistant:
            messages.append(ChatMessage("assistant", prompt.assistant))
        return messages

    def _usage(self, answer: ChatCompletion, seconds: float) -> Usage:
        return Usage(
            prompt_tokens=answer.prompt_tokens,
            completion_tokens=answer.completion_tokens,
            seconds=seconds,
            usd=self._price(
                answer.prompt_tokens,
                answer.completion_tokens,
                answer.reused_prompt_tokens,
            ),
            saved_tokens=answer.saved_prompt_tokens + answer.saved_completion_tokens,
        )

    def parse(
        self, completion: Completion, request: ProposalRequest
    ) -> str | ParseFailure:
        """Returns the program in the answer; see `prompts.parse`."""
        if (refused := completion.annotation.get(REFUSED)) is not None:
            return ParseFailure(f"There is no answer. {refused}")
        parent = "" if request.parent is None else request.parent.source
        asked = completion.annotation.get("request", {})
        parsed = parse_completion(
            completion.text,
            prefix=request.prefix,
            parent=parent,
            continues=bool(asked.get("continues_assistant")),
            program=request.task.program,
        )
        was_cut = completion.annotation.get("finish_reason") == "length"
        if isinstance(parsed, ParseFailure) and was_cut:
            return ParseFailure(
                f"{parsed.reason} It reached the limit of "
                f"{self._sampling.max_tokens} tokens."
            )
        return parsed
