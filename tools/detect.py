"""Score windows of images by a trained net, as Caffe's python/detect.py does.

    python tools/detect.py --crop_mode list --model_def deploy.prototxt --pretrained_model net.caffemodel \\
        windows.csv scores.h5

With --crop_mode list the input is a .csv with the columns filename, ymin, xmin, ymax and xmax, in any order;
with selective_search a .txt of file names, one per line.  The output is

    .csv        filename,ymin,xmin,ymax,xmax,class0,class1,...
    any other   HDF5: the data sets filename (N), window (N, 4) as ymin, xmin, ymax, xmax, and prediction
                (N, classes)

Differs from Caffe: --model_def and --pretrained_model must be given, and there is no mean unless --mean_file
says so.  Caffe's .csv fails always, and its HDF5 is a pickled table that needs pandas and PyTables.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from minicaffe import pycaffe as caffe
from minicaffe.errors import ConfigError, DataError
from minicaffe.files import read_text
from minicaffe.pycaffe import image_arguments

CROP_MODES = ("list", "selective_search")
CORNERS = ("ymin", "xmin", "ymax", "xmax")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Score windows of images by a trained net.")
    parser.add_argument("input_file", help="a .csv of windows, or a .txt of images")
    parser.add_argument("output_file", help="the .csv or HDF5 file to write")
    image_arguments.add_arguments(parser)
    parser.add_argument(
        "--crop_mode", choices=CROP_MODES, default="selective_search", help="where windows come from"
    )
    parser.add_argument(
        "--context_pad", type=int, default=16, metavar="N", help="pixels of context around each (default 16)"
    )
    args = parser.parse_args(arguments)
    return image_arguments.run("detect.py", lambda: detect(args))


def detect(args: argparse.Namespace) -> None:
    listed = args.crop_mode == "list"
    if not args.input_file.lower().endswith("csv" if listed else "txt"):
        raise ConfigError(
            f"--crop_mode {args.crop_mode} reads a .{'csv' if listed else 'txt'}; got {args.input_file}",
            hint=f"--crop_mode {CROP_MODES[listed]}",
        )
    options = image_arguments.options(args)
    detector = caffe.Detector(
        args.model_def, args.pretrained_model, **options, context_pad=args.context_pad or None
    )
    start = time.perf_counter()
    print("Loading input...")
    lines = read(args.input_file)
    if listed:
        detections = detector.detect_windows(windows(lines, args.input_file).items())
    else:
        detections = detector.detect_selective_search([line.strip() for line in lines if line.strip()])
    if not detections:
        raise DataError(f"{args.input_file}: there is no window to score")
    print(f"Processed {len(detections)} windows in {time.perf_counter() - start:.3f} s.")

    start = time.perf_counter()
    as_csv = args.output_file.lower().endswith("csv")
    image_arguments.save(args.output_file, table(detections) if as_csv else hdf5(detections))
    print(f"Saved to {args.output_file} in {time.perf_counter() - start:.3f} s.")


def read(path: str) -> list[str]:
    """The lines of a text file."""
    text = read_text(path)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise DataError(f"{path}: not UTF-8", hint="name a text file") from None
    return text.splitlines()


def windows(lines: list[str], source: str) -> dict[str, list[tuple[float, ...]]]:
    """The windows of every image in a .csv, images in the order in which they first come."""
    rows = csv.reader(lines, skipinitialspace=True)
    names = [name.strip() for name in next(rows, [])]
    missing = {"filename", *CORNERS} - set(names)
    if missing:
        raise DataError(f"{source}:1: no column {', '.join(sorted(missing))}; got {','.join(names)}")
    found: dict[str, list[tuple[float, ...]]] = {}
    for row in rows:
        if not row:
            continue
        values = dict(zip(names, row))
        try:
            window = tuple(float(values[corner]) for corner in CORNERS)
        except (KeyError, ValueError):
            raise DataError(
                f"{source}:{rows.line_num}: expected {','.join(names)}; got {','.join(row)}"
            ) from None
        found.setdefault(values["filename"].strip(), []).append(window)
    return found


def table(detections: list[dict[str, Any]]) -> bytes:
    """Detections as a .csv."""
    scores = [np.ravel(one["prediction"]) for one in detections]
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["filename", *CORNERS, *(f"class{number}" for number in range(len(scores[0])))])
    for one, values in zip(detections, scores):
        rows.writerow([one["filename"], *map(int, one["window"]), *(f"{value:.9g}" for value in values)])
    return text.getvalue().encode()


def hdf5(detections: list[dict[str, Any]]) -> bytes:
    """Detections as an HDF5 file."""
    import h5py

    stored = io.BytesIO()
    with h5py.File(stored, "w") as file:
        file["filename"] = [str(one["filename"]) for one in detections]
        file["window"] = np.array([one["window"] for one in detections], np.int64)
        file["prediction"] = np.stack([np.ravel(one["prediction"]) for one in detections])
    return stored.getvalue()


if __name__ == "__main__":
    sys.exit(main())
