"""The steps of a reading, kept to be looked at."""

from __future__ import annotations

import numpy as np

from .annotate import png


class Recorder:
    """Keeps the pictures that `read` hands out, as PNG files by name: 1_ink, 2_lines, ..., and read, the
    photo with what was read."""

    def __init__(self) -> None:
        self._pictures: dict[str, np.ndarray] = {}

    def __call__(self, name: str, picture: np.ndarray) -> None:
        self._pictures.pop(name, None)  # of a second attempt the place is the end
        self._pictures[name] = picture

    def files(self) -> dict[str, bytes]:
        steps = [name for name in self._pictures if name != "read"]
        named = {name: f"{i}_{name}" for i, name in enumerate(steps, 1)} | {"read": "read"}
        return {named[name]: png(picture) for name, picture in self._pictures.items()}
