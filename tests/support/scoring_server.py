"""A local server that repeats prompts with log-probabilities, rightly or wrongly.

Its tokens are single characters, and the probability of one depends on it and on the
one before it, so that every number can be worked out here.
"""

from typing import Any, Literal, TypeAlias

from tests.support.openai_server import (
    NO_MODELS,
    OpenAIServer,
    Reply,
    Request,
    failure,
)

Fault: TypeAlias = Literal[
    "none",
    "shifted",
    "shifted back",
    "flat",
    "divided",
    "no echo",
    "no completions",
    "no tokenize",
    "no messages",
    "template",
]

END = "\x03"


def log_prob(before: str, token: str) -> float:
    """The true log-probability; of the next letter of the alphabet it is high."""
    return -0.01 if ord(token) == ord(before) + 1 else -((ord(token) % 7) + 1.0)


def next_token(text: str) -> str:
    return chr(ord(text[-1]) + 1)


class ScoringServer(OpenAIServer):
    """The server; `fault` says what is wrong with it, with which status."""

    def __init__(
        self, fault: Fault = "none", *, status: int = 404, models: Reply = NO_MODELS
    ) -> None:
        self.fault = fault
        self.status = status
        super().__init__(
            [],
            models=models,
            others={"/v1/completions": self._complete, "/tokenize": self._tokenize},
        )

    def _tokenize(self, request: Request) -> Reply:
        if self.fault == "no tokenize":
            return failure(404, "Not Found")
        if self.fault == "no messages":
            return failure(self.status, "prompt: field required")
        text = ""
        for message in request["messages"]:
            text += f"[{message['role']}]{message['content']}{END}\n"
        if request["continue_final_message"]:
            text = text[: -len(END) - 1]
        if request["add_generation_prompt"]:
            text += "[assistant]"
        if self.fault == "template" and not request["add_generation_prompt"]:
            text = "!" + text
        ids = [ord(character) for character in text]
        return Reply(body={"tokens": ids, "token_strs": list(text)})

    def _complete(self, request: Request) -> Reply:
        if self.fault == "no completions":
            return failure(self.status, "The model does not exist")
        prompt = request["prompt"]
        text = prompt if isinstance(prompt, str) else "".join(map(chr, prompt))
        written = text + next_token(text)
        values = [None, *map(log_prob, written, written[1:])]
        if self.fault == "flat":
            values = [None] + [-1.0] * (len(written) - 1)
        if not request["echo"]:
            return _choice([written[-1]], [values[-1]])
        if self.fault == "no echo":
            return Reply(body={"choices": [{"text": "x", "logprobs": None}]})
        if self.fault == "shifted":
            values = [None, None, *values[1:-1]]
        if self.fault == "shifted back":
            values = [*values[1:], -1.0]
        if self.fault == "divided":
            return _choice([text[:-1], text[-1]], [None, -1.0])
        return _choice(list(written), values)


def _choice(tokens: list[str], values: list[Any]) -> Reply:
    logprobs = {"tokens": tokens, "token_logprobs": values}
    return Reply(body={"choices": [{"text": "".join(tokens), "logprobs": logprobs}]})
