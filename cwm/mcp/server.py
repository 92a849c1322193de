"""The tools of a service, by the Model Context Protocol.

Covers: schemas of arguments and answers, a short text with each answer, errors that
name what was refused. Does not cover: whatever a client may do outside of the tools.
"""

import inspect
from collections.abc import Callable
from dataclasses import asdict
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypeAlias

from pydantic import Field

from cwm import __version__
from cwm.core.errors import CwmError, InternalError, PrerequisiteError
from cwm.mcp.acting import PlannerChoice
from cwm.mcp.answers import (
    Acted,
    FinalScore,
    SearchStatus,
    TaskDescription,
    Verification,
    WrongPredictions,
)
from cwm.mcp.service import VerifierService
from cwm.mcp.tool_server import tool_server_class
from sandbox.errors import SandboxUnavailable

if TYPE_CHECKING:
    from mcp.server import MCPServer
    from mcp_types import CallToolResult

NAME = "code-world-models"

INSTRUCTIONS = """\
Write a world model: a Python program that predicts what an environment does next. \
Call describe first: it says what the program must look like and shows recorded \
transitions. Then verify programs; they run in a sandbox on recorded transitions. \
counterexamples shows what a program predicts wrongly. plan acts in the real \
environment by planning in the program. finish scores one program on held-out \
transitions, once, and ends the work. Programs are given as text, never as paths.\
"""

Source = Annotated[str, Field(description="The whole program, as text.")]

_RUNS = {"read_only_hint": False, "destructive_hint": False, "idempotent_hint": True}
_READS = {"read_only_hint": True}
_ENDS = {"read_only_hint": False, "destructive_hint": True}


class Answer(Protocol):
    """What a service answers: a dataclass with a text."""

    def text(self) -> str:
        """Returns the answer for people."""
        ...


Tool: TypeAlias = tuple[Callable[..., Any], dict[str, Any]]
"""A function with what clients may know of it before they call it."""


def check_protocol() -> None:
    """Makes sure, before the work, that the protocol can be spoken.

    Raises:
        PrerequisiteError: If its package is not installed.
    """
    try:
        import_module("mcp.server.mcpserver")
    except ImportError as error:
        raise PrerequisiteError(
            "Serving agents needs the extra [mcp]. Run: pip install 'mcp>=2'"
        ) from error


def make_server(service: VerifierService, *, is_told: bool) -> "MCPServer[Any]":
    """Returns a server whose tools are those of a service; it does not run yet.

    Args:
        service: The service.
        is_told: Whether what the server does is told on standard error.
    """
    from mcp_types import ToolAnnotations  # noqa: PLC0415 - of an extra

    server: MCPServer[Any] = tool_server_class()(
        NAME,
        instructions=INSTRUCTIONS,
        version=__version__,
        log_level="INFO" if is_told else "WARNING",
    )
    for function, hints in (*_reading_tools(service), *_running_tools(service)):
        text = inspect.cleandoc(function.__doc__ or "")
        told = ToolAnnotations(open_world_hint=False, **hints)
        server.add_tool(function, description=text, annotations=told)
    return server


def _reading_tools(service: VerifierService) -> list[Tool]:
    from mcp_types import CallToolResult  # noqa: PLC0415

    def describe() -> Annotated[CallToolResult, TaskDescription]:
        """Says what is to be modelled.

        The form of a program, the environment in words, its spaces, and recorded
        transitions. Costs no call.
        """
        return _answered(service.describe)

    def synthesize_status() -> Annotated[CallToolResult, SearchStatus]:
        """Says where the run's own search stands, and what was tried here.

        Costs no call.
        """
        return _answered(service.synthesize_status)

    return [(describe, _READS), (synthesize_status, _READS)]


def _running_tools(service: VerifierService) -> list[Tool]:
    from mcp_types import CallToolResult  # noqa: PLC0415

    def verify(source: Source) -> Annotated[CallToolResult, Verification]:
        """Says what a program is worth on training and validation transitions.

        It runs in a sandbox. The answer has its score, the accuracy of each part of a
        transition, and errors with their line.
        """
        return _answered(lambda: service.verify(source))

    def counterexamples(
        source: Source,
        limit: Annotated[int, Field(description="How many, from 1 to 8.")] = 5,
    ) -> Annotated[CallToolResult, WrongPredictions]:
        """Shows training transitions that a program predicts wrongly.

        Each with what must be and what the program gave, chosen to differ.
        """
        return _answered(lambda: service.counterexamples(source, limit))

    def plan(
        source: Source,
        episodes: Annotated[int, Field(description="How many; at least 1.")] = 1,
        max_steps: Annotated[
            int | None, Field(description="Where an episode is cut off.")
        ] = None,
        planner: Annotated[
            PlannerChoice, Field(description="auto chooses by the actions.")
        ] = "auto",
    ) -> Annotated[CallToolResult, Acted]:
        """Acts in the real environment by planning in a program.

        The answer has the returns, and how many real steps the program had wrong.
        """
        return _answered(
            lambda: service.plan(
                source, episodes=episodes, max_steps=max_steps, planner=planner
            )
        )

    def finish(source: Source) -> Annotated[CallToolResult, FinalScore]:
        """Scores one program on held-out transitions, once, and ends the work.

        No tool runs a program afterwards. Call it when nothing is left to improve.
        """
        return _answered(lambda: service.finish(source))

    running: list[Tool] = [(verify, _RUNS), (counterexamples, _RUNS), (plan, _RUNS)]
    return [*running, (finish, _ENDS)]


def _answered(call: Callable[[], Answer]) -> "CallToolResult":
    """Returns an answer with its text; what was refused becomes the tool's error.

    Whatever else is raised is a bug of ours: the client is told no more than that.
    """
    from mcp.server.mcpserver.exceptions import ToolError  # noqa: PLC0415
    from mcp_types import CallToolResult, TextContent  # noqa: PLC0415

    try:
        answer = call()
    except InternalError:
        raise
    except (CwmError, SandboxUnavailable) as error:
        raise ToolError(str(error)) from error
    plain: Any = answer
    return CallToolResult(
        content=[TextContent(type="text", text=answer.text())],
        structured_content=asdict(plain),
    )
