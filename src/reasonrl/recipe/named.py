"""The recipes that come with the package, and the one rule that turns an argument into a path.

Training and evaluation recipes are `shipped/NAME.toml`, data recipes `shipped/data/NAME.toml`; the
folder `recipes` of a clone is a link to `shipped`. Opens no file; `toml` reads them.
"""

from __future__ import annotations

import difflib
from pathlib import Path

from reasonrl.errors import ConfigError

SHIPPED = Path(__file__).resolve().with_name("shipped")


def shipped_recipes() -> dict[str, Path]:
    """Return the paths of all shipped recipes by name, data recipes after the others."""
    paths = [*sorted(SHIPPED.glob("*.toml")), *sorted((SHIPPED / "data").glob("*.toml"))]
    return {path.stem: path for path in paths}


def recipe_path(argument: str) -> Path:
    """Return the path of a recipe file, or of the shipped recipe with that name.

    An argument with a `/` or with the ending `.toml` is a path, and the file need not exist.
    Anything else is a name. Raises ConfigError for an unknown name.
    """
    if "/" in argument or argument.endswith(".toml"):
        return Path(argument)
    shipped = shipped_recipes()
    if argument in shipped:
        return shipped[argument]
    nearest = difflib.get_close_matches(argument, shipped, n=1, cutoff=0.4)
    question = f"did you mean {nearest[0]}? " if nearest else ""
    raise ConfigError(
        f"no shipped recipe is named {argument!r}",
        expected="one of " + ", ".join(shipped),
        remedy=f"{question}pass a file of your own with its ending, e.g. {argument or 'my'}.toml",
    )


def base_of_paths(recipe: Path) -> Path:
    """Return the directory where the relative paths inside a recipe file start.

    It is the file's own directory. A shipped recipe lies inside the package, where nobody keeps
    data, so its paths start at the current directory.
    """
    is_shipped = SHIPPED in recipe.resolve().parents
    return Path.cwd() if is_shipped else recipe.parent
