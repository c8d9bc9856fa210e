"""`zoo data verify`: every file read, every finding named."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from rich.table import Table

from datamodules.cli.common import add_set, console, open_set, progress

HELP = "read every file and list what is wrong with the set; exit code 2 if anything is"


def add(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add_set(parser)


def run(arguments: argparse.Namespace, options: Mapping[str, Any]) -> int:
    """Run the command."""
    data = open_set(arguments, options)
    from datamodules.verify import verify

    findings = verify(data, progress)
    out = console()
    if arguments.json:
        out.print_json(data={"data": data.name, "findings": [finding._asdict() for finding in findings]})
    elif findings:
        table = Table("case", title=f"{data.name}: {len(findings)} findings", title_justify="left")
        table.add_column("problem", overflow="fold")
        for finding in findings:
            table.add_row(finding.case_id or "-", finding.problem)
        out.print(table)
    else:
        out.print(f"{data.name}: nothing found.")
    return 2 if findings else 0
