"""Gaussian noise whose neighbours in time resemble each other."""

import numpy as np

from cwm.core.protocols import FloatArray


def colored_noise(
    rng: np.random.Generator, *, number: int, horizon: int, size: int, exponent: float
) -> FloatArray:
    """Returns standard normal numbers with a power spectrum `1 / f**exponent`.

    Made in the frequency domain (Timmer and Koenig, 1995), as in iCEM
    (https://arxiv.org/abs/2008.06389, Section 3.1). Each number by itself has mean 0
    and variance 1, whatever the exponent; only how they hang together in time differs.
    The constant part counts as the slowest wave that fits into the horizon.

    Args:
        rng: Advanced by the call.
        number: Sequences `N`.
        horizon: Their length `H`.
        size: Independent elements `D` of each step.
        exponent: 0 is white noise; the larger, the slower the changes.

    Returns:
        `[N, H, D]`.
    """
    if exponent == 0.0:
        return rng.standard_normal((number, horizon, size))
    num_waves = horizon // 2 + 1
    waves = np.arange(num_waves, dtype=np.float64)
    waves[0] = 1.0
    amplitudes = waves ** (-exponent / 2)
    parts = rng.standard_normal((2, number, num_waves, size))
    # The constant and, of an even horizon, the fastest wave are real numbers, whose
    # second part is ignored. Elsewhere two parts share the power.
    is_real = np.zeros(num_waves, dtype=np.bool_)
    is_real[0] = True
    is_real[-1] |= horizon % 2 == 0
    power = np.where(is_real, amplitudes**2, 2 * amplitudes**2).sum()
    scale = np.where(is_real, amplitudes, amplitudes / np.sqrt(2)) / np.sqrt(power)
    parts *= scale[:, np.newaxis] * horizon
    series: FloatArray = np.fft.irfft(parts[0] + 1j * parts[1], n=horizon, axis=1)
    return series
