"""The arguments that Caffe's classify.py and detect.py share: a net, and what is done to its images."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import ConfigError, DataError, MiniCaffeError, locate
from ..files import write_atomic
from ..proto import binary, npy
from ..proto.schema import BlobProto
from . import modes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model_def", required=True, metavar="FILE", help="the deploy prototxt")
    parser.add_argument("--pretrained_model", required=True, metavar="FILE", help="the weights")
    parser.add_argument("--gpu", action="store_true", help="run on GPU 0")
    parser.add_argument(
        "--mean_file", default="", metavar="FILE", help="the mean image (K, H, W), .npy or .binaryproto"
    )
    parser.add_argument("--input_scale", type=float, metavar="X", help="factor after the mean was taken away")
    parser.add_argument(
        "--raw_scale", type=float, default=255.0, metavar="X", help="factor before that (default 255)"
    )
    parser.add_argument(
        "--channel_swap",
        default="2,1,0",
        metavar="A,B,C",
        help="which channels become first, second, third (default 2,1,0: blue first); '' leaves them",
    )


def options(args: argparse.Namespace) -> dict[str, Any]:
    """The options of Classifier and Detector that the arguments give; sets Caffe's mode, and says so."""
    modes.set_mode_gpu() if args.gpu else modes.set_mode_cpu()
    print("GPU mode" if args.gpu else "CPU mode")
    return {
        "mean": channel_means(args.mean_file) if args.mean_file else None,
        "input_scale": args.input_scale,
        "raw_scale": args.raw_scale,
        "channel_swap": integers(args.channel_swap, "--channel_swap") if args.channel_swap else None,
    }


def channel_means(path: str) -> np.ndarray:
    """The mean of each channel (K,), of a mean image (K, H, W) or of means (K,).

    path  .npy, or the binary BlobProto that compute_image_mean writes
    """
    if path.endswith(".npy"):
        mean = npy.read(path)
    else:
        blob = binary.read(path, BlobProto)
        with locate(path):
            mean = binary.to_array(blob)
    if mean.ndim == 4 and len(mean) == 1:
        mean = mean[0]
    if mean.ndim not in (1, 3) or not mean.size or mean.dtype.kind not in "biuf":
        raise DataError(f"{path}: a mean must have the shape (K, H, W) or (K,); got {mean.shape}")
    return mean.reshape(len(mean), -1).mean(1)


def integers(text: str, flag: str) -> list[int]:
    """The numbers in 2,1,0."""
    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        raise ConfigError(f"{flag} must be whole numbers separated by commas; got {text!r}") from None


def save(path: str, content: bytes) -> None:
    """Write a result; DataError if it cannot be written."""
    try:
        write_atomic(path, content)
    except (OSError, ValueError) as error:  # ValueError: a name that is none, such as .
        raise DataError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from None


def run(script: str, work: Callable[[], None]) -> int:
    """The exit status of a script: 1 after an error, which becomes one line."""
    try:
        work()
    except MiniCaffeError as error:
        print(f"{script}: error: {error}", file=sys.stderr)
        return 1
    return 0
