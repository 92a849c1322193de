"""What earlier answers from the same starting point came to, as text."""

from cwm.core.proposals import ProposalRequest
from prompts.config import PromptConfig
from prompts.values import shorten

_MAX_LINE_CHARS = 200


def describe_history(request: ProposalRequest, config: PromptConfig) -> str:
    """Returns what the model is told of earlier answers; `""` if there is nothing.

    A repeated program is a wasted call, so a model that gave one is told. The text
    ends with an empty line.
    """
    if config.is_plain:
        return ""
    parts = [_attempts(request), _unchanged(request), _earlier(request, config)]
    return "".join(f"{part}\n\n" for part in parts if part)


def _attempts(request: ProposalRequest) -> str:
    if request.attempt == 0:
        return ""
    times = "once" if request.attempt == 1 else f"{request.attempt} times"
    return (
        f"This was already tried {times} from the same starting point, and the search "
        "came back: take another approach than the most obvious one."
    )


def _unchanged(request: ProposalRequest) -> str:
    count = request.num_unchanged
    if count == 0:
        return ""
    if count == 1:
        head = "The last answer changed nothing: it was"
    else:
        head = f"{count} earlier answers changed nothing: they were"
    return (
        f"{head} the same program again, apart from comments and formatting. That "
        "cannot score differently. Decide first which line has to compute something "
        "else, and make sure that it does."
    )


def _earlier(request: ProposalRequest, config: PromptConfig) -> str:
    told = [" ".join(line.split()) for line in request.earlier if line.strip()]
    shown = told[max(0, len(told) - config.max_earlier) :]
    if not shown:
        return ""
    head = "Earlier answers from this starting point, the oldest first:"
    return "\n".join([head, *(f"- {shorten(s, _MAX_LINE_CHARS)}" for s in shown)])
