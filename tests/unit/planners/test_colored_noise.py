import numpy as np
import pytest

from planners.colored_noise import colored_noise


def draw(exponent, *, number=4_000, horizon=16, size=2, seed=0):
    return colored_noise(
        np.random.default_rng(seed),
        number=number,
        horizon=horizon,
        size=size,
        exponent=exponent,
    )


@pytest.mark.parametrize("horizon", [1, 2, 3, 8, 9])
@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.5])
def test_each_number_has_mean_0_and_variance_1(horizon, exponent):
    noise = draw(exponent, number=20_000, horizon=horizon)
    assert noise.shape == (20_000, horizon, 2)
    assert np.abs(noise.mean(axis=0)).max() < 0.04
    assert np.abs(noise.var(axis=0) - 1.0).max() < 0.06


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0])
def test_power_falls_with_that_power_of_the_frequency(exponent):
    power = (np.abs(np.fft.rfft(draw(exponent, horizon=64), axis=1)) ** 2).mean((0, 2))
    waves = np.arange(1, 32)
    slope = np.polyfit(np.log(waves), np.log(power[1:32]), 1)[0]
    assert slope == pytest.approx(-exponent, abs=0.05)


def test_correlation_of_neighbours_is_that_of_the_spectrum():
    # H = 4, exponent 2: amplitudes 1, 1, 1/2 at frequencies 0, 1, 2, so power 1, 2
    # and 1/4; a step apart they count cos 0 = 1, cos 90 deg = 0, cos 180 deg = -1.
    noise = draw(2.0, number=40_000, horizon=4)
    found = (noise[:, 1:] * noise[:, :-1]).mean()
    assert found == pytest.approx((1 - 0.25) / 3.25, abs=0.02)


def test_elements_know_nothing_of_each_other():
    noise = draw(2.0, number=20_000)
    assert abs((noise[..., 0] * noise[..., 1]).mean()) < 0.02
