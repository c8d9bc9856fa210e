"""`zoo app`: a local page on which an image is dropped and a sentence typed."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from zoo.cli.commands import USE
from zoo.cli.console import print_text
from zoo.cli.device import add_device, move_to_device
from zoo.cli.process import prepared_process
from zoo.errors import ConfigError
from zoo.utils.activity import set_activity
from zoo.utils.extras import advise_extra
from zoo.utils.flags import Parser


def main(argv: list[str]) -> int:
    """Run the command, until Ctrl-C.

    Args:
        argv: The words after `app`.

    Returns:
        0.
    """
    parser = Parser(prog="zoo app", description=USE["app"], allow_abbrev=False)
    add_arguments(parser)
    known = parser.parse_args(argv)
    if not 0 <= known.port < 2**16:
        raise ConfigError(f"--port {known.port} is no port.", "Give 1 to 65535, or leave it out for a free one.")
    with prepared_process():
        _serve(known)
    return 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command; `zoo completion` reads them too."""
    parser.add_argument(
        "--run", action="append", required=True, metavar="DIR", help="run folder; several are compared on the page"
    )
    parser.add_argument("--port", type=int, default=0, metavar="N", help="port on this machine (default: a free one)")
    add_device(parser)


def _serve(known: argparse.Namespace) -> None:
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise ConfigError(f"zoo app: {error}.", advise_extra("app")) from error
    set_activity("loading PyTorch")
    from zoo.app.server import Server
    from zoo.app.session import Session
    from zoo.segment.segmenter import load

    set_activity("loading the model")
    segmenters = {str(run): load(run) for run in dict.fromkeys(known.run)}
    for segmenter in segmenters.values():
        move_to_device(segmenter, known.device)
    with tempfile.TemporaryDirectory(prefix="zoo-app-") as folder:
        try:
            server = Server(Session(segmenters, Path(folder)), known.port)
        except OSError as error:
            raise ConfigError(
                f"--port {known.port}: {os.strerror(error.errno or 0)}.", "Leave it out for a free port."
            ) from error
        set_activity("")
        print_text(f"open {server.address} in a browser on this machine; Ctrl-C ends")
        server.run()
