"""Draw photos into a folder: python -m tools.photos FOLDER --kind hard --count 20.

Beside `photos-00000.png` lies `photos-00000.json`: the lines, boxes and cells of `Photo`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from PIL import Image, ImageDraw

from . import KINDS, draw


def main() -> None:
    p = argparse.ArgumentParser(
        prog="python -m tools.photos", description="Draw photos of handwritten digits."
    )
    p.add_argument("folder", type=Path, metavar="FOLDER")
    p.add_argument("--kind", choices=KINDS, default="photos")
    p.add_argument("--count", type=int, default=10, help="how many (default 10)")
    p.add_argument("--seed", type=int, default=0, help="of the first; the next have the numbers after it")
    p.add_argument("--boxes", action="store_true", help="draw each character's box into the photo")
    args = p.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    for seed in range(args.seed, args.seed + args.count):
        photo = draw(seed, args.kind)
        picture = Image.fromarray(photo.image)
        if args.boxes:
            picture = picture.convert("RGB")
            for box in (box for line in photo.boxes for box in line):
                ImageDraw.Draw(picture).rectangle(box, outline=(255, 0, 0))
        stem = args.folder / f"{args.kind}-{seed:05d}"
        picture.save(stem.with_suffix(".png"))
        truth = {"lines": photo.lines, "boxes": photo.boxes, "cells": photo.cells}
        stem.with_suffix(".json").write_text(json.dumps(truth, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
