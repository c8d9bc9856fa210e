"""The choice of jobs for `zoo bench run` and `zoo bench plan`: by the file or the name of a plan, or by flags."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from benchmarks.plan.expand import DataEntry, Matrix, make_plan, set_root
from benchmarks.plan.job import DEFAULT_TEXTS, MATCHED, TEXTS, KeyValues, Plan, Settings
from benchmarks.plan.matched import RATES, MatchedOptions
from benchmarks.plan.models import expand_kinds
from benchmarks.plan.plan_file import OWN, SECTIONS, read_budget, read_plan, read_texts
from zoo.config import check_seed
from zoo.errors import ConfigError
from zoo.sizes import PLANNED_SIZES, SIZES
from zoo.utils.flags import Parser, parse_pairs, split_names

FLAGS = {"data": None, "size": "", "ablations": False, "trainer": "", "devices": None}
"""The flags that the file of a plan replaces -> default. The other flags take the place of a key of the file."""


class _Renamed(argparse.Action):
    """A flag that has a new name, its `const`. Its use is an error that gives the new name."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        """Refuse the old name.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(f"{parser.prog}: {option_string} has a new name.", f"Write {self.const}.")


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that choose the jobs without a plan."""
    if isinstance(parser, Parser):
        parser.sections = SECTIONS
    parser.add_argument(
        "--models",
        type=split_names,
        help="names of `zoo list models`, classes (mynet.MyNet) and card files; all, vision or text for a kind",
    )
    parser.add_argument("--data", type=split_names, help="names of `zoo list data`, separated by commas")
    parser.add_argument("--data.root", dest="root", default="", help="folder of the data set that is not embedded")
    parser.add_argument("--seeds", type=parse_seeds, help="seeds, separated by commas (default: 0)")
    parser.add_argument(
        "--size",
        choices=(*SIZES, *PLANNED_SIZES),
        metavar="SIZE",
        default="",
        help="tiny, published or planned (default: that of the trainer preset)",
    )
    parser.add_argument("--model.encoder", dest="encoder", default="", help="text encoder of the models that read text")
    parser.add_argument(
        "--texts", type=split_names, help=f"also test with these texts: {', '.join(TEXTS[len(DEFAULT_TEXTS) :])}"
    )
    parser.add_argument(
        "--budget", type=split_names, help="equal (default), published, matched, or several with commas"
    )
    parser.add_argument(
        "--no-text",
        type=split_names,
        help="also train these models with a learned vector in place of the text: all, or names",
    )
    parser.add_argument(
        "--matched-lr",
        choices=RATES,
        help="budget matched: one rate for all (default), or the tuned rate of each model",
    )
    parser.add_argument(
        "--recipes", help="folder of tuned recipes: OUT/recipes of `zoo bench tune`; default: the cards"
    )
    parser.add_argument("--ablations", action="store_true", help="also train every variant of each model's ablation")
    parser.add_argument(
        "--variants",
        type=_variants,
        help="also train these variants, separated by commas (with or without --ablations)",
    )
    for old, new in (("--ladder", "--ablations"), ("--rungs", "--variants")):
        parser.add_argument(
            old, action=_Renamed, nargs="?", const=new, default=argparse.SUPPRESS, help=argparse.SUPPRESS
        )
    parser.add_argument("--trainer", default="", help="trainer preset of every job: cpu, gpu, ddp, debug")
    parser.add_argument("--devices", type=parse_count, help="processes per job")
    parser.epilog = (
        "Beside a plan, --models, --seeds, --model.encoder, --variants, --budget, --no-text, --matched-lr and "
        "--recipes change it, and --texts adds texts. Further --trainer.KEY, --data.KEY and --model.KEY VALUE apply "
        "to every job."
    )


def choose_plan(known: argparse.Namespace, plan: str, overrides: KeyValues) -> Plan:
    """Make the plan of the command line.

    Args:
        known: The parsed arguments.
        plan: Name or file of a plan, empty for flags only.
        overrides: (key, value) pairs for every job.

    Raises:
        ConfigError: The command gives neither a plan nor models and data, or both.
    """
    if plan:
        return _from_file(known, plan, overrides)
    missing = [f"--{key}" for key in ("models", "data") if getattr(known, key) is None]
    if missing:
        raise ConfigError(f"zoo bench: {' and '.join(missing)} missing.", "Give both, or a plan: --plan NAME.")
    matrix = Matrix(
        models=known.models,
        data=dict.fromkeys(known.data, DataEntry()),
        seeds=[0],
        settings=Settings(known.size, known.trainer, known.devices, overrides),
        variants=[] if known.ablations else None,
    )
    matrix, _ = _with_flags(matrix, known)
    return make_plan(set_root(matrix, known.root) if known.root else matrix)


def _from_file(known: argparse.Namespace, plan: str, overrides: KeyValues) -> Plan:
    given = [key for key, default in FLAGS.items() if getattr(known, key) != default]
    if given:
        raise ConfigError(f"zoo bench: --{given[0]} beside a plan.", "Change the key in a copy of the plan's file.")
    path, matrix, written = read_plan(plan)
    matrix, changed = _with_flags(matrix, known)
    written = written | changed
    both = tuple(sorted((dict(matrix.settings.overrides) | dict(overrides)).items()))
    matrix = replace(matrix, settings=replace(matrix.settings, overrides=both))
    if overrides:
        written = written | {"overrides": dict(both)}
    try:
        return make_plan(set_root(matrix, known.root) if known.root else matrix, written)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def _with_flags(matrix: Matrix, known: argparse.Namespace) -> tuple[Matrix, dict[str, Any]]:
    """Return a matrix with the flags that take the place of its keys, and these keys as a plan's file writes them."""
    keys = {"models": known.models, "seeds": known.seeds, "encoder": known.encoder, "variants": known.variants}
    keys |= {"budget": known.budget, "no_text": known.no_text}
    given = {key: value for key, value in keys.items() if value}
    fields: dict[str, Any] = {key: given[key] for key in ("models", "seeds", "encoder", "variants") if key in given}
    if known.texts:  # beside those of the plan, because a text is compared with the true text and the other controls
        fields["texts"] = read_texts([*matrix.texts, *known.texts], "--texts")
        given["texts"] = list(fields["texts"])
    if "budget" in given:
        fields["recipes"] = read_budget(given["budget"], "--budget")
    if "no_text" in given:
        fields["no_text"] = {"all": [], "none": None}.get(",".join(given["no_text"]), given["no_text"])
    elif matrix.no_text and known.models:
        names = expand_kinds(known.models).names
        fields["no_text"] = [name for name in matrix.no_text if name in names] or None
    matched = {"rates": known.matched_lr, "recipes": known.recipes}
    fields["matched"] = replace(matrix.matched, **{key: value for key, value in matched.items() if value})
    given |= {"matched_lr": known.matched_lr} if known.matched_lr else {}
    matrix = replace(matrix, **fields)
    if replace(matrix.matched, recipes="") != MatchedOptions() and MATCHED not in matrix.recipes:
        raise ConfigError(
            "Options of the budget `matched` without that budget.", "Add --budget matched, or remove them."
        )
    return matrix, given


