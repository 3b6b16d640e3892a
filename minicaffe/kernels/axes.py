"""What geometries of windows over three axes have in common: their last fields, for depth, rows and columns.

Layers with fewer axes have leading ones of extent 1 (core/window.py lists the values in this order).
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Sequence
from typing import Any

# extents of the image and of the output; of the window its extents, its stride and the padding
WINDOW = ("d", "h", "w", "od", "oh", "ow", "kd", "kh", "kw", "sd", "sh", "sw", "pd", "ph", "pw")
# and elements from one tap of the window to the next
DILATED = (*WINDOW, "ld", "lh", "lw")


def over(axes: Sequence[str], name: str, *own: str) -> Any:
    """The base of a geometry: a NamedTuple of its own fields and those of its axes, WINDOW or DILATED."""
    return namedtuple(name, [*own, *axes])
