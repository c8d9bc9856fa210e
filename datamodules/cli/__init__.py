"""`zoo data`: get, prepare, verify and describe data sets."""

from datamodules.cli.main import main, make_parser

__all__ = ["main", "make_parser"]
