"""`zoo data`: get, prepare, verify and describe data sets."""

from datamodules.cli.main import main

__all__ = ["main"]
