"""Nets that are almost right: mutations of prototxts, each built in a process of little memory and time.

    python -m tests.support.fuzzing FIRST COUNT

builds the nets of COUNT seeds from FIRST on and fails with the first one that ends in anything but a net or a
MiniCaffeError.  The same seed always gives the same text: `mutant(seed)`.
"""

from __future__ import annotations

import logging
import os
import random
import re
import resource
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from minicaffe import Net
from minicaffe.device.cpu import CpuDevice
from minicaffe.errors import MiniCaffeError
from minicaffe.proto import text, upgrade
from minicaffe.proto.schema import NetParameter

ROOT = Path(__file__).parent.parent.parent
TOKEN = re.compile(r'#[^\n]*|"[^"\n]*"|[{}:]|[^\s{}:"]+')
NUMBER = re.compile(r"-?[\d.]+(e-?\d+)?f?")
NUMBERS = """0 -1 1 2 3 4 5 7 32 33 255 256 1000 65535 65536 1000000 2147483647 2147483648 4294967295
    4294967296 9223372036854775807 9223372036854775808 -2 -4 -2147483648 -9223372036854775808 0.5 -0.5 1e-45
    1e38 1e39 inf -inf nan 0x7fffffff 037777777777 true""".split()
STRINGS = [
    "",
    "\\000",
    "ü😀",
    "x" * 5000,
    "/",
    ".",
    "data",
    "label",
    "a\\nb",
    "'",
    "../..",
    "%s",
    "{0}",
    "\\U00110000",
    "\\377",
    "\\\\" * 50,
    "\udcff",
    "\ufeff",
]

MEMORY = 64 << 20  # bytes that a net may have
ADDRESSES = 16 << 30  # bytes of address space: compiled code and libraries map much that they never touch
SECONDS = 20  # for one net


class SmallDevice(CpuDevice):
    """A processor with little memory: larger nets are refused, not built."""

    def total_memory(self) -> int:
        return MEMORY


@cache
def corpus() -> list[str]:
    """The published nets that are small enough to parse in no time, and those of the recorded layers."""
    nets = [path.read_text() for path in sorted((ROOT / "prototxt").glob("*/*.prototxt"))]
    cases = sorted((ROOT / "tests" / "golden" / "layers").glob("*.npz"))
    old = sorted((ROOT / "tests" / "golden" / "upgrade").glob("v*.in.prototxt"))
    nets += [str(np.load(path)["net"]) for path in cases] + [path.read_text() for path in old]
    return [net for net in nets if len(net) < 10_000 and re.search(r"\blayers?\b", net)]


def mutant(seed: int) -> bytes:
    """One of the corpus with one to four faults."""
    rng = random.Random(seed)
    tokens = TOKEN.findall(rng.choice(corpus()))
    for _ in range(rng.choice((1, 1, 2, 4))):
        rng.choice(MUTATIONS)(tokens, rng)
    data = " ".join(tokens).encode("utf-8", "surrogateescape")
    if rng.random() < 0.1:
        flipped = bytearray(data)
        for _ in range(rng.randint(1, 3)):
            flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
        data = bytes(flipped)
    return data[: rng.randrange(len(data))] if rng.random() < 0.05 else data


def _delete(tokens: list[str], rng: random.Random) -> None:
    at = rng.randrange(len(tokens))
    del tokens[at : at + rng.choice((1, 1, 3))]
    tokens.append("")


def _repeat(tokens: list[str], rng: random.Random) -> None:
    at, length = rng.randrange(len(tokens)), rng.choice((1, 3, 3, 20))
    tokens[at:at] = tokens[at : at + length] * rng.choice((1, 1, 50))


def _swap(tokens: list[str], rng: random.Random) -> None:
    i, j = rng.randrange(len(tokens)), rng.randrange(len(tokens))
    tokens[i], tokens[j] = tokens[j], tokens[i]


def _number(tokens: list[str], rng: random.Random) -> None:
    _replace(tokens, rng, lambda token: NUMBER.fullmatch(token), rng.choice(NUMBERS))


