"""The command: see benchmarks/gpu/__init__.py."""

from __future__ import annotations

import argparse
import datetime
import json
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from minicaffe.errors import MiniCaffeError

from . import images, launch, layers, lenet, machine, memory, supervise
from .contests import CONTESTS
from .report import Report
from .setting import Setting

SECTIONS = {"launch": launch, "layers": layers, "images": images, "lenet": lenet, "memory": memory}


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser("python -m benchmarks.gpu", description="Measures the GPU backend.")
    default = Setting()
    p.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="for gpu.json and gpu.md")
    choices = {
        "sections": (SECTIONS, tuple(SECTIONS)),
        "nets": (CONTESTS, default.nets),
        "engines": (default.engines, default.engines),
        "maths": (default.maths, default.maths),
    }
    for name, (known, chosen) in choices.items():
        p.add_argument(f"--{name}", type=_list_of(known), default=chosen, help=",".join(known))
    p.add_argument("--quick", action="store_true", help="few repetitions, small: to see that all runs")
    p.add_argument("--limit", type=float, default=300, metavar="SECONDS", help="for one measurement (300)")
    p.add_argument("--device", choices=("cuda", "emulated"), default="cuda", help=argparse.SUPPRESS)
    p.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    return p


def _list_of(known) -> Callable[[str], tuple[str, ...]]:
    def parse(given: str) -> tuple[str, ...]:
        names = tuple(given.split(","))
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is not one of {', '.join(known)}")
        return names

    return parse


def main(arguments: Sequence[str]) -> int:
    args = parser().parse_args(arguments)
    setting = Setting(args.device, args.quick, args.nets, args.engines, args.maths)
    if args.work:
        out = supervise.own_stdout()
        return supervise.work(json.load(sys.stdin), setting, SECTIONS, out)
    try:
        about = {
            "machine": machine.describe(setting.new_device()),
            "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
            "command": f"python -m benchmarks.gpu {shlex.join(arguments)}",
            "setting": setting.as_json(),
        }
    except MiniCaffeError as error:
        print(error, file=sys.stderr)
        return 1
    args.out.mkdir(parents=True, exist_ok=True)
    report = Report(args.out, about, {name: SECTIONS[name] for name in args.sections})
    report.write()
    units = [(name, unit) for name in args.sections for unit in SECTIONS[name].units(setting)]
    command = [sys.executable, "-m", "benchmarks.gpu", *arguments, "--work"]
    supervise.measure_all(units, command, report.add, args.limit)
    print(report.markdown())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
