"""From a net to the bytes of a picture, by the name of its format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import ConfigError, DataError, suggest
from ..files import write_atomic
from ..proto.schema import NetParameter
from .diagram import diagram
from .layout import DIRECTIONS
from .png import png
from .scene import scene
from .svg import svg
from .theme import THEMES

FORMATS = {"svg": svg, "png": png}


def picture(
    net: NetParameter,
    form: str,
    *,
    direction: str = "TB",
    notes: Mapping[str, Sequence[str]] | None = None,
    subtitle: str = "",
    columns: int | None = None,
    theme: str = "light",
) -> bytes:
    """A picture of all layers of a net, "svg" or "png"; layers with rules about phase or stages say so.

    direction  in which data flows: TB, BT, LR or RL (top, bottom, left, right)
    notes      lines for layers, by name: shapes, costs
    subtitle   what holds for the net as a whole
    columns    into how many a long picture is cut; if left out, as many as bring it near to a page
    theme      "light" or "dark"

    Raises ConfigError for another format, direction, number of columns or theme.
    """
    if form not in FORMATS:
        raise ConfigError(f"cannot draw {form!r}", hint=f"formats: {', '.join(FORMATS)}")
    if direction not in DIRECTIONS:
        raise ConfigError(f"no direction {direction!r}", hint=suggest(direction, DIRECTIONS))
    if theme not in THEMES:
        raise ConfigError(f"no theme {theme!r}", hint=suggest(theme, THEMES))
    if columns is not None and columns < 1:
        raise ConfigError(f"cannot draw {columns} columns", hint="1 or more")
    shown = scene(diagram(net, notes), direction, subtitle, columns=columns, theme=THEMES[theme])
    return FORMATS[form](shown)


def form_of(path: str) -> str:
    """The format that a file name ends in; ConfigError if it is none."""
    form = Path(path).suffix.lower().lstrip(".")
    if form not in FORMATS:
        endings = " or ".join(f".{name}" for name in FORMATS)
        raise ConfigError(f"cannot draw {path}", hint=f"the name must end in {endings}")
    return form


def write(path: str, content: bytes) -> None:
    """Write a picture; DataError if that cannot be."""
    try:
        write_atomic(path, content)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot write {path}: {reason}") from None
