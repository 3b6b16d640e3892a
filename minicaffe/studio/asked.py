"""The form of a new data set, in the fields of DIGITS' own, as options of `data make`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..data.making.fit import MODES
from ..data.making.parts import KINDS
from ..errors import ConfigError, suggest

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
CHANNELS = {"": "auto", "auto": "auto", "1": "gray", "gray": "gray", "3": "color", "color": "color"}
ENCODINGS = {"": "", "none": "", "png": "png", "jpg": "jpg"}
LARGEST_SIDE = 4096
# What a request may have, and what each is for.
FIELDS = {
    "dataset_name": "what the data set is called",
    "method": "folder, the only one there is",
    "folder_train": "the folder of class folders, or the table, that images are taken from",
    "upload": "the id of an upload, in place of a folder",
    "folder_pct_val": "percent of each class for validation",
    "folder_pct_test": "percent of each class for the test",
    "resize_width": "pixels",
    "resize_height": "pixels; one of the two means a square",
    "resize_mode": "squash, crop, fill, half_crop",
    "resize_channels": "1 grey, 3 colour; left out: colour if any image is coloured",
    "backend": "idx, lmdb, hdf5",
    "encoding": "png, jpg, none: what an lmdb keeps",
    "seed": "of the parts and the order",
}


def name_of(form: Mapping[str, Any]) -> str:
    """The name of the data set; ConfigError for one that a folder should not have."""
    name = str(form.get("dataset_name", "")).strip()
    if not NAME.fullmatch(name):
        raise ConfigError(
            f"dataset_name must be 1 to 64 letters, digits, and -_. behind the first; got {name[:80]!r}",
            hint="flowers-64",
            field="dataset_name",
        )
    return name


def options_of(form: Mapping[str, Any]) -> dict[str, Any]:
    """The options that a form asks for, as plain data; ConfigError, naming the field, for any that cannot
    be."""
    for field in form:
        if field not in FIELDS:
            raise ConfigError(f"no field {field[:80]!r}", hint=suggest(field[:80], FIELDS), field=field[:80])
    if str(form.get("method") or "folder") != "folder":
        raise ConfigError("data sets are made by the method `folder`", hint="leave it out", field="method")
    width, height = (_number(form, f"resize_{side}", 0, 1, LARGEST_SIDE) for side in ("width", "height"))
    size = [int(height or width), int(width or height)] if width or height else None
    val, test = (_number(form, f"folder_pct_{part}", 0, 0, 99) for part in ("val", "test"))
    if val + test >= 100:
        raise ConfigError(
            "folder_pct_val and folder_pct_test leave nothing to train on", field="folder_pct_test"
        )
    made = {
        "kind": _word(form, "backend", {kind: kind for kind in KINDS}, "idx"),
        "size": size,
        "resize": _word(form, "resize_mode", {mode.replace("-", "_"): mode for mode in MODES}, "squash"),
        "channels": _word(form, "resize_channels", CHANNELS, ""),
        "encode": _word(form, "encoding", ENCODINGS, ""),
        "val": val,
        "test": test,
        "seed": int(_number(form, "seed", 0, 0, 2**31)),
    }
    if made["encode"] and made["kind"] != "lmdb":
        raise ConfigError(
            f"encoding {made['encode']}: {made['kind']} holds pixels, not files",
            hint="backend lmdb",
            field="encoding",
        )
    return made


def _word(form: Mapping[str, Any], field: str, known: Mapping[str, str], default: str) -> str:
    given = str(form.get(field, default) or default).lower()
    if given not in known:
        said = ", ".join(word for word in known if word)
        raise ConfigError(f"{field} must be one of {said}; got {given[:80]!r}", field=field)
    return known[given]


def _number(form: Mapping[str, Any], field: str, default: float, least: float, most: float) -> float:
    given = form.get(field)
    if given is None or given == "":
        return default
    try:
        value = float(str(given).removesuffix("%"))
    except ValueError:
        value = least - 1
    whole = field not in ("folder_pct_val", "folder_pct_test")
    if not least <= value <= most or (whole and value != int(value)):
        kind = "a whole number" if whole else "a number"
        raise ConfigError(
            f"{field} must be {kind} from {least:g} to {most:g}; got {str(given)[:80]!r}", field=field
        )
    return value
