"""`zoo data prepare`: every case checked and in the cache."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from datamodules.cli.common import add_set, open_set, print_facts, progress

HELP = "check every case and write its arrays to the cache"


def add(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add_set(parser)


def run(arguments: argparse.Namespace, options: Mapping[str, Any]) -> int:
    """Run the command."""
    data = open_set(arguments, options)
    from zoo.settings import cache_root

    split = data.split
    for case in progress(data.cases.values()):
        data.prepared(case)
    where = "generated, nothing to store" if data.embedded else str(cache_root() / "data" / data.home)
    facts = {"data": data.name, "protocol": data.protocol, "cases": len(data.cases), "cache": where}
    facts |= {"split_hash": split.hash, "prompt_hash": data.prompt_hash}
    return print_facts(facts, arguments.json)
