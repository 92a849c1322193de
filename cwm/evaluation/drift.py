"""Where a world model goes that is never told what really happened.

It starts from the first observation of a real episode and gets the actions that were
done; what it predicts is what it goes on from. Programs do so in the sandbox.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Any

from cwm.core.protocols import ModelError, StepResult, WorldModel
from cwm.core.seeding import child_rng
from cwm.core.spaces import Value
from cwm.core.trajectories import Transition, batch_trajectories
from cwm.evaluation.episodes import EpisodeResult
from cwm.evaluation.guard import PredictionError, PredictionJudge
from cwm.evaluation.held_program import ProgramLost
from cwm.evaluation.opened_program import opened_program
from cwm.evaluation.setups import Setup
from envs.snapshots import open_with_snapshots
from envs.spec import EnvSpec
from envs.true_model import TrueModel


@dataclass(frozen=True, kw_only=True)
class Drift:
    """What a model says would come of the actions of a real episode.

    Attributes:
        predictions: Its steps, as far as it goes.
        errors: How wrong each of them is.
        ending: Why it goes no further than this, as a sentence; empty if it goes as
            far as it was asked to.
    """

    predictions: tuple[StepResult, ...]
    errors: tuple[PredictionError, ...]
    ending: str


def transitions_of(
    spec: EnvSpec, episode: EpisodeResult, max_steps: int
) -> tuple[Transition, ...]:
    """Returns the real steps of an episode, `max_steps` of them at most."""
    batch = batch_trajectories(
        [episode.trajectory], spec.observation_space, spec.action_space
    )
    return tuple(batch.transition(i) for i in range(min(len(batch), max_steps)))


def follow(setup: Setup, episode: EpisodeResult, *, max_steps: int) -> Drift:
    """Returns what the model of a setup says of an episode.

    Args:
        setup: What acted; its model is not `random`. Its time limit of a decision
            (`limits.wall_s`) holds for the whole of it.
        episode: One of its episodes.
        max_steps: Steps to follow, at most.

    Raises:
        ConfigError: If the environment cannot be a model, or a model that opens itself
            is none of this environment.
        SandboxUnavailable: If programs cannot be run here.
    """
    spec = setup.environment.find()
    transitions = transitions_of(spec, episode, max_steps)
    judge = PredictionJudge(spec.observation_space, spec.action_space, setup.tolerances)
    try:
        with _opened(setup, spec, episode, transitions[0].observation) as (model, at):
            return _followed(model, at, transitions, judge, episode.seed)
    except ProgramLost as lost:
        return Drift(predictions=(), errors=(), ending=str(lost))


def _followed(
    model: WorldModel,
    state: Any,
    transitions: Sequence[Transition],
    judge: PredictionJudge,
    seed: int,
) -> Drift:
    rng = child_rng(seed, "drift")
    predictions: list[StepResult] = []
    errors: list[PredictionError] = []
    ending = ""
    for transition in transitions:
        if predictions and predictions[-1].terminated:
            ending = "The model says that the episode is over."
            break
        try:
            step = model.step(state, transition.action, rng)
        except (ModelError, ProgramLost) as error:
            ending = f"The model has no answer. {error}"
            break
        predictions.append(step)
        errors.append(judge.judge(step, transition))
        state = step.next_state
    return Drift(predictions=tuple(predictions), errors=tuple(errors), ending=ending)


@contextmanager
def _opened(
    setup: Setup, spec: EnvSpec, episode: EpisodeResult, first: Value
) -> Iterator[tuple[WorldModel, Any]]:
    """Yields a model and the state in which an episode begins.

    Raises:
        ProgramLost: If a program cannot be opened.
    """
    with ExitStack() as stack:
        if setup.kind == "true":
            true = stack.enter_context(closing(TrueModel(spec, setup.seed)))
            env = stack.enter_context(closing(open_with_snapshots(spec, setup.seed)))
            env.reset(episode.seed)
            yield true, true.state_of(env, first)
            return
        if setup.model is not None:
            yield stack.enter_context(setup.model.open(spec)), first
            return
        assert setup.kind == "program", "random actions have no model"
        # The session is all that is asked of it.
        opened = opened_program(
            setup.source,
            spec,
            limits=setup.limits,
            isolation=setup.isolation,
            capabilities=setup.capabilities,
            session_s=setup.limits.wall_s,
        )
        yield stack.enter_context(opened).model, first
