"""Where compiled kernels are kept between runs.

Numba's own cache looks only at the file of the function it compiled, and would keep code that calls an old
version of a helper in another file.  So the cache folder is named after a digest of every source that kernels
are made of: any edit or upgrade starts a new one.  Folders that no run has used for a month are removed.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import time
from pathlib import Path

from ..files import user_cache

PACKAGE = Path(__file__).resolve().parent
UNUSED_S = 30 * 24 * 3600


@functools.cache
def folder() -> Path | None:
    """The cache folder, made if need be: beside the sources, else in the user's cache; None if neither is
    writable."""
    name = f"kernels-{digest()}"
    for parent in (PACKAGE / "__pycache__", user_cache()):
        try:
            path = parent / name
            path.mkdir(parents=True, exist_ok=True)
            probe = path / f".probe-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError:
            continue
        for old in parent.glob("kernels-*"):
            if old.name != name and time.time() - old.stat().st_mtime > UNUSED_S:
                shutil.rmtree(old, ignore_errors=True)
        os.utime(path)
        return path
    return None


def digest() -> str:
    """Of the text of every Python source that compiled code can come from."""
    total = hashlib.sha256()
    for path in [PACKAGE.parent / "philox.py", *sorted(PACKAGE.rglob("*.py"))]:
        total.update(path.relative_to(PACKAGE.parent).as_posix().encode())
        total.update(path.read_bytes())
    return total.hexdigest()[:16]
