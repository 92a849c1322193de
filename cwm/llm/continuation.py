"""Chat models that go on where an answer was begun for them."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class ContinuesAssistant(Protocol):
    """A chat model that can take the beginning of its own answer."""

    @property
    def continues_assistant(self) -> bool:
        """Whether a last message of role `assistant` is continued, not answered.

        The completion is then the text that follows that message, without it.
        """
        ...


def continues_assistant(model: object) -> bool:
    """Returns whether a model continues a last message of role `assistant`.

    A local model is loaded to find out.
    """
    return isinstance(model, ContinuesAssistant) and model.continues_assistant
