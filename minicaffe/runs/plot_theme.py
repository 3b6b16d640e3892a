"""The colours of curves: on paper, and on a dark page."""

from __future__ import annotations

from typing import NamedTuple


class Theme(NamedTuple):
    """curves  told apart by colour-blind readers too, and in grey (after Okabe and Ito, without yellow)"""

    ground: str
    ink: str
    faint: str
    grid: str
    edge: str
    curves: tuple[str, ...]


LIGHT = Theme(
    ground="#ffffff",
    ink="#222222",
    faint="#666666",
    grid="#e6e6e6",
    edge="#bbbbbb",
    curves=("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#444444", "#7b4fb5"),
)
DARK = Theme(
    ground="#0d1117",
    ink="#e9edf3",
    faint="#a6b0be",
    grid="#232b36",
    edge="#4a5463",
    curves=("#56b4e9", "#f0884a", "#2fc49a", "#e59bc5", "#9fd3f5", "#f2c14e", "#c9ced6", "#b59af0"),
)
THEMES = {"light": LIGHT, "dark": DARK}
