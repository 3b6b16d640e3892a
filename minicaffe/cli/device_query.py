"""minicaffe device_query: says what can run nets here."""

from __future__ import annotations

from . import flags


def parser() -> flags.Parser:
    p = flags.Parser("device_query", "Say what can run nets here.")
    flags.add_device(p)
    return p


def run(arguments: list[str]) -> int:
    device = flags.device(parser().parse(arguments))
    for name, value in {"Device": device.name, **device.describe()}.items():
        print(f"{name + ':':28}{value}")
    return 0
