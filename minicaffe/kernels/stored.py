"""Compiled functions as files: one for every function and types of arguments, in the cache folder.

    kernels-<digest>/minicaffe.kernels.softmax-<digest>/softmax_forward-<key>.code

holds what Numba stores of a compiled function (kept.py: how).

Numba keeps its own cache up to date by the time of one source file, and numbers its files by an index that
processes change in turns.  Here folders are named after sources (cache.py) and a file after what it holds, so
that there is nothing to keep up to date, and a file that is there is whole.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Callable
from pathlib import Path

from numba.core.caching import _Cache
from numba.core.compiler import CompileResult
from numba.core.runtime import rtsys
from numba.core.serialize import dumps

from . import kept, sources

# What is ordered: module and name of a function, the types of its arguments.
Request = tuple[str, str, tuple]


class Stored(_Cache):
    """The stored code of one function, as Numba's dispatchers ask for it.

    order  called with module and name of the function and the types of arguments for which there is no code;
           True once there is.  Numba compiles here if it is False; None: always
    """

    def __init__(self, function: Callable, folder: Path, order: Callable[[Request], bool] | None) -> None:
        self.owner = function.__module__, function.__name__
        self.folder = sources.place(folder, function.__module__)
        self.order = order
        self.made_from = _made_from(function)

    @property
    def cache_path(self) -> str:
        return str(self.folder)

    def path(self, types: tuple, target_context) -> Path:
        """Where the code for these types is, or would be; another processor has another file."""
        target = target_context.codegen().magic_tuple()
        key = hashlib.sha256(repr((str(types), target, self.made_from)).encode()).hexdigest()
        return self.folder / f"{self.owner[1]}-{key[:20]}.code"

    def load_overload(self, sig, target_context):
        """The code for a signature; None if there is none to be had.

        Stored code needs Numba's runtime alone.  What Numba also prepares for its own cache, all that it can
        compile, takes half a second, most of it to import SciPy.
        """
        rtsys.initialize(target_context)
        path = self.path(sig, target_context)
        found = self._load(path, target_context)
        if found is None and self.order is not None and self.order((*self.owner, sig)):
            found = self._load(path, target_context)
        return found

    def _load(self, path: Path, target_context):
        return kept.read(path, lambda content: CompileResult._rebuild(target_context, *pickle.loads(content)))

    def save_overload(self, sig, data) -> None:
        """Store the code for a signature; where that cannot be, it runs all the same.  OSError if nobody can
        be asked to make it: this is who is asked."""
        try:
            self._save(sig, data)
        except OSError as error:
            if self.order is None:
                raise
            kept.complain(self.folder.parent, error.strerror or str(error))

    def _save(self, sig, data) -> None:
        if data.library.has_dynamic_globals:  # addresses of this process: ctypes functions, large arrays
            return
        kept.write(self.path(sig, data.target_context), dumps(data._reduce()))

    # Numba's other methods: these files are always in use.

    def enable(self) -> None: ...

    def disable(self) -> None: ...

    def flush(self) -> None: ...


def storable(function: Callable) -> bool:
    """Whether a function's code can be recognized by a later process: what was typed in cannot."""
    return os.path.isfile(function.__code__.co_filename)


def _made_from(function: Callable) -> tuple:
    """What beside the cache folder's name tells the code of a function from that of another of its name."""
    if function.__module__.startswith(f"{__package__}."):
        return ()
    code, found = function.__code__, os.stat(function.__code__.co_filename)
    cells = [dumps(cell.cell_contents) for cell in function.__closure__ or ()]
    return code.co_filename, found.st_mtime_ns, found.st_size, code.co_firstlineno, code.co_code.hex(), cells
