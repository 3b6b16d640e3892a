"""What goes out to a terminal: printable, as wide as the terminal, and not lost in silence."""

from __future__ import annotations

import ast
import io
import logging
import os
import re
import shlex
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from minicaffe import log
from minicaffe.checking.table import aligned, columns, wrapped
from minicaffe.cli import terminal
from minicaffe.net import Net
from minicaffe.printable import printable

from ..support.running import ROOT, run

HOSTILE = "a\x1b[2J\x07\u202eb\nI0101 00:00:00.000000 1 x.cpp:1] Iteration 7, loss = 0\r\x9b31m\ufeff"
SPELT = "".join(f"\\{byte:03o}" for byte in HOSTILE.encode())  # as a prototxt has it
NET = f"""
name: "{SPELT}"
layer {{ name: "in" type: "DummyData" top: "x" top: "t"
  dummy_data_param {{ shape {{ dim: 2 dim: 3 }} data_filler {{ type: "gaussian" }}
    shape {{ dim: 2 dim: 3 }} data_filler {{ type: "gaussian" }} }} }}
layer {{ name: "{SPELT}" type: "InnerProduct" bottom: "x" top: "{SPELT}"
  inner_product_param {{ num_output: 3 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "loss" type: "EuclideanLoss" bottom: "{SPELT}" bottom: "t" top: "loss {SPELT}" }}
"""
SOLVER = 'net: "n.prototxt" base_lr: 0.1 lr_policy: "fixed" max_iter: 2 display: 1 snapshot_prefix: "s"'
FOLDER = "run\x1b[31m\u202e"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A net whose names are hostile, weights of two kinds, and a run in a folder of such a name."""
    path = tmp_path_factory.mktemp("hostile")
    (path / "n.prototxt").write_text(NET)
    (path / "s.prototxt").write_text(SOLVER + " test_iter: 1 test_interval: 1 test_initialization: true")
    (path / "bad.prototxt").write_text(NET.replace("InnerProduct", SPELT))
    (path / "nan.prototxt").write_text(SOLVER.replace("0.1", "1e38"))
    for seed in (1, 2):
        net = Net(str(path / "n.prototxt"), phase="TRAIN", seed=seed)
        net.to_message().SerializeToString()
        (path / f"{seed}.caffemodel").write_bytes(net.to_message().SerializeToString())
    return path


COMMANDS = [
    "train s.prototxt --run {FOLDER}",  # first: later ones look at it
    "train s.prototxt --log compact",
    "train nan.prototxt",
    "train bad.prototxt",
    "train bad.prototxt --traceback",
    "runs",
    "run {FOLDER}",
    "plot {FOLDER} -o plot.svg",
    "check n.prototxt bad.prototxt",
    "check n.prototxt --json",
    "summary n.prototxt",
    "summary 1.caffemodel",
    "draw n.prototxt -o net.svg",
    "draw n.prototxt -o net.png",
    "gradcheck n.prototxt",
    "time n.prototxt --iterations 1",
    "test n.prototxt 1.caffemodel --iterations 1",
    "diff 1.caffemodel 2.caffemodel",
    "diff n.prototxt bad.prototxt",
    "extract_features 1.caffemodel n.prototxt {HOSTILE} db 1 lmdb",
    "convert 1.caffemodel {HOSTILE}.npz",
    "convert n.prototxt {HOSTILE}/x.prototxt",
    "upgrade_net_proto_text {HOSTILE} x",
    "data info {HOSTILE}",
    "{HOSTILE}",
    "train --{HOSTILE}",
    "train --log {HOSTILE}",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_hostile_names_are_shown_escaped(command, folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    words = [word.format(HOSTILE=HOSTILE, FOLDER=FOLDER) for word in command.split()]
    result = run(capsys, *words)
    shown = [c for c in result.out + result.err if not c.isprintable() and c not in "\n\t"]
    assert not shown, (result.out + result.err).encode("unicode_escape")
    assert not re.search(r"^I0101", result.out + result.err, re.M), "a forged line"
    assert ("Traceback" in result.err) == ("--traceback" in words)
    assert result.status in (0, 1, 2)
    for path in folder.glob("*.svg"):
        ElementTree.parse(path)


def test_text_goes_out_in_one_place():
    """`print` and the standard files are for cli/terminal.py, so that no command forgets what it does."""
    for path in (ROOT / "minicaffe" / "cli").glob("*.py"):
        if path.name == "terminal.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            printed = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"
            written = isinstance(node, ast.Attribute) and ast.unparse(node) in (
                *("sys.stdout.write", "sys.stderr.write", "log.to_stderr"),
            )
            assert not printed and not written, f"{path.name}:{node.lineno}"


@pytest.mark.parametrize(
    "text, shown",
    [
        ("conv1/3x3 ü 中", "conv1/3x3 ü 中"),
        ("\x1b[2J\x00\x9b\n", r"\x1b[2J\x00\x9b\n"),
        ("\u202e\u2066\ufeff\u2028\ud800\uffff", r"\u202e\u2066\ufeff\u2028\ud800\uffff"),
    ],
)
def test_printable(text, shown):
    assert printable(text) == shown and shown.isprintable()


# -- as wide as the terminal


def test_a_narrow_terminal_gets_fewer_columns_and_shorter_cells():
    head, sides, leaving = ["layer", "type", "ms", "GB/s", "GB/s"], "<<>>>", ["GB/s", "GB/s", "type"]
    rows = [["inception_4a/very_long_name", "Convolution", "1.5", "10", "20"], ["x", "中中", "2", "1", "2"]]

    def table(width):
        lines = aligned(head, rows, sides, width=width, leaving=leaving).splitlines()
        assert all(columns(line) <= (width or 100) for line in lines)
        return lines

    assert table(None)[1] == "inception_4a/very_long_name  Convolution  1.5    10    20" == table(57)[1]
    assert table(56)[1] == "inception_4a/very_long_name  Convolution  1.5    10"
    assert table(50)[1] == "inception_4a/very_long_name  Convolution  1.5"
    assert table(40)[1] == "inception_4a/very_long_name  1.5"
    assert table(20)[1] == "incept...g_name  1.5"
    wide = aligned(["layer", "n"], [["中" * 30 + "end", "5"]], "<>", width=20)
    assert wide.splitlines()[1] == "中中中...中中end   5"
    assert table(57)[2] == "x                            中中           2     1     2"


def test_prose_is_broken_between_words():
    assert wrapped("  one two three four five", 20) == ["  one two three four", "    five"]
    assert wrapped("short", 10) == ["short"] and wrapped("as long as it is", None) == ["as long as it is"]
    assert wrapped(" ".join(["中中中"] * 4), 20) == ["中中中 中中中 中中中", "    中中中"]
    assert wrapped("see /a/very/long/path/indeed/it/is", 20) == ["see", "    /a/very/long/path/indeed/it/is"]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("colours", [True, False])
def test_a_compact_log_fits_the_terminal(colours, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if not colours:
        monkeypatch.setenv("NO_COLOR", "1")
    terminal.start_log()
    log.info("Iteration 100, " + 10 * "word ")
    log.detail("only for Caffe's log")
    log.warning("red\x1b[31m\nsecond")
    shown = sys.stderr.getvalue()
    assert ("\x1b[33mwarning: red" in shown) == ("\x1b[1mIteration" in shown) == colours
    lines = re.sub(r"\x1b\[\d+m", "", shown).splitlines()
    assert all(len(line) <= 40 for line in lines) and len(lines) == 4
    assert re.fullmatch(r"\d\d:\d\d:\d\d Iteration 100, word .*", lines[0])
    assert lines[1].startswith(15 * " " + "word") and lines[3].endswith(r"warning: red\x1b[31m\nsecond")


def test_a_quiet_log_has_warnings_alone_and_files_have_all(tmp_path, capsys):
    terminal.start_log("quiet")
    handler = log.to_file(tmp_path / "log.txt")
    log.info("said")
    log.error("wrong")
    handler.close()
    assert re.fullmatch(r"\d\d:\d\d:\d\d error: wrong\n", capsys.readouterr().err)
    assert re.fullmatch(r"I.*\] said\nE.*\] wrong\n", (tmp_path / "log.txt").read_text())
    assert logging.getLogger("minicaffe").level == logging.INFO


# -- a stdout that takes nothing


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize(
    "words, redirect, why",
    [
        ("", ">/dev/full", "No space left on device"),
        ("--version", ">&-", "it is closed"),
        ("--version", ">/dev/full 2>&-", None),
    ],
)
def test_a_stdout_that_is_full_or_closed(words, redirect, why):
    """One line and status 1, at the end of the interpreter too."""
    command = f"{sys.executable} -m minicaffe {words} {redirect}"
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == (f"minicaffe: error: cannot write to stdout: {why}\n" if why else "")


def test_help_into_a_full_disk(monkeypatch, capsys):
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert run(capsys, "test", "--help").status == 1


def test_a_stdout_that_is_closed_lends_its_number_to_no_file(tmp_path):
    code = (
        "import os; from minicaffe.cli import main; main.main([]);"
        f" os._exit(open({str(tmp_path / 'x')!r}, 'w').fileno())"
    )
    done = subprocess.run(f"{sys.executable} -c {shlex.quote(code)} >&-", shell=True, cwd=ROOT, stderr=-1)
    assert done.returncode > 2


def test_a_stdout_of_ascii(monkeypatch, capsys):
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", ascii_only)
    terminal.say("net ü 中")
    terminal.put_file('name: "ü"\n'.encode())
    terminal.flush()
    assert ascii_only.buffer.getvalue() == b'net \\xfc \\u4e2d\nname: "\xc3\xbc"\n'