def _string(tokens: list[str], rng: random.Random) -> None:
    strings = [token for token in tokens if token.startswith('"')] or ['""']
    value = rng.choice(strings) if rng.random() < 0.7 else f'"{rng.choice(STRINGS)}"'
    _replace(tokens, rng, lambda token: token.startswith('"'), value)


def _field(tokens: list[str], rng: random.Random) -> None:
    """A field that some message of the file's has, with some number, where another field begins."""
    names = [f for f in FIELDS if f"{f[0]}" in tokens]
    if names:
        message, field = rng.choice(names)
        at = tokens.index(message) + 1
        while at < len(tokens) and tokens[at] in (":", "{"):
            at += 1
        tokens[at:at] = [field, ":", rng.choice(NUMBERS)]


def _shape(tokens: list[str], rng: random.Random) -> None:
    """Another shape, of any number of axes, for a blob."""
    places = [i for i, token in enumerate(tokens[:-1]) if token == "shape" and tokens[i + 1] == "{"]
    if places:
        at = rng.choice(places) + 2
        end = tokens.index("}", at) if "}" in tokens[at:] else len(tokens)
        dims = [str(rng.choice((0, 1, 1, 2, 3, 5, 8, 1000))) for _ in range(rng.randint(0, 6))]
        tokens[at:end] = [part for dim in dims for part in ("dim", ":", dim)]


def _spelling(tokens: list[str], rng: random.Random) -> None:
    """A value with quotes too many or too few, or a byte that is no UTF-8 in its place."""
    at = rng.randrange(len(tokens))
    token = tokens[at]
    tokens[at] = rng.choice((f'"{token.strip(chr(34))}"', token.strip('"'), "\udcff", f"{token},1"))


def _replace(tokens, rng, fits, value) -> None:
    places = [i for i, token in enumerate(tokens) if fits(token)]
    if places:
        tokens[rng.choice(places)] = value


def _message_fields() -> list[tuple[str, str]]:
    layer = NetParameter.DESCRIPTOR.fields_by_name["layer"].message_type
    return [(f.name, inner.name) for f in layer.fields if f.message_type for inner in f.message_type.fields]


FIELDS = _message_fields()
MUTATIONS = [_delete, _spelling, _repeat, _swap, *[_shape] * 4, *[_number] * 6, *[_string] * 3, *[_field] * 6]


def build(data: bytes) -> str:
    """Build the net that the bytes describe; returns how that ended."""
    try:
        net = text.parse(data.decode("utf-8", "surrogateescape"), NetParameter)
        upgrade.upgrade_net(net)
        for phase in ("TRAIN", "TEST"):
            Net(net, phase=phase, device=SmallDevice(), seed=1, keep="needed")
    except MiniCaffeError as error:
        str(error)
        return type(error).__name__
    return "a net"


def run(first: int, count: int, build: Callable[[bytes], str] = build) -> int:
    """Try the mutants of `count` seeds; says on stderr what failed, and returns how many did."""
    ends: Counter[str] = Counter()
    failures = 0
    for seed in range(first, first + count):
        data = mutant(seed)
        signal.alarm(SECONDS)
        try:
            end = build(data)
        except BaseException as error:  # anything at all, the alarm's too
            traceback.print_exc(limit=-3)
            print(f"seed {seed}: {type(error).__name__}: {error}", file=sys.stderr)
            end = type(error).__name__
            failures += 1
        finally:
            signal.alarm(0)
        ends[end] += 1
    print(dict(ends))
    return failures


def _too_long(*_) -> None:
    raise TimeoutError(f"not done after {SECONDS} s")


if __name__ == "__main__":
    corpus()
    os.chdir(tempfile.mkdtemp())  # paths in the nets lead to nothing
    logging.getLogger("minicaffe").setLevel(logging.CRITICAL)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    signal.signal(signal.SIGALRM, _too_long)
    sys.exit(run(int(sys.argv[1]), int(sys.argv[2])) > 0)
