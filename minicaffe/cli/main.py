"""minicaffe <command> ...: finds the command, runs it, and turns errors into one line and exit status 1."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

from .. import __version__
from ..errors import MiniCaffeError, suggest


class Command(NamedTuple):
    module: str  # in this package; it has run(arguments) -> exit status
    summary: str


COMMANDS = {
    "train": Command("train", "train the net of a solver prototxt"),
    "test": Command("test", "score a net with given weights"),
    "time": Command("time", "time every layer of a net"),
    "runs": Command("runs", "list runs: state, progress, best test"),
    "run": Command("run", "command a run that is under way: pause, resume, stop, snapshot, lr=RATE"),
    "plot": Command("plot", "draw loss, accuracy and learning rate of runs"),
    "replay": Command("replay", "repeat the iteration whose loss or gradient was not finite"),
    "convert": Command("convert", "nets, solvers, weights and solver states in other formats"),
    "diff": Command("diff", "what differs between two files, or two backends"),
    "upgrade_net_proto_text": Command("upgrade_net_proto_text", "Caffe's upgrade of a net prototxt"),
    "upgrade_net_proto_binary": Command("upgrade_net_proto_binary", "Caffe's upgrade of a .caffemodel"),
    "upgrade_solver_proto_text": Command("upgrade_solver_proto_text", "Caffe's upgrade of a solver"),
    "extract_features": Command("extract_features", "store blobs of a net in LMDBs, a record an image"),
    "convert_imageset": Command("convert_imageset", "make an LMDB of the images that a list names"),
    "compute_image_mean": Command("compute_image_mean", "compute the mean image of an LMDB"),
    "device_query": Command("device_query", "say what can run nets here"),
    "data": Command("data", "list, fetch and describe data sets"),
    "summary": Command("summary", "list the layers of a net: shapes, parameters, multiply-adds, memory"),
    "draw": Command("draw", "draw a net as a graph, into an .svg or .png"),
    "check": Command("check", "judge nets and solvers before they run: errors, cost, advice"),
    "gradcheck": Command("gradcheck", "compare the gradients of a net with finite differences"),
}

WIDTH = max(map(len, COMMANDS)) + 2

USAGE = f"""usage: minicaffe <command> [options]

{chr(10).join(f"  {name:{WIDTH}}{command.summary}" for name, command in COMMANDS.items())}

  minicaffe <command> --help says more; --version prints the version;
  --traceback shows where in the program an error arose."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    show_traceback = False
    for flag in ("--traceback", "-traceback"):
        while flag in words:
            words.remove(flag)
            show_traceback = True
    if any(word in ("--version", "-version") for word in words):
        print(f"minicaffe version {__version__}")
        return 0
    name, rest = _command(words)
    if name is None:
        wrong = next((word for word in words if not word.startswith("-")), "help")
        if wrong != "help":
            print(
                f"minicaffe: error: no command {wrong!r}; hint: {suggest(wrong, COMMANDS)}", file=sys.stderr
            )
            return 1
        print(USAGE)
        return 0
    try:
        return _run(name, rest)
    except MiniCaffeError as error:
        if show_traceback:
            raise
        print(f"minicaffe {name}: error: {error}", file=sys.stderr)
        return 1
    # the reader of our output has gone; keep the interpreter from complaining at exit
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print(f"minicaffe {name}: interrupted", file=sys.stderr)
        return 130


def _command(words: list[str]) -> tuple[str | None, list[str]]:
    """The command and its arguments.  Flags may come before it, as in Caffe: `--solver=x train` or `-solver x
    train`; so the command is the first word that names one and is not the value of a flag before it."""
    for i, word in enumerate(words):
        follows_flag = i > 0 and words[i - 1].startswith("-") and "=" not in words[i - 1]
        if word in COMMANDS and not (follows_flag and any(w in COMMANDS for w in words[i + 1 :])):
            return word, words[:i] + words[i + 1 :]
    return None, words


def _run(name: str, arguments: list[str]) -> int:
    import importlib

    return importlib.import_module(f".{COMMANDS[name].module}", __package__).run(arguments)
