"""Score images by a trained net, as Caffe's python/classify.py does.

    python tools/classify.py --model_def deploy.prototxt --pretrained_model net.caffemodel cat.jpg scores.npy

The input is an image, a folder, of which the files of --ext are taken in the order of their names, or a .npy
of images (N, H, W, K), red first, in [0, 1].  The output is a .npy, (N, classes).

Differs from Caffe: --model_def and --pretrained_model must be given, since no model comes with minicaffe, and
there is no mean unless --mean_file says so; it may be a .binaryproto.  A folder is read in order; in Caffe
the order is any, and nobody knows which row is which image.  An ending of the output other than .npy is kept.
"""

from __future__ import annotations

import argparse
import io
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from minicaffe import pycaffe as caffe
from minicaffe.errors import DataError
from minicaffe.proto import npy
from minicaffe.pycaffe import image_arguments


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Score images by a trained net.")
    parser.add_argument("input_file", help="an image, a folder, or a .npy")
    parser.add_argument("output_file", help="the .npy to write")
    image_arguments.add_arguments(parser)
    parser.add_argument("--center_only", action="store_true", help="the crop from the centre, instead of ten")
    parser.add_argument(
        "--images_dim", default="256,256", metavar="H,W", help="size before cropping (default 256,256)"
    )
    parser.add_argument("--ext", default="jpg", help="ending of the files in a folder (default jpg)")
    args = parser.parse_args(arguments)
    return image_arguments.run("classify.py", lambda: classify(args))


def classify(args: argparse.Namespace) -> None:
    dims = image_arguments.integers(args.images_dim, "--images_dim")
    options = image_arguments.options(args)
    classifier = caffe.Classifier(args.model_def, args.pretrained_model, image_dims=dims, **options)
    inputs = read(Path(args.input_file).expanduser(), args.ext)
    print(f"Classifying {len(inputs)} inputs.")
    start = time.perf_counter()
    predictions = classifier.predict(inputs, not args.center_only)
    print(f"Done in {time.perf_counter() - start:.2f} s.")
    print(f"Saving results into {args.output_file}")
    stored = io.BytesIO()
    np.save(stored, predictions)
    image_arguments.save(args.output_file, stored.getvalue())


def read(path: Path, ending: str) -> Sequence[np.ndarray]:
    """The images that the input means."""
    if path.is_dir():
        print(f"Loading folder: {path}")
        files = sorted(path.glob(f"*.{ending}"))
        if not files:
            raise DataError(f"{path}: no file ends in .{ending}", hint="--ext png takes others")
        return [caffe.io.load_image(file) for file in files]
    print(f"Loading file: {path}")
    if path.suffix != ".npy":
        return [caffe.io.load_image(path)]
    return npy.read(path)


if __name__ == "__main__":
    sys.exit(main())
