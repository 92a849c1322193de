"""Programs written by a language model: the proposer of the paper."""

import contextlib
import threading
import time
from collections.abc import Callable
from typing import TypeAlias

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
    Positioned,
    SamplingConfig,
)
from cwm.llm.continuation import continues_assistant
from cwm.llm.requests import request_annotation, request_to
from cwm.llm.tokens import estimated_prompt_tokens
from prompts.parse import parse_completion
from prompts.render import DEFAULT_PROMPT_CONFIG, PromptConfig, render

Price: TypeAlias = Callable[[int, int, int], float | None]
"""Maps tokens sent, received, and sent but read before, to US dollars; `None` if the
price is not known."""

FIRST_PROMPT_TOKENS = 8_000
"""What a first prompt is taken to have at most."""

USUAL_TOKENS = 1_500
"""About what a program takes, with the words around it."""

PROMPT_GROWTH = 1.5
"""How much longer than the longest so far the next prompt is taken to be at most."""


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
        self._longest_prompt = 0
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

    def highest_usage(self) -> Usage:
        """Returns what the next call may cost at most.

        The prompt is taken to be at most half as long again as the longest so far.
        """
        longest = round(PROMPT_GROWTH * self._longest_prompt) or FIRST_PROMPT_TOKENS
        return Usage(
            prompt_tokens=longest,
            completion_tokens=self._sampling.max_tokens,
            usd=self._price(longest, self._sampling.max_tokens, 0),
        )

    def expected_usage(self, task: Task) -> Usage:
        """Returns what a call for a task is expected to cost.

        A prompt is as long as that of a first generate request with one program more
        in it; the answer is a program of usual length.
        """
        first = ProposalRequest(kind="generate", task=task)
        prompt = estimated_prompt_tokens(self._messages(first)) + USUAL_TOKENS
        completion = min(USUAL_TOKENS, self._sampling.max_tokens)
        return Usage(
            prompt_tokens=prompt,
            completion_tokens=completion,
            usd=self._price(prompt, completion, 0),
        )

    def propose(self, request: ProposalRequest) -> Completion:
        """Returns the model's answer to one request.

        Raises:
            LLMError: If the service gave none.
        """
        messages = self._messages(request)
        self._longest_prompt = max(
            self._longest_prompt, estimated_prompt_tokens(messages)
        )
        start = time.perf_counter()
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
        asked = request_to(
            self._chat_model,
            messages,
            temperature=self._sampling.temperature,
            top_p=self._sampling.top_p,
            max_tokens=self._sampling.max_tokens,
            stop=self._sampling.stop,
            seed=request.seed,
        )
        self._longest_prompt = max(self._longest_prompt, answer.prompt_tokens)
        return Completion(
            text=answer.text,
            annotation=request_annotation(asked, answer),
            usage=self._usage(answer, time.perf_counter() - start),
        )

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
        )

    def parse(
        self, completion: Completion, request: ProposalRequest
    ) -> str | ParseFailure:
        """Returns the program in the answer; see `prompts.parse`."""
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
