"""Coverage of the interval and false positives of the test without a difference; see `docs/statistics.md`.

python -m benchmarks.perf.calibration
"""

from __future__ import annotations

import sys

import numpy as np

from benchmarks.leaderboard import statistics

SUBJECTS = (6, 10, 20, 50)
SIMULATIONS = 2_000
MEAN = 0.8  # of Beta(8, 2), skewed as Dice is


def main() -> None:
    """Write one line per number of subjects."""
    rng = np.random.default_rng(0)
    for subjects in SUBJECTS:
        held = wrong = 0
        for _ in range(SIMULATIONS):
            scores = rng.beta(8, 2, subjects)
            sums = statistics.sum_subjects(scores[None, :, None], np.arange(subjects), subjects)
            low, high = statistics.interval(statistics.bootstrap([sums], 999, int(rng.integers(2**31)))[0])
            held += low <= MEAN <= high
            p = statistics.compare(scores, scores + rng.normal(0, 0.05, subjects)).p
            wrong += p is not None and p < 0.05
        shares = f"{held / SIMULATIONS:.3f} of intervals hold the mean, {wrong / SIMULATIONS:.3f} of tests err"
        sys.stdout.write(f"{subjects} subjects: {shares}\n")


if __name__ == "__main__":
    main()
