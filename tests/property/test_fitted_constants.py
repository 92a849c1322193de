"""Constants of drawn systems are found, and lie in their intervals."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cwm.programs.constants.config import FitConfig
from cwm.programs.constants.fitting import fit
from cwm.programs.evaluation import open_sandbox
from sandbox.pool import Sandbox
from tests.support.known_systems import oscillator, recorded

SMOOTH = ("stiffness", "friction", "push")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with open_sandbox() as opened:
        yield opened


def rounded(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high).map(lambda value: float(f"{value:.2e}"))


constants = st.fixed_dictionaries(
    {
        "stiffness": rounded(0.1, 0.6),
        "friction": rounded(0.02, 0.2),
        "push": rounded(0.15, 0.6),
        "max_speed": st.just(50.0),
        "wall": st.just(50.0),
    }
)

few = settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.mark.slow
@few
@given(true=constants, guess=constants, seed=st.integers(0, 1_000))
def test_exact_data_give_back_the_digits_that_were_drawn(
    sandbox: Sandbox, true: dict[str, float], guess: dict[str, float], seed: int
) -> None:
    batch = recorded(oscillator(true), seed=seed, num_trajectories=6)
    config = FitConfig(num_rows=80, max_steps=80_000)
    found = fit(oscillator(guess), batch, sandbox=sandbox, config=config)
    values = {c.name: c.after for c in found.constants}
    for name in SMOOTH:
        assert values[name] == pytest.approx(true[name], rel=1e-6), name
    assert found.report.strict_after == 1.0


@pytest.mark.slow
@few
@given(true=constants, guess=constants, seed=st.integers(0, 1_000))
def test_noisy_data_give_intervals_that_hold_the_truth(
    sandbox: Sandbox, true: dict[str, float], guess: dict[str, float], seed: int
) -> None:
    batch = recorded(oscillator(true), seed=seed, noise=0.01, num_trajectories=8)
    config = FitConfig(num_rows=150, max_steps=40_000, num_starts=1)
    found = fit(oscillator(guess), batch, sandbox=sandbox, config=config)
    by_name = {c.name: c for c in found.constants}
    for name in SMOOTH:
        constant = by_name[name]
        assert constant.low is not None, name
        assert constant.high is not None, name
        # 95 % of intervals do: three times as wide, all but one in a million.
        middle = 0.5 * (constant.low + constant.high)
        reach = 1.5 * (constant.high - constant.low)
        assert abs(true[name] - middle) <= reach, name
