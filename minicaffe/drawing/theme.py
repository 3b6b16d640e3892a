"""The colours of a picture: on paper, and on a dark page."""

from __future__ import annotations

from typing import NamedTuple

from .diagram import OUTSIDE, UNKNOWN


class Theme(NamedTuple):
    """kinds  fill and edge of a box, by kind of layer"""

    ground: str
    ink: str
    faint: str
    link: str
    kinds: dict[str, tuple[str, str]]


LIGHT = Theme(
    ground="#ffffff",
    ink="#1d2430",
    faint="#5a6372",
    link="#8a93a3",
    kinds={
        "source": ("#e3e7ee", "#6f7a8b"),
        "vision": ("#d4e5f9", "#3f7cc4"),
        "pooling": ("#d3efe8", "#2f9a84"),
        "detection": ("#d3eef4", "#2b93ad"),
        "linear": ("#e5dcf6", "#7c5cbc"),
        "recurrent": ("#f4daed", "#b24c9d"),
        "norm": ("#fbefc9", "#c0941c"),
        "neuron": ("#e0f1d3", "#68a038"),
        "shape": ("#f0f0ee", "#9a9a94"),
        "loss": ("#fbdad3", "#cd5844"),
        "sink": ("#f0f0ee", "#9a9a94"),
        "user": ("#fce4cb", "#d5822a"),
        UNKNOWN: ("#ffffff", "#9a9a94"),
        OUTSIDE: ("#ffffff", "#9a9a94"),
    },
)

DARK = Theme(
    ground="#0d1117",
    ink="#e9edf3",
    faint="#a6b0be",
    link="#6d7788",
    kinds={
        "source": ("#262d38", "#93a0b4"),
        "vision": ("#15304f", "#5b9fe6"),
        "pooling": ("#123b35", "#43b79f"),
        "detection": ("#103640", "#3fb0c8"),
        "linear": ("#2f2450", "#a186e0"),
        "recurrent": ("#43203c", "#d271bd"),
        "norm": ("#3f3310", "#d6ab3a"),
        "neuron": ("#22381a", "#82bd52"),
        "shape": ("#2a2c2f", "#8d9095"),
        "loss": ("#4a201a", "#e8796a"),
        "sink": ("#2a2c2f", "#8d9095"),
        "user": ("#47290f", "#e79a4b"),
        UNKNOWN: ("#0d1117", "#8d9095"),
        OUTSIDE: ("#0d1117", "#8d9095"),
    },
)

THEMES = {"light": LIGHT, "dark": DARK}
