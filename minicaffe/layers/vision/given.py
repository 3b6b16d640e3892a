"""The numbers that a field of a window gives, one for all axes or one for each."""

from __future__ import annotations

from ...errors import ConfigError
from ...proto.schema import Message


def fields_of_axes(message: str) -> frozenset[str]:
    """The fields of forks that `given` reads of a pooling, as Layer.fork_fields names them."""
    return frozenset(f"{message}.{name}_3d" for name in ("kernel_size", "stride", "pad"))


def given(conf: Message, field: str, axes: int) -> list[int]:
    """What a field holds, which is a list or a single number, or what the list of its name with _3d holds, of
    forks, where there are three axes; nothing if it is not set."""
    value = getattr(conf, field)
    single = isinstance(value, int)
    listed = [value] * conf.HasField(field) if single else list(value)
    three = list(getattr(conf, f"{field}_3d", ()))
    if three and (listed or axes != 3):
        raise ConfigError(f"{field}_3d is for three axes, in the place of {field}; there are {axes}")
    return listed or three
