"""An emphasis density for an estimated amount of label noise."""

from __future__ import annotations

from noisyfit.weighting.checks import check_number
from noisyfit.weighting.families import DMEmphasis

# Read off runs on three data sets (docs/emphasis.png): without noise, a mild emphasis on rows not
# yet learned is best; with more, one on rows half learned; beyond this rate nothing changes.
HIGHEST_RATE = 0.3
HIGHEST_MODE = 0.5
LOWEST_VARIANCE, HIGHEST_VARIANCE = 6.0, 12.0


def emphasis_for_noise(rate: float) -> DMEmphasis:
    """Return the density of derivative manipulation that suits a rate of wrong labels.

    The mode rises in proportion to the rate, from 0 without wrong labels to 0.5 at 30 %, and stays
    there; the variance rises from 6 to 12 twice as fast.

    Parameters
    ----------
    rate : float in [0, 1]
        Share of the labels that are wrong, as `noisyfit.noise.estimate_noise` estimates it.

    Returns
    -------
    DMEmphasis

    Raises
    ------
    TypeError, ValueError
        If `rate` is no number in [0, 1].

    Examples
    --------
    >>> emphasis_for_noise(0.15)
    DMEmphasis(mode=0.25, variance=12.0)
    """
    rate = check_number("rate", rate, 0.0, 1.0)
    share = min(1.0, rate / HIGHEST_RATE)
    span = HIGHEST_VARIANCE - LOWEST_VARIANCE
    return DMEmphasis(share * HIGHEST_MODE, LOWEST_VARIANCE + min(1.0, 2 * share) * span)
