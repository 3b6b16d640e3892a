"""Code generation in the process that compiles for others: machine code of whole kernels alone.

Numba makes machine code, fully optimized, of every function that compiled code calls, and makes it once more
as part of the caller.  Nobody runs the first here: kernels are stored with all that they call, and what they
call is not stored by itself.  So a function stays LLVM's code as it was written until it is part of a kernel,
and is optimized there.  What LLVM does to each function before, by itself, it does again to the whole.
"""

from __future__ import annotations

from numba.core.codegen import JITCodeLibrary, JITCPUCodegen


class Library(JITCodeLibrary):
    """A function, together with what it calls; optimized and made machine code when its address is asked
    for."""

    _together = False

    def _ensure_finalized(self) -> None:
        """Have it ready to become part of a caller, or to be finalized: the callees in it."""
        if self._together:
            return
        self._together = True
        for library in dict.fromkeys(self._linking_libraries):
            self._reload_init.update(library._reload_init)
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._linking_libraries.clear()

    def finalize(self) -> None:
        self._ensure_finalized()
        super().finalize()

    def get_pointer_to_function(self, name: str) -> int:
        """0 for what a part of kernels lacks: a function that Python can call."""
        try:
            declared = self._final_module.get_function(name).is_declaration
        except NameError:
            return 0
        if declared:
            return 0
        if not self._finalized:
            self.finalize()
        return super().get_pointer_to_function(name)

    def _optimize_functions(self, module) -> None:
        module.data_layout = self._codegen._data_layout


class Codegen(JITCPUCodegen):
    """Makes such libraries."""

    _library_class = Library

    def set_env(self, name: str, env) -> None:
        """Where a function finds its Python objects: nowhere before there is machine code."""
        if self._engine.get_global_value_address(name):
            super().set_env(name, env)
