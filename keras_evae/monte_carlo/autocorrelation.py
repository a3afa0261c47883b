"""Means of correlated series, and their errors from the integrated autocorrelation time."""

import numpy as np

# The sum over the autocorrelation ends where it is as long as so many times its own value.
WINDOW = 6.0


def autocorrelation_time(series: np.ndarray) -> float:
    """Integrated autocorrelation time tau = 1/2 + sum of rho(t) over t > 0, in steps of the series `(n,)`.

    The sum ends at the first t above 6 tau(t) (Sokal 1997, https://doi.org/10.1007/978-1-4899-0319-8_6). Independent
    numbers have 1/2, as has a series that does not change. The largest sum up to there counts: the mean of a short
    series follows its drift, which makes later terms negative.
    """
    deviations = np.asarray(series, np.float64) - np.mean(series)
    n = len(deviations)
    # A rounding error is no fluctuation.
    if n < 2 or not np.ptp(series) > 1e-12 * np.abs(series).max():
        return 0.5
    spectrum = np.abs(np.fft.rfft(deviations, 2 * n)) ** 2
    covariance = np.fft.irfft(spectrum, 2 * n)[:n] / np.arange(n, 0, -1)
    times = np.cumsum(covariance / covariance[0]) - 0.5
    enough = np.flatnonzero(np.arange(n) >= WINDOW * times)
    return float(times[: enough[0] + 1 if len(enough) else n].max())


def mean_and_error(series: np.ndarray) -> tuple[float, float]:
    """Mean of a series `(n,)`, and its standard error sqrt(2 tau variance / n); NaN where there are too few.

    Deviations of a function of means, its gradient times those of the series, have the error of that function.
    """
    if len(series) < 2:
        return (float(series[0]) if len(series) else np.nan), np.nan
    return float(np.mean(series)), float(np.sqrt(2.0 * autocorrelation_time(series) * np.var(series) / len(series)))
