"""The net of a run, to be built elsewhere: its files are found from the folder in which the run began."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..data import datasets, ranges
from ..proto import upgrade
from ..proto.schema import Message

# Fields that name files, by message: relative to the folder in which a net is run.
SOURCES = ("data_param", "image_data_param", "hdf5_data_param", "window_data_param", "infogain_loss_param")


def read(net: str, folder: str) -> Message:
    """The net in a file, with paths that hold from any folder; `folder` is the one in which it was run."""
    param = upgrade.read_net(net)
    for message, field in _named(param):
        value = getattr(message, field)
        path = Path(folder, ranges.without(value))
        if folder and not Path(value).is_absolute() and not datasets.named_part(value) and _stands(path):
            setattr(message, field, str(Path(folder, value)))
    return param


def _stands(path: Path) -> bool:
    """Whether there is something by this name, or files whose names begin with it (IDX)."""
    try:
        return path.exists() or (path.parent.is_dir() and any(path.parent.glob(f"{path.name}-*")))
    except (OSError, ValueError, NotImplementedError):  # no name that a file can have
        return False


def _named(param: Message) -> Iterator[tuple[Any, str]]:
    for layer in param.layer:
        for name in SOURCES:
            conf = getattr(layer, name)
            for field in ("source", "root_folder"):
                if field in conf.DESCRIPTOR.fields_by_name and getattr(conf, field):
                    yield conf, field
        if layer.transform_param.mean_file:
            yield layer.transform_param, "mean_file"
