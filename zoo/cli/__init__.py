"""The command line `zoo`. `zoo.cli.main` finds the command; only verbs that train or evaluate import torch."""
