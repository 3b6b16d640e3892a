"""minicaffe <command> ...: finds the command, runs it, and turns errors into one line and exit status 1."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from typing import NamedTuple

from .. import __version__
from ..errors import MiniCaffeError, UnknownTypeError, suggest
from ..importing import load
from . import terminal


class Command(NamedTuple):
    module: str  # in this package; it has run(arguments) -> exit status
    summary: str


COMMANDS = {
    "new": Command("new", "list the nets of the package, or copy one"),
    "studio": Command("studio", "design, train and look into nets in the browser"),
    "train": Command("train", "train the net of a solver prototxt"),
    "test": Command("test", "score a net with given weights"),
    "classify": Command("classify", "say what images show"),
    "detect": Command("detect", "say what images show, and where"),
    "segment": Command("segment", "say what every pixel of images shows"),
    "time": Command("time", "time every layer of a net"),
    "bench": Command("bench", "how fast nets and kernels are, beside others"),
    "runs": Command("runs", "list runs: state, progress, best test"),
    "run": Command("run", "command a run under way: pause, stop, lr=RATE, ..."),
    "plot": Command("plot", "draw loss, accuracy and learning rate of runs"),
    "replay": Command("replay", "repeat the iteration whose loss was not finite"),
    "read": Command("read", "read the digits of a photo"),
    "convert": Command("convert", "nets, solvers, weights in other formats"),
    "diff": Command("diff", "what differs between two files, or two backends"),
    "upgrade_net_proto_text": Command("upgrade_net_proto_text", "Caffe's upgrade of a net prototxt"),
    "upgrade_net_proto_binary": Command("upgrade_net_proto_binary", "Caffe's upgrade of a .caffemodel"),
    "upgrade_solver_proto_text": Command("upgrade_solver_proto_text", "Caffe's upgrade of a solver"),
    "extract_features": Command("extract_features", "store blobs of a net in LMDBs, a record an image"),
    "convert_imageset": Command("convert_imageset", "make an LMDB of the images that a list names"),
    "compute_image_mean": Command("compute_image_mean", "compute the mean image of an LMDB"),
    "device_query": Command("device_query", "say what can run nets here"),
    "data": Command("data", "make, list, fetch and describe data sets"),
    "cache": Command("cache", "what is kept for later runs, and its removal"),
    "summary": Command("summary", "list the layers of a net and what they cost"),
    "show": Command("show", "draw filters and activations of a net"),
    "draw": Command("draw", "draw a net as a graph, into an .svg or .png"),
    "check": Command("check", "judge nets and solvers before they run"),
    "gradcheck": Command("gradcheck", "hold the gradients of a net to finite differences"),
}

WIDTH = max(map(len, COMMANDS)) + 2

USAGE = f"""usage: minicaffe <command> [options]

{chr(10).join(f"  {name:{WIDTH}}{command.summary}" for name, command in COMMANDS.items())}

  minicaffe <command> --help says more; --version prints the version;
  --traceback shows where in the program an error arose."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    terminal.hold_standard_files()
    words = list(sys.argv[1:] if arguments is None else arguments)
    show_traceback = False
    for flag in ("--traceback", "-traceback"):
        while flag in words:
            words.remove(flag)
            show_traceback = True
    name, rest = _command(words)
    program = f"minicaffe {name}" if name else "minicaffe"
    try:
        status = _run(name, rest)
        terminal.flush()
        return status
    except MiniCaffeError as error:
        if show_traceback:
            for line in traceback.format_exc().splitlines():
                terminal.complain(line)
            return 1
        terminal.complain(f"{program}: error: {error}")
        return 1
    except BrokenPipeError:  # the reader of our output has gone
        return 1
    except KeyboardInterrupt as stopped:
        terminal.complain(f"{program}: {str(stopped) or 'interrupted'}")
        return 130


def _command(words: list[str]) -> tuple[str | None, list[str]]:
    """The command and its arguments.  Flags may come before it, as in Caffe: `--solver=x train` or `-solver x
    train`; so the command is the first word that names one and is not the value of a flag before it."""
    for i, word in enumerate(words):
        follows_flag = i > 0 and words[i - 1].startswith("-") and "=" not in words[i - 1]
        if word in COMMANDS and not (follows_flag and any(w in COMMANDS for w in words[i + 1 :])):
            return word, words[:i] + words[i + 1 :]
    return None, words


def _run(name: str | None, rest: list[str]) -> int:
    if any(word in ("--version", "-version") for word in rest):
        terminal.say(f"minicaffe version {__version__}")
        return 0
    if name is not None:
        return load(f"cli.{COMMANDS[name].module}").run(rest)
    wrong = next((word for word in rest if not word.startswith("-")), "help")
    if wrong != "help":
        raise UnknownTypeError(f"no command {wrong!r}", hint=suggest(wrong, COMMANDS))
    terminal.show(USAGE)
    return 0
