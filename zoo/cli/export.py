"""`zoo export`: a trained model as files that run without the zoo, checked against the original."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.cli.commands import USE
from zoo.cli.console import print_text
from zoo.cli.process import prepared_process
from zoo.errors import ConfigError
from zoo.utils.activity import set_activity
from zoo.utils.flags import Parser

if TYPE_CHECKING:
    from zoo.export.parity import Case
    from zoo.segment.segmenter import Segmenter

FORMATS = ("onnx", "torch_export", "safetensors")


def main(argv: list[str]) -> int:
    """Run the command.

    Args:
        argv: The words after `export`.

    Returns:
        0.
    """
    parser = Parser(prog="zoo export", description=USE["export"], allow_abbrev=False)
    add_arguments(parser)
    known = parser.parse_args(argv)
    if known.image is None and (known.text is not None or known.class_text or known.kind):
        raise ConfigError("zoo export: a text without an image.", "Add --image FILE.")
    with prepared_process():
        _export(known)
    return 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command; `zoo completion` reads them too."""
    parser.add_argument("--run", type=Path, required=True, metavar="DIR", help="run folder")
    parser.add_argument("--format", required=True, choices=FORMATS, help="the format of the files")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder of the files")
    parser.add_argument("--ckpt", type=Path, metavar="FILE", help="checkpoint of the run (default: the best)")
    parser.add_argument(
        "--image", type=Path, metavar="FILE", help="check on this image (default: a validation case of the run's data)"
    )
    parser.add_argument("--text", metavar="TEXT", help="the report of --image, or the sentence of the only class")
    parser.add_argument(
        "--class-text", action="append", default=[], metavar="CLASS=TEXT", help="the sentence of a class of --image"
    )
    parser.add_argument("--kind", default="", metavar="KIND", help="kind of --image (ct, mr), if there are several")


def _export(known: argparse.Namespace) -> None:
    set_activity("loading PyTorch")
    from zoo.export.exporting import check_folder, export_model
    from zoo.export.graph_files import check_packages
    from zoo.segment.segmenter import load

    check_folder(known.out)
    check_packages(known.format)
    set_activity("loading the model")
    segmenter = load(known.run, known.ckpt)
    set_activity("preparing a case")
    case = _find_case(known, segmenter)
    set_activity("exporting")
    description, files = export_model(segmenter, known.format, known.out, case)
    for file in files:
        print_text(str(file))
    print_text(_summarise(description["parity"]))


def _find_case(known: argparse.Namespace, segmenter: Segmenter) -> Case:
    from zoo.export.cases import case_of_data, case_of_image
    from zoo.segment.inputs import parse_class_texts

    if known.image is None:
        return case_of_data(segmenter, known.run)
    return case_of_image(segmenter, known.image, parse_class_texts(known.class_text) or known.text, known.kind)


def _summarise(parity: dict[str, Any]) -> str:
    """Say in one line how the files agree with the original."""
    labels = f"{parity['differing_labels']} of {parity['voxels']} voxels differ in their label by rounding"
    if not parity["differing_labels"]:
        labels = "equal label maps"
    return f"{parity['case']}: logits within {parity['largest_difference']:.1e} of the original, {labels}"
