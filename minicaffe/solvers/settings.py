"""What the parameters of a solver may be, and which of them may change while it trains."""

from __future__ import annotations

import math

from ..errors import ConfigError
from ..proto.schema import Message
from ..proto.unread import unread
from . import snapshot
from .update_rules import resolve

# What the nets, their device and the callbacks were made from.
MADE_FROM = (
    *("net", "net_param", "train_net", "train_net_param", "test_net", "test_net_param"),
    *("train_state", "test_state", "weights", "random_seed", "solver_mode", "device_id", "type"),
    *("plateau", "early_stop", "keep_best", "keep_last", "ema"),
)
NETS = ("net_param", "train_net_param", "test_net_param")  # their layers are checked when they are built
SCORING = ("eval_type", "ap_version")  # fields of forks that tests read


def check(param: Message, *, trial: bool = True) -> None:
    """Raise ConfigError for settings that a solver cannot train with, UnknownTypeError for a type that there
    is not, WeightsError if snapshots could not be written; `trial` as for snapshot.check_writable."""
    for described, value in param.ListFields():
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{described.name} must be finite; got {value}", field=described.name)
    for place, forks in unread(param, (*NETS, *SCORING)):
        hint = f"it is of forks of Caffe ({forks})"
        raise ConfigError(f"{place} is not supported", hint=hint, field=place.split(":")[0])
    for field in ("average_loss", "iter_size"):
        if getattr(param, field) < 1:
            raise ConfigError(f"{field} must be at least 1; got {getattr(param, field)}", field=field)
    for field in ("max_iter", "display", "snapshot"):  # test_interval concerns test nets alone
        if getattr(param, field) < 0:
            raise ConfigError(f"{field} must not be below 0; got {getattr(param, field)}", field=field)
    if param.weight_decay and param.regularization_type not in ("L1", "L2"):
        what = f"regularization_type must be L1 or L2; got {param.regularization_type!r}"
        raise ConfigError(what, field="regularization_type")
    if param.snapshot > 0:
        if not param.snapshot_prefix:
            hint = "set snapshot_prefix"
            raise ConfigError("snapshot is set but snapshot_prefix is not", hint=hint, field="snapshot")
        snapshot.check_writable(param.snapshot_prefix, trial=trial)
    resolve(param.type).check(param)


def check_change(before: Message, now: Message) -> None:
    """Raise ConfigError if a setting has changed that something was made from."""
    changed = [name for name in MADE_FROM if _value(before, name) != _value(now, name)]
    if "plateau" in (before.lr_policy, now.lr_policy) and before.lr_policy != now.lr_policy:
        changed.append("lr_policy")
    if before.snapshot_prefix != now.snapshot_prefix and (
        now.HasField("keep_best") or now.HasField("keep_last")
    ):
        changed.append("snapshot_prefix")
    if changed:
        raise ConfigError(
            f"{changed[0]} cannot be changed once a solver is made from it",
            hint="make another",
            field=changed[0],
        )
    if len(before.test_iter) != len(now.test_iter):
        what = f"test_iter has {len(now.test_iter)} entries for {len(before.test_iter)} test nets"
        raise ConfigError(what, hint="give one for each", field="test_iter")
    if any(count < 0 for count in now.test_iter):
        what = f"test_iter must not be below 0; got {', '.join(map(str, now.test_iter))}"
        raise ConfigError(what, field="test_iter")


def _value(param: Message, name: str) -> object:
    """A field's value, None where it is not set; of repeated ones a list."""
    value = getattr(param, name)
    if param.DESCRIPTOR.fields_by_name[name].is_repeated:
        return list(value)
    return value if param.HasField(name) else None