def parse_overrides(arguments: Sequence[str]) -> KeyValues:
    """Parse `--section.key value` and `--section.key=value` to sorted pairs.

    Raises:
        ConfigError: An argument has another form, a value is missing, or the benchmark itself sets the key.
    """
    pairs = parse_pairs(arguments, SECTIONS, "zoo bench", "zoo bench run")
    for key in pairs:
        if key in OWN:
            raise ConfigError(f"zoo bench run: --{key} cannot be set here.", f"Use instead: {_show(OWN[key])}.")
    return tuple(sorted(pairs.items()))


def _show(key: str) -> str:
    return f"--{key}" if key in ("seeds", "devices") else key


def split_further(further: Sequence[str], section: str) -> tuple[dict[str, str], list[str]]:
    """Split arguments into the pairs of one section and the other arguments."""
    own: list[str] = []
    others: list[str] = []
    target = others
    for word in further:
        if word.startswith("--"):
            target = own if word.startswith(f"--{section}") else others
        target.append(word)
    return {
        key.removeprefix(section): value
        for key, value in parse_pairs(own, (section,), "zoo bench", "zoo bench run").items()
    }, others


def _variants(text: str) -> list[str]:
    names = split_names(text)
    if not names:
        raise argparse.ArgumentTypeError(f"'{text}' names no variant")
    return names


def parse_seeds(text: str) -> list[int]:
    """Parse seeds separated by commas, for argparse."""
    if not text.replace(",", "").isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is not a list of whole numbers such as 0,1,2")
    return list(dict.fromkeys(check_seed(number, "--seeds") for number in text.split(",") if number))


def parse_count(text: str) -> int:
    """Parse a number from 1, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 1")
    return int(text)


def add_to(verbs: Any, name: str, about: str) -> argparse.ArgumentParser:
    """Add the parser of a verb, with the flags."""
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=about, allow_abbrev=False)
    add_flags(parser)
    return parser
