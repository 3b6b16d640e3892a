"""Videos listed in a text file, each a folder of frames."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

import numpy as np

from ..errors import ConfigError, DataError, ShapeError, locate
from . import images
from .image_list import ImageList
from .images import Channels
from .resize import Resize

LONGEST = 9  # digits of a number of frames


class Video(NamedTuple):
    """A folder with frames 1 to `length`."""

    folder: str
    length: int
    label: int


class VideoList:
    """The videos that a text file lists, one per line as folder, number of frames, and label.

    source   the path of the text file; folders may hold spaces
    flow     frames are two grey images each, the optical flow along x and y, else one of three colours
    pattern  of the names of frames: %d, perhaps as %04d, stands for the number of the frame, and in flow %c
             before that for x or y; "" means image_%04d.jpg, or flow_%c_%04d.jpg
    size     height and width that frames are resized to; None: as they are

    Raises DataError, with file and line, if the file does not have this form.
    """

    def __init__(
        self, source: str, flow: bool, pattern: str = "", size: tuple[int, int] | None = None
    ) -> None:
        self.lines, self.flow = ImageList(source), flow
        self.pattern = pattern or ("flow_%c_%04d.jpg" if flow else "image_%04d.jpg")
        self.resize = Resize(*size) if size else None
        self.videos = [self._parse(i) for i in range(len(self.lines))]
        try:
            self._names(1)
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"name_pattern {self.pattern!r} does not name frames: {error}",
                hint="such as flow_%c_%04d.jpg" if flow else "such as image_%04d.jpg",
            ) from None

    def __len__(self) -> int:
        return len(self.videos)

    def place(self, index: int) -> str:
        """The file and line of video `index`, for errors."""
        return self.lines.place(index)

    @property
    def channels(self) -> int:
        """Of a frame."""
        return 2 if self.flow else 3

    def frames(self, video: Video, first: int, count: int) -> list[np.ndarray]:
        """`count` frames behind frame number `first`, each as images (C, H, W), bytes."""
        found: list[np.ndarray] = []
        for number in range(first + 1, first + count + 1):
            for name in self._names(number):
                path = os.path.join(video.folder, name)
                image = images.read(path, Channels.GRAY if self.flow else Channels.COLOR)
                if self.resize is not None:
                    with locate(path):
                        resized = np.empty((len(image), self.resize.height, self.resize.width), np.uint8)
                        self.resize(image, resized)
                        image = resized
                if found and image.shape != found[0].shape:
                    raise ShapeError(
                        f"{path}: all frames of a video must have the shape {found[0].shape};"
                        f" got {image.shape}"
                    )
                found.append(image)
        return found

    def _names(self, number: int) -> list[str]:
        """The files of a frame."""
        return [
            self.pattern % ((axis, number) if self.flow else number) for axis in ("xy" if self.flow else "x")
        ]

    def _parse(self, index: int) -> Video:
        words, label = self.lines.entries[index]
        folder, _, length = words.rpartition(" ")
        if (
            not folder
            or not re.fullmatch(r"[0-9]+", length)
            or not 0 < len(length) <= LONGEST
            or not int(length)
        ):
            raise DataError(
                f"{self.place(index)}: expected a folder, the number of its frames, and a label; got"
                f" {words[:200]!r} before the label"
            )
        return Video(folder, int(length), label)
