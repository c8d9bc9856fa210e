"""Options and commands under the names of other programs."""

from __future__ import annotations

import inspect

import pytest
from lightning.pytorch import Trainer

from datamodules.bases.base import SegDataModule
from zoo.cli.commands import COST, INFO, RUN
from zoo.engine.arguments import parse
from zoo.engine.options import find_option
from zoo.errors import ConfigError
from zoo.models import BiPVL
from zoo.utils.class_args import argument_names
from zoo.utils.foreign_names import FOREIGN_COMMANDS, FOREIGN_OPTIONS, WITHOUT_OPTION

ARGUMENTS = {
    "model": argument_names(BiPVL),
    "data": argument_names(SegDataModule),
    "trainer": set(inspect.signature(Trainer.__init__).parameters),
}


def test_every_foreign_name_leads_to_an_option_that_exists() -> None:
    for own in FOREIGN_OPTIONS.values():
        name, _, value = own.partition(" ")
        section, _, key = name[2:].rstrip("+").partition(".")
        assert key in ARGUMENTS[section] if key else find_option(name), own
        assert not value or parse("fit", [name, value])


def test_no_name_of_our_own_is_called_foreign() -> None:
    assert not [name for name in (*FOREIGN_OPTIONS, *WITHOUT_OPTION) if find_option(f"--{name}")]
    assert not FOREIGN_OPTIONS.keys() & WITHOUT_OPTION.keys()
    assert not FOREIGN_COMMANDS.keys() & {*RUN, *COST, *INFO, "data", "bench"}


@pytest.mark.parametrize("name", [*FOREIGN_OPTIONS, *WITHOUT_OPTION])
def test_every_foreign_name_ends_with_advice(name: str) -> None:
    for spelled in (name, name.replace("_", "-")):
        with pytest.raises(ConfigError, match=r".") as caught:
            parse("predict", [f"--{spelled}", "1"])
        assert caught.value.fix.partition(" ")[0] not in ("", "Run"), spelled
