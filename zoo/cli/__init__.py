"""The command line `zoo`. `zoo.cli.main` dispatches; torch is imported only by the verbs that train or evaluate."""
