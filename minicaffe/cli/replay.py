"""minicaffe replay: repeats the iteration of a dump and shows the first bad blob."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from .. import log
from ..checking.table import aligned
from ..errors import ConfigError
from ..log import number
from ..solvers.nonfinite import BlobValues
from ..solvers.replay import recorded, replay
from . import flags, terminal

HEAD = ("blob", "shape", "NaN", "infinite", "least", "most", "mean |x|")


def parser() -> flags.Parser:
    p = flags.Parser("replay", "Repeat the iteration whose loss or gradient was not finite, from its dump.")
    p.add_argument("dump", metavar="DUMP", help="the folder that training has written")
    flags.add_device(p)
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    terminal.start_log(level=log.NOTICE)
    report, dump, before = recorded(args.dump), Path(args.dump).absolute(), Path.cwd()
    folder, dtype = report["folder"], report.get("dtype", "float32")
    with suppress(OSError):  # gone, or not for this user
        os.chdir(folder)  # where paths of data are meant from
    try:
        result = replay(dump, device=flags.device(args, dtype=dtype))
    finally:
        os.chdir(before)
    terminal.say(f"loss: {number(result.loss)}; recorded: {result.recorded['loss']}")
    if result.finding is None:
        terminal.say("every blob is finite")
    else:
        terminal.say(f"the first bad blob: {result.finding}")
        terminal.show(f"\n{_table(result.finding.around)}\n")
    if not result.exact:
        raise ConfigError(
            "the replay differs from what was recorded",
            hint="other data, another version, another device or machine, or another number of threads",
        )
    terminal.say("the same bits as recorded")
    return 0


def _table(ranges: Sequence[BlobValues]) -> str:
    rows = [
        (
            r.blob,
            " x ".join(map(str, r.shape)),
            str(r.nan),
            str(r.infinite),
            *map(_number, (r.least, r.most, r.mean_abs)),
        )
        for r in ranges
    ]
    leaving = ("mean |x|", "infinite", "NaN", "shape")
    return aligned(HEAD, rows, "<<>>>>>", width=terminal.width(), leaving=leaving)


def _number(value: float | None) -> str:
    return "-" if value is None else number(value)
