"""The numbers that a field of a window gives, one for all axes or one for each."""

from __future__ import annotations

from ...errors import ConfigError
from ...proto.schema import Message


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
