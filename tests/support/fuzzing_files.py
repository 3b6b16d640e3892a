"""Files of every binary and list format with faults in them, as random as they are repeatable, and read in a
process of little memory and time.

    python -m tests.support.fuzzing_files FIRST COUNT [KIND...]

reads the mutants of COUNT seeds from FIRST on and fails if one ends in anything but values
or a MiniCaffeError.  A reader that dies takes the process with it: the seed stands at the end of stdout.  The
same seed always gives the same file: `mutant(seed)`.
"""

from __future__ import annotations

import gzip
import io
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minicaffe.convert import formats
from minicaffe.data import datum, encoding, idx, images
from minicaffe.data.database import FILE, Database, DatabaseWriter
from minicaffe.data.detection import label_map, voc
from minicaffe.data.detection.coco import Coco
from minicaffe.data.detection.database import parse, to_record
from minicaffe.data.detection.label_map import LabelMap
from minicaffe.data.detection.records import opened
from minicaffe.data.hdf5 import HDF5Batches
from minicaffe.data.image_list import ImageList
from minicaffe.data.images import Channels
from minicaffe.data.window_list import WindowList
from minicaffe.errors import MiniCaffeError
from minicaffe.proto import binary, hdf5, npy
from minicaffe.proto.schema import NetParameter, SolverState, message_class

from . import annotated

MEMORY = 6 << 30  # bytes of address space: libraries map much that they never touch
SECONDS = 20  # of the processor, for one file
WORDS = [
    0,
    1,
    2,
    4,
    8,
    16,
    127,
    128,
    255,
    256,
    4096,
    65535,
    1 << 20,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
    1 << 40,
]
NUMBERS = [
    b"0",
    b"-1",
    b"1e400",
    b"nan",
    b"9" * 20,
    b"9" * 400,
    b"9" * 5000,
    b"2147483648",
    b"#",
    b"\0",
    b"\xff",
    b" ",
]


class Kind(NamedTuple):
    """A format: the name of its file, whole files of it, and what reads one."""

    name: str
    whole: Callable[[], list[bytes]]
    read: Callable[[Path], object]
    text: bool = False


# -- whole files


def _weights() -> NetParameter:
    net = NetParameter()
    for name in ("conv1", "inception/a", "relu"):
        layer = net.layer.add(name=name, type="InnerProduct")
        if name != "relu":
            layer.blobs.extend(
                binary.from_array(np.ones(s, np.float32), np.zeros(s, np.float32)) for s in ((5, 4), 5)
            )
    return net


def _written(name: str) -> Callable[[], list[bytes]]:
    return lambda: [formats.write(_weights(), name)]


def _states() -> list[bytes]:
    state = SolverState(iter=5, current_step=1, learned_net="x.caffemodel.h5")
    state.history.extend(binary.from_array(np.ones((3, 4), np.float32)) for _ in range(12))
    fixed = hdf5.from_state(state)
    import h5py

    with h5py.File(file := io.BytesIO(fixed), "r+") as h5:
        del h5["learned_net"]
        h5["learned_net"] = "x.caffemodel.h5"  # of variable length, as h5py writes text
    return [fixed, file.getvalue()]


def _rows() -> list[bytes]:
    import h5py

    files = []
    for options in ({}, {"libver": "latest"}):
        with h5py.File(file := io.BytesIO(), "w", **options) as h5:
            h5.create_dataset(
                "data", data=np.zeros((10, 3, 4, 4), "f4"), compression="gzip", chunks=(3, 3, 4, 4)
            )
            h5.create_dataset("group/label", data=np.arange(10), maxshape=(None,))
            h5["label"] = h5py.SoftLink("/group/label")
        files.append(file.getvalue())
    return files


def _databases() -> list[bytes]:
    files = []
    for count, size in ((300, 12), (20, 6000)):  # two levels of pages; values beside the leaves
        folder = Path(tempfile.mkdtemp())
        with DatabaseWriter(folder / "db") as database:
            for label in range(count):
                database.add(datum.from_array(np.zeros((1, 1, size), np.uint8), label), "x.png")
        files.append((folder / "db" / FILE).read_bytes())
        shutil.rmtree(folder)
    return files


def _arrays() -> list[bytes]:
    files = []
    for array in (np.arange(12.0).reshape(3, 4), np.asfortranarray(np.ones((2, 5), ">f4")), np.array("text")):
        np.save(file := io.BytesIO(), array)
        files.append(file.getvalue())
    return files


def _idx() -> list[bytes]:
    head = bytes([0, 0, 8, 3, 0, 0, 0, 6, 0, 0, 0, 3, 0, 0, 0, 4])
    return [head + bytes(72), gzip.compress(head + bytes(72), mtime=0)]


def _images() -> list[bytes]:
    from PIL import Image

    files = []
    for form in ("PNG", "JPEG", "BMP", "TIFF", "GIF", "PPM", "WEBP"):
        Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).save(file := io.BytesIO(), form)
        files.append(file.getvalue())
    return files


WINDOWS = b"# 0\na.png\n3\n10\n12\n2\n1 0.9 1 1 8 8\n2 0.1 0 0 3 3\n# 1\nb.png\n3\n5\n5\n1\n4 0.5 0 0 4 4\n"


# -- readers


def _read_rows(path: Path) -> None:
    path.with_suffix(".txt").write_text(str(path))
    batches = HDF5Batches(str(path.with_suffix(".txt")), ["data", "label"], 4)
    batches(1, [np.empty((4, *shape), np.float32) for shape in batches.shapes])


