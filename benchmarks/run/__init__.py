"""How the jobs of a plan are run, on this machine or on a cluster."""
