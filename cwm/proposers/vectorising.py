"""A language model asked for the array form of a program: one more candidate.

Its answer is as untrusted as any program, and accepted only where it equals the
original.
"""

from cwm.core.spaces import SpaceSpec
from cwm.llm.chat import ChatMessage, ChatModel
from cwm.programs.acceleration.symbols import NoFastForm
from cwm.programs.acceleration.tracing import layout_of
from prompts.acceleration import read_form, vectorise_prompt

MAX_TOKENS = 16_000


def ask_for_form(
    model: ChatModel,
    source: str,
    *,
    observation_space: SpaceSpec,
    action_space: SpaceSpec,
    seed: int = 0,
) -> str:
    """Returns a text with a class `Fast(Environment)`; empty if the answer has none.

    Args:
        model: Who is asked, once.
        source: The program.
        observation_space: Space of its observations.
        action_space: Space of its actions.
        seed: Of the model's sampling.

    Raises:
        LLMError: If the model does not answer.
    """
    try:
        state, action = layout_of(observation_space), layout_of(action_space)
    except NoFastForm:
        return ""
    prompt = vectorise_prompt(
        source,
        state=(state.shape, state.dtype),
        action=(action.shape, action.dtype),
    )
    messages = [
        ChatMessage(role="system", content=prompt.system),
        ChatMessage(role="user", content=prompt.user),
    ]
    (answer,) = model.complete(
        messages, temperature=0.0, max_tokens=MAX_TOKENS, seed=seed
    )
    return read_form(answer.text)
