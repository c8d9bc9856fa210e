"""`zoo push` and `zoo pull`: give a trained model to others, and get one from them."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from zoo.cli.commands import SHARE
from zoo.cli.console import print_text
from zoo.cli.process import prepared_process
from zoo.errors import ConfigError, RunError
from zoo.hub.names import HubName, is_hub_name
from zoo.hub.package import Package, is_package, read_package
from zoo.publishing import KINDS
from zoo.utils.activity import set_activity
from zoo.utils.atomic_files import new_folder
from zoo.utils.flags import Parser, split_names
from zoo.utils.format import format_bytes

_HERE = "PATH/TO/THIS/FOLDER"
"""What the model card of a package in a folder calls the folder, which may be moved."""


def main(command: str, argv: list[str]) -> int:
    """Run one of the two commands and return the exit code."""
    parser = Parser(prog=f"zoo {command}", description=SHARE[command], allow_abbrev=False)
    add_arguments(command, parser)
    known = parser.parse_args(argv)
    if command == "push":
        with prepared_process():
            _push(known)
    else:
        _pull(known)
    return 0


def add_arguments(command: str, parser: argparse.ArgumentParser) -> None:
    """Add the arguments of one of the two commands; `zoo completion` reads them too."""
    if command == "push":
        parser.add_argument("run", type=Path, metavar="RUN", help="folder of a finished run")
        parser.add_argument("target", metavar="hub:NAME|DIR", help="hub:OWNER/NAME, or a new folder")
        parser.add_argument("--ckpt", type=Path, metavar="FILE", help="checkpoint of the run (default: the best)")
        parser.add_argument("--licence", default="", metavar="NAME", help="licence (default: that of the data)")
        parser.add_argument(
            "--permit",
            type=split_names,
            default=[],
            metavar="KINDS",
            help=f"you state that the terms allow it, where the card of the data does not know: {', '.join(KINDS[1:])}",
        )
        parser.add_argument("--public", action="store_true", help="make a new repository of the hub public")
        return
    parser.add_argument("source", metavar="hub:NAME[@COMMIT]|DIR", help="name of a package, or its folder")
    parser.add_argument("target", nargs="?", type=Path, metavar="DIR", help="new folder (default: models/NAME)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="another way to write the folder")


def _push(known: argparse.Namespace) -> None:
    name = HubName.parse(known.target) if is_hub_name(known.target) else None
    if name is not None and name.revision:
        raise ConfigError(f"{name}: a push makes its own revision.", f"Write {HubName(name.repo)}.")
    set_activity("loading PyTorch")
    from zoo.hub.places import find_hub
    from zoo.sharing.pack import pack_run

    set_activity("packing the run")
    if name is not None:
        with tempfile.TemporaryDirectory() as scratch:
            package = pack_run(known.run, Path(scratch), str(name), known.ckpt, known.licence, known.permit)
            _describe(package)
            set_activity("sending the package")
            print_text(f"pushed {name.at(find_hub().publish(Path(scratch), name, known.public))}")
        return
    target = Path(known.target).expanduser()
    if is_package(target):
        with tempfile.TemporaryDirectory() as scratch:
            package = pack_run(known.run, Path(scratch), _HERE, known.ckpt, known.licence, known.permit)
            if package.content != read_package(target).content:
                raise RunError(f"{target}: another package is there already.", "Name a new folder.")
            _describe(package)
        print_text(f"{target} has this package already")
        return
    with new_folder(target) as staging:
        package = pack_run(known.run, staging, _HERE, known.ckpt, known.licence, known.permit)
        _describe(package)
    print_text(f"pushed into {target}")


def _describe(package: Package) -> None:
    """Print what is left out, and the size of the package."""
    for line in package.left_out:
        print_text(line)
    size = sum((package.folder / name).stat().st_size for name in package.files)
    print_text(
        f"{package.content['model']} on {package.content['data']}: {len(package.files)} files, {format_bytes(size)}"
    )


def _pull(known: argparse.Namespace) -> None:
    if known.target is not None and known.out is not None:
        raise ConfigError("zoo pull: two folders.", "Name the folder once.")
    from zoo.hub.pull import pull

    target = known.target or known.out
    if target is None:
        last = HubName.parse(known.source).repo if is_hub_name(known.source) else Path(known.source).resolve().name
        target = Path("models") / last.rpartition("/")[2]
    set_activity("fetching the package")
    package, name = pull(known.source, target.expanduser())
    for line in package.left_out:
        print_text(line)
    print_text(f"{name} is in {target}: {len(package.files)} files, each compared with its SHA-256")
    print_text(f"Use it: zoo segment IMAGES --run {target} --out masks")
