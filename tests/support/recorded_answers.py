"""A run folder that holds nothing but a journal with a language model's answers."""

from pathlib import Path

from cwm.core.journal import Journal
from cwm.core.proposals import Completion, Usage
from cwm.llm.chat import ChatMessage, ChatModel
from cwm.llm.requests import request_annotation, request_to


def record_answers(
    run: Path, model: ChatModel, prompts: list[list[ChatMessage]], **settings: object
) -> list[str]:
    """Asks each prompt, with its index as the seed, and journals the answers."""
    run.mkdir()
    texts = []
    with Journal(run / "journal.jsonl") as journal:
        journal.append("run_started", {})
        for call, messages in enumerate(prompts):
            (answer,) = model.complete(messages, seed=call, **settings)  # type: ignore[arg-type]
            asked = request_to(model, messages, seed=call, **settings)  # type: ignore[arg-type]
            completion = Completion(
                text=answer.text,
                annotation=request_annotation(asked, answer),
                usage=Usage(
                    prompt_tokens=answer.prompt_tokens,
                    completion_tokens=answer.completion_tokens,
                ),
            )
            journal.append(
                "completion",
                {
                    "call": call,
                    "text": completion.text,
                    "annotation": completion.annotation,
                    "usage": {
                        "calls": 1,
                        "prompt_tokens": completion.usage.prompt_tokens,
                        "completion_tokens": completion.usage.completion_tokens,
                    },
                },
            )
            texts.append(answer.text)
    return texts
