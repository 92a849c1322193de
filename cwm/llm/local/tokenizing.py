"""Conversations with given answers, as the tokens that are scored or trained on."""

from dataclasses import dataclass

from cwm.core.errors import LLMError
from cwm.llm.local.loading import LoadedModel
from cwm.llm.local.templates import ChatTemplate
from cwm.llm.scoring import ScoringRequest


@dataclass(frozen=True, slots=True)
class TokenizedText:
    """A conversation, and which of its tokens are scored.

    Attributes:
        token_ids: All its tokens.
        spans: Where each answer that is scored begins and ends (the first token after
            it), in order and apart; none begins with the text, whose first token
            follows nothing.
    """

    token_ids: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]

    @property
    def start(self) -> int:
        """Where the first answer begins."""
        return self.spans[0][0]

    @property
    def num_scored(self) -> int:
        """Tokens of the answers."""
        return sum(end - start for start, end in self.spans)

    @property
    def scored(self) -> list[int]:
        """Where the tokens of the answers stand."""
        return [place for span in self.spans for place in range(*span)]


def tokenize(
    loaded: LoadedModel,
    template: ChatTemplate,
    request: ScoringRequest,
    *,
    end_of_turn: bool,
) -> list[TokenizedText]:
    """Returns each continuation of a request with what stands before it.

    Args:
        loaded: The model that is to read it.
        template: Its chat template.
        request: The conversation and its continuations.
        end_of_turn: As in `ScoringModel.log_probs`.

    Raises:
        ValueError: If a continuation merges with the prompt's last token.
        LLMError: If a text does not fit into the context.
    """
    prompt = template.prompt(request.messages)
    prompt_ids = template.token_ids(prompt)
    ending = template.end_of_turn if end_of_turn else ""
    num_dropped = template.num_tokens_after_end if end_of_turn else 0
    texts = []
    for continuation in request.continuations:
        ids = template.token_ids(prompt + continuation + ending)
        if ids[: len(prompt_ids)] != prompt_ids:
            raise ValueError(
                "The continuation must begin where a token of the prompt ends, "
                f"got {continuation[:20]!r} after {prompt[-20:]!r}. Move blanks "
                "from the end of the prompt to the continuation."
            )
        ids = ids[: len(ids) - num_dropped]
        _check_length(loaded, len(ids))
        texts.append(TokenizedText(ids, ((len(prompt_ids), len(ids)),)))
    return texts


def _check_length(loaded: LoadedModel, num_tokens: int) -> None:
    limit = loaded.context_tokens
    # The last token is predicted and never read.
    if limit is not None and num_tokens - 1 > limit:
        raise LLMError(
            f"The context of {loaded.name} is {limit} tokens, got a text of "
            f"{num_tokens}.",
            retryable=False,
            is_about_prompt=True,
        )
