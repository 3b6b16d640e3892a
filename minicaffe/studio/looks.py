"""What is looked at on the page Inspect, kept in files: a look survives the server, and tabs share it."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..files import read_bytes, write_atomic
from .answers import Missing

KEPT = 64  # looks, and images
LARGEST_BYTES = 1 << 16  # of a look
ID = re.compile(r"[0-9a-f]{32}")


class Looks:
    """Looks (`stepping.Look`) and images by id, in a folder that nobody else reads.  The oldest go."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep_image(self, content: bytes) -> str:
        """The id of an image, the bytes of a file."""
        return self._keep(content, ".image")

    def image(self, id: str) -> Path:
        """The file of an image; Missing if it is not here any more."""
        return self._find(id, ".image", "drop the image once more")

    def keep(self, look: dict[str, Any]) -> str:
        """The id of a look."""
        return self._keep(json.dumps(look, sort_keys=True).encode(), ".json")

    def find(self, id: str) -> dict[str, Any]:
        """A look; Missing if it is not here any more."""
        path = self._find(id, ".json", "pick the image once more")
        try:
            return json.loads(read_bytes(path, LARGEST_BYTES))
        except ValueError:
            raise DataError(f"{path.name} is damaged", hint="pick the image once more") from None

    def _keep(self, content: bytes, ending: str) -> str:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        id = hashlib.sha256(content).hexdigest()[:32]
        write_atomic(self.folder / f"{id}{ending}", content)
        there = sorted(self.folder.glob(f"*{ending}"), key=lambda path: path.stat().st_mtime_ns)
        for path in there[:-KEPT]:
            path.unlink(missing_ok=True)
        return id

    def _find(self, id: str, ending: str, remedy: str) -> Path:
        path = self.folder / f"{id}{ending}"
        if not ID.fullmatch(id) or not path.is_file():
            raise Missing(f"nothing is kept under {id!r}", hint=remedy)
        return path
