"""The tuned recipes that a plan uses: the folder that `zoo bench tune` has written. No torch here."""

from __future__ import annotations

from pathlib import Path

from zoo.errors import ConfigError
from zoo.recipes import TunedRecipe, check_names, read_tuned, recipe_name


def find_tuned(folder: str, model: str, data: str, size: str) -> TunedRecipe | None:
    """Find the recipe of a model on a data set; None where the folder has none.

    Args:
        folder: The folder of the recipes: OUT/recipes of `zoo bench tune`.
        model: Name of the model.
        data: Name of the data set.
        size: "tiny" or "published".

    Raises:
        ConfigError: There is no such folder, the file is no recipe, or it was changed after the trials.
    """
    place = Path(folder).expanduser()
    if not place.is_dir():
        raise ConfigError(
            f"{folder}: no such folder of recipes.", "Name OUT/recipes of `zoo bench tune ... --out OUT`."
        )
    path = place / recipe_name(model, data, size)
    if not path.is_file():
        return None
    recipe = read_tuned(path)
    if recipe is None:
        raise ConfigError(f"{path}: no recipe of `zoo bench tune` (no `about.tuned`).", "Name its folder OUT/recipes.")
    check_names(recipe, model, data, size)
    return recipe