def _read_database(path: Path) -> None:
    database = Database(path.parent)
    for index in [*range(min(len(database), 400)), len(database) - 1]:
        try:
            database.read(index)
        except MiniCaffeError:
            database.place(index)


def _read_idx(path: Path) -> None:
    array = idx.stored(path, kept_bytes=0)
    if isinstance(array, idx.StoredArray) and array.ndim and len(array):
        array.take(np.array([0, len(array) - 1]))
    idx.read(path)


def _instances() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        return [Path(annotated.coco_file(Path(folder))).read_bytes()]


def _records() -> list[bytes]:
    return [
        to_record(
            encoding.encode(annotated.picture(scene), "png"), annotated.objects_of(scene)
        ).SerializeToString()
        for scene in annotated.SCENES
    ]


KINDS = {
    "idx": Kind("x-idx3-ubyte", _idx, _read_idx),
    "lmdb": Kind(FILE, _databases, _read_database),
    "hdf5 data": Kind("x.h5", _rows, _read_rows),
    "hdf5 weights": Kind("x.caffemodel.h5", _written("x.caffemodel.h5"), formats.read),
    "hdf5 state": Kind("x.solverstate.h5", _states, formats.read),
    "npy": Kind("x.npy", _arrays, npy.read),
    "npz": Kind("x.npz", _written("x.npz"), formats.read),
    "safetensors": Kind("x.safetensors", _written("x.safetensors"), formats.read),
    "caffemodel": Kind("x.caffemodel", _written("x.caffemodel"), formats.read),
    "image": Kind("x.png", _images, images.read),
    "image list": Kind(
        "x.txt", lambda: [b"a b.png 1\nc.png -7\n" * 3], lambda path: ImageList(str(path)), True
    ),
    "VOC annotation": Kind(
        "x.xml",
        lambda: [annotated.xml(scene).encode() for scene in annotated.SCENES],
        lambda path: voc.parse(images.contents(path), LabelMap([("cat", 1, ""), ("dog", 2, "")], "map")),
        True,
    ),
    "COCO instances": Kind("x.json", _instances, lambda path: Coco(str(path)), True),
    "annotated record": Kind(
        "x.bin", _records, lambda path: opened(parse(path.read_bytes(), Channels.COLOR), Channels.COLOR)
    ),
    "label map": Kind(
        "x.prototxt", lambda: [label_map.spelled(["cat", "dog"]).encode()], label_map.read, True
    ),
    "window list": Kind(
        "windows.txt",
        lambda: [WINDOWS],
        lambda path: WindowList(str(path), message_class("WindowDataParameter")()),
        True,
    ),
}


@cache
def corpus(kind: str) -> list[bytes]:
    return KINDS[kind].whole()


def mutant(seed: int, kinds: Sequence[str] = tuple(KINDS)) -> tuple[str, bytes]:
    """A kind, and a file of it with one to four faults."""
    rng = random.Random(seed)
    kind = rng.choice(list(kinds))
    data = bytearray(rng.choice(corpus(kind)))
    used = [at for at, byte in enumerate(data) if byte]  # half of all faults are where there is something
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = min(rng.choice(used) if rng.random() < 0.5 else rng.randrange(len(data)), len(data) - 1)
        if KINDS[kind].text and rng.random() < 0.5:
            data[at : at + rng.choice((0, 1, 3))] = rng.choice(NUMBERS)
            continue
        width = rng.choice((1, 2, 4, 8))
        other = rng.randrange(len(data))
        data[at : at + width] = rng.choice(
            (
                bytes([data[at] ^ 1 << rng.randrange(8)]) + bytes(data[at + 1 : at + width]),
                b"\0" * width,
                b"\xff" * width,
                rng.randbytes(width),
                bytes(data[other : other + width]),  # a number or an address that stands elsewhere
                (rng.choice(WORDS) % (1 << 8 * width)).to_bytes(width, rng.choice(("little", "big"))),
            )
        )
    return kind, bytes(data[: rng.randrange(len(data))] if rng.random() < 0.05 else data)


def run(
    first: int, count: int, kinds: Sequence[str] = tuple(KINDS), kinds_of: dict[str, Kind] = KINDS
) -> int:
    """Read the mutants of `count` seeds; says on stderr what failed, and returns how many did."""
    ends: Counter[tuple[str, str]] = Counter()
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(first, first + count):
            kind, data = mutant(seed, kinds)
            path = Path(folder) / kinds_of[kind].name
            path.write_bytes(data)
            print(f"\rseed {seed}: {kind}", end="", flush=True)
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            try:
                kinds_of[kind].read(path)
                end = "read"
            except MiniCaffeError as error:
                str(error)
                end = "refused"
            except BaseException as error:  # anything at all, the timer's too
                traceback.print_exc(limit=-3)
                print(f"seed {seed}: {kind}: {type(error).__name__}: {error}", file=sys.stderr)
                end = type(error).__name__
                failures += 1
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
            ends[kind, end] += 1
    print("", *(f"{kind}: {number} {end}" for (kind, end), number in sorted(ends.items())), sep="\n")
    return failures


if __name__ == "__main__":
    os.nice(10)
    for name in KINDS:
        corpus(name)
    # The timer's own action ends the process, also inside a library that never comes back to Python.
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    sys.exit(run(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:] or tuple(KINDS)) > 0)
