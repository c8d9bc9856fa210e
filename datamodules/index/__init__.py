"""Which cases a data set has, what its card states, and how it is split."""
