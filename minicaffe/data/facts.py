"""What a source of data says before it is read for training: its kind, its size, its classes."""

from __future__ import annotations

import os
from typing import NamedTuple

from ..errors import ConfigError
from . import datasets
from .database import Database


class Facts(NamedTuple):
    """samples: how many; classes: the number of labels, 0 to the highest."""

    samples: int
    classes: int


def backend(source: str) -> str:
    """The data_param.backend that reads a source: LMDB for a folder, IDX for named sets and files."""
    named = datasets.named_part(source)
    return "LMDB" if not named and os.path.isdir(source) else "IDX"


def facts(source: str, kind: str) -> Facts:
    """Size and classes of a source, whose labels are all read; ConfigError for a backend that nothing
    reads."""
    if kind == "LMDB":
        database = Database(source)
        return Facts(len(database), 1 + max(map(database.label, range(len(database)))))
    if kind != "IDX":
        raise ConfigError(f"data_param.backend {kind} cannot be read", hint="backend: IDX or LMDB")
    images, labels = datasets.open_source(source)
    if part := datasets.named_part(source):
        return Facts(len(images), part[0].classes)
    return Facts(len(images), int(labels.max()) + 1)  # type: ignore[union-attr]
