"""Programs written by a language model: the proposer of the paper."""

import time

from cwm.core.proposals import Completion, ParseFailure, ProposalRequest, Usage
from cwm.llm.chat import (
    DEFAULT_SAMPLING,
    ChatMessage,
    ChatModel,
    Positioned,
    SamplingConfig,
)
from prompts.parse import parse_completion
from prompts.render import DEFAULT_PROMPT_CONFIG, PromptConfig, render


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
    ) -> None:
        """Makes the proposer.

        Args:
            chat_model: Who answers.
            sampling: How answers are drawn.
            prompts: What the prompts show.
        """
        self._chat_model = chat_model
        self._sampling = sampling
        self._prompts = prompts

    @property
    def name(self) -> str:
        """The model's id."""
        return f"language model {self._chat_model.name}"

    def propose(self, request: ProposalRequest) -> Completion:
        """Returns the model's answer to one request.

        Raises:
            LLMError: If the service gave none.
        """
        prompt = render(request, self._prompts)
        if isinstance(self._chat_model, Positioned):
            self._chat_model.move_to(request.call_index)
        start = time.perf_counter()
        (answer,) = self._chat_model.complete(
            [ChatMessage("system", prompt.system), ChatMessage("user", prompt.user)],
            num_completions=1,
            temperature=self._sampling.temperature,
            top_p=self._sampling.top_p,
            max_tokens=self._sampling.max_tokens,
            stop=self._sampling.stop,
            seed=request.seed,
        )
        return Completion(
            text=answer.text,
            annotation={"finish_reason": answer.finish_reason},
            usage=Usage(
                prompt_tokens=answer.prompt_tokens,
                completion_tokens=answer.completion_tokens,
                seconds=time.perf_counter() - start,
            ),
        )

    def parse(
        self, completion: Completion, request: ProposalRequest
    ) -> str | ParseFailure:
        """Returns the program in the answer; see `prompts.parse`."""
        parsed = parse_completion(completion.text, prefix=request.prefix)
        was_cut = completion.annotation.get("finish_reason") == "length"
        if isinstance(parsed, ParseFailure) and was_cut:
            return ParseFailure(
                f"{parsed.reason} It reached the limit of "
                f"{self._sampling.max_tokens} tokens."
            )
        return parsed
