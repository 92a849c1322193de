"""A program in the sandbox as a world model here, for as long as it is entered."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace

from cwm.evaluation.deciders import SandboxSettings
from cwm.evaluation.held_program import HeldProgram
from cwm.evaluation.plan_messages import PlanningRequest
from cwm.evaluation.session_model import SessionModel, session_model
from cwm.programs.rollouts import model_spec
from envs.spec import EnvSpec
from sandbox.isolation import Level
from sandbox.limits import Limits


@dataclass(frozen=True, slots=True)
class OpenedProgram:
    """A program and the model that it is.

    Attributes:
        held: The program; `ensure_open` opens it again when it is lost.
        model: It, as planners have it.
    """

    held: HeldProgram
    model: SessionModel


@contextmanager
def opened_program(
    source: str,
    spec: EnvSpec,
    *,
    limits: Limits,
    isolation: Level,
    capabilities: Sequence[str] = (),
    session_s: float | None = None,
) -> Iterator[OpenedProgram]:
    """Yields a program that predicts what an environment does.

    Args:
        source: The program.
        spec: The environment, for its spaces.
        limits: Limits; `wall_s` is for each answer.
        isolation: Weakest isolation that is acceptable.
        capabilities: What it may use besides NumPy (`sandbox.opt_in`).
        session_s: Longest life of its process, instead of that of the limits.

    Raises:
        ProgramLost: If it cannot be opened.
        SandboxUnavailable: If programs cannot be run here.
    """
    if session_s is not None:
        limits = replace(limits, session_s=session_s)
    settings = SandboxSettings(
        limits=limits, isolation=isolation, capabilities=tuple(capabilities)
    )
    spaces = (spec.observation_space, spec.action_space)
    request = PlanningRequest(model=model_spec(source, *spaces, 0), planner=None)
    with settings.for_program(source).make() as sandbox:
        held = HeldProgram(sandbox, source, request, limits=limits)
        with closing(held):
            held.ensure_open()
            yield OpenedProgram(held, session_model(held, *spaces))
