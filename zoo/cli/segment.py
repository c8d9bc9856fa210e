"""`zoo segment`: masks of images that belong to no data set, with a trained model."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from zoo.cli.commands import USE
from zoo.cli.console import print_text
from zoo.cli.device import add_device, move_to_device
from zoo.cli.process import prepared_process
from zoo.errors import ConfigError, DataError
from zoo.utils.activity import set_activity
from zoo.utils.flags import Parser, split_names
from zoo.utils.format import format_quantity
from zoo.utils.hashing import hash_json

FORMATS = ("same", "nifti")


def main(argv: list[str]) -> int:
    """Run the command.

    Args:
        argv: The words after `segment`.

    Returns:
        0.

    Raises:
        DataError: An image could not be read; the others are segmented.
    """
    parser = Parser(prog="zoo segment", description=USE["segment"], allow_abbrev=False)
    add_arguments(parser)
    known = parser.parse_args(argv)
    known.mirror = known.mirror or known.tta == "mirror"
    _check(known)
    with prepared_process():
        _segment(known)
    return 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command; `zoo completion` reads them too."""
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="images, folders with images, DICOM series")
    parser.add_argument("--run", action="append", default=[], metavar="DIR", help="run folder; several are averaged")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the masks")
    parser.add_argument("--text", metavar="TEXT", help="the report of every image, or the sentence of the only class")
    parser.add_argument(
        "--class-text",
        action="append",
        default=[],
        metavar="CLASS=TEXT",
        help="the sentence of a class, once per class",
    )
    parser.add_argument("--text-csv", type=Path, metavar="FILE", help="table with the columns file and text")
    parser.add_argument("--classes", type=split_names, metavar="CLASS,...", help="only these classes (default: all)")
    parser.add_argument("--ckpt", type=Path, metavar="FILE", help="checkpoint of the only run (default: the best)")
    parser.add_argument(
        "--kind", default="", metavar="KIND", help="kind of image (ct, mr) where the training had several"
    )
    parser.add_argument("--mirror", action="store_true", help="average over mirrored images, where training mirrored")
    parser.add_argument("--tta", choices=("mirror",), help="mirror: another spelling of --mirror")
    parser.add_argument("--probabilities", action="store_true", help="write the probability of each class")
    parser.add_argument("--overlay", action="store_true", help="write a picture with the outlines of the classes")
    parser.add_argument("--csv", action="store_true", help="write volumes.csv: voxels, volume and box of each class")
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default=FORMATS[0],
        help="form of the masks: that of the image (DICOM SEG for a DICOM series), or nifti for every volume",
    )
    add_device(parser)


def _check(known: argparse.Namespace) -> None:
    """Check what can be known before torch is loaded.

    Raises:
        ConfigError: No run, or texts that exclude each other.
    """
    if not known.run:
        raise ConfigError("zoo segment: no model.", "Give --run DIR, the folder that `zoo fit --out DIR` wrote.")
    given = [name for name in ("text", "class_text", "text_csv") if getattr(known, name) not in (None, [])]
    if len(given) > 1:
        flags = " and ".join(f"--{name.replace('_', '-')}" for name in given)
        raise ConfigError(f"zoo segment: {flags} exclude each other.", "Give one of them.")


def _segment(known: argparse.Namespace) -> None:
    from zoo.segment.inputs import ScanFile, list_scans, parse_class_texts, read_texts

    scans: Sequence[ScanFile] = list_scans(known.inputs, known.format == "nifti")
    inside = {Path(word).expanduser().resolve() for word in known.inputs}
    if known.out.expanduser().resolve() in inside:
        raise ConfigError(f"--out {known.out}: masks beside the images would be read as images.", "Name another --out.")
    texts: Sequence[str | Mapping[str, str] | None]
    if known.text_csv is not None:
        texts = read_texts(known.text_csv, scans)
    else:
        texts = [parse_class_texts(known.class_text) or known.text] * len(scans)
    set_activity("loading PyTorch")
    from zoo.segment.batch import Outputs, segment_all
    from zoo.segment.record import Record
    from zoo.segment.segmenter import load

    set_activity("loading the model")
    segmenter = load(known.run, known.ckpt, mirror=known.mirror)
    move_to_device(segmenter, known.device)
    outputs = Outputs(known.probabilities, known.overlay)
    segmenter.choose_classes(known.classes)
    made_by = [*segmenter.weights, known.kind, known.mirror, known.probabilities, known.overlay]
    made_by += [] if known.format == FORMATS[0] else [known.format]  # records of earlier versions stay valid
    made_by += [known.classes] if known.classes else []
    record = Record(known.out, hash_json(made_by))
    set_activity("segmenting")
    errors = segment_all(segmenter, scans, texts, record, outputs, known.kind, print_text, known.classes)
    done = [scan.name for scan in scans if scan.name in record.done]
    if known.csv and done:
        print_text(f"volumes in {record.write_table(done)}")
    print_text(f"{len(done)} of {format_quantity(len(scans), 'image')} in {known.out}")
    if errors:
        raise DataError(
            f"{len(errors)} of {format_quantity(len(scans), 'image')} could not be read: {' '.join(errors[:3])}",
            "Run the command again when they are mended.",
        )
