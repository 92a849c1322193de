"""The rod of `known_systems`, with rules that a program of it may lack."""

import numpy as np

from cwm.core.predictions import Predictions
from cwm.core.trajectories import TransitionBatch
from cwm.programs.residual.config import ResidualConfig
from cwm.programs.residual.holding_back import Halves, hold_back
from cwm.programs.residual.learning import Learned, learn
from cwm.programs.residual.parts import wrong_rows
from cwm.programs.tolerances import Tolerances
from tests.support.known_systems import TRUE, oscillator, recorded

LAW = oscillator(TRUE)
RETURN = "        return np.array([x, v], dtype=np.float32), -(x**2), terminated\n"


def world(rule: str = "", *, reward: str = "-(x**2)") -> str:
    """Returns the rod with a rule before its last line, or with another reward."""
    assert RETURN in LAW
    last = RETURN.replace("-(x**2)", f"float({reward})")
    return LAW.replace(RETURN, f"        {rule or 'pass'}\n{last}")


def data(source: str, *, seed: int = 0, num_trajectories: int = 24) -> TransitionBatch:
    """Returns transitions of a world."""
    return recorded(source, seed=seed, num_trajectories=num_trajectories)


def predicted(source: str, batch: TransitionBatch) -> Predictions:
    """Returns what a program of our own says, in this process."""
    namespace: dict[str, type] = {}
    exec(source, namespace)
    environment = namespace["Environment"]()
    following, rewards, ends = [], [], []
    for observation, action in zip(
        batch.observations[""], batch.actions[""], strict=True
    ):
        environment.set_state(observation.copy())
        result = environment.step(int(action))
        following.append(result[0])
        rewards.append(result[1])
        ends.append(result[2])
    return Predictions(
        next_observations={"": np.asarray(following, dtype=np.float32)},
        rewards=np.asarray(rewards, dtype=np.float64),
        terminated=np.asarray(ends, dtype=np.bool_),
        valid=np.ones(len(batch), dtype=np.bool_),
        messages={},
    )


def learned(
    batch: TransitionBatch,
    *,
    law: str = LAW,
    config: ResidualConfig | None = None,
    halves: Halves | None = None,
    seed: int = 0,
) -> Learned:
    """Returns what is learned on top of a law, without a sandbox."""
    config = config or ResidualConfig()
    predictions, tolerances = predicted(law, batch), Tolerances.from_batch(batch)
    wrong = wrong_rows(batch, predictions, tolerances)
    return learn(
        batch,
        predictions,
        tolerances,
        config=config,
        halves=halves
        or hold_back(batch, config.held_back_fraction, wrong=wrong, seed=seed),
    )
