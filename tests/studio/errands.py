"""What tests let workers do."""

from __future__ import annotations

import os
import time
from typing import Any

from minicaffe.errors import ConfigError, Place
from minicaffe.studio.answers import Missing


def echo(**arguments: Any) -> Any:
    print("said on stdout")  # which is not the pipe of the answers
    return {"pid": os.getpid(), **arguments}


def sleep(seconds: float) -> None:
    time.sleep(seconds)


def take(nbytes: int) -> int:
    return len(bytearray(nbytes))


def die() -> None:
    os._exit(3)


def blame(missing: bool) -> None:
    kind = Missing if missing else ConfigError
    error = kind("no kernel of this size; got 0", hint="take 3", field="kernel_size")
    raise error.within(Place.of(_Layer)).within(Place(file="net.prototxt", line=7, column=3))


def fail() -> None:
    raise ZeroDivisionError("of ours")


class _Layer:
    name = "conv1"
    type = "Convolution"
