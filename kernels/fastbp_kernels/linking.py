"""Compile functions that only compiled code calls: to LLVM IR, not to machine code.

Numba optimises each function with all functions that it calls, turns it into machine
code, and does both again in every caller. For functions that Python never calls, that
work is wasted. Here the caller gets their unoptimised IR, so that everything is
optimised once, in the function that Python calls.
"""

from __future__ import annotations

from typing import Any

from numba.core import codegen, compiler, typed_passes
from numba.core.compiler_machinery import register_pass

__all__ = ["Part"]


class _NoMachineCode:
    """Placeholder for the object that holds machine code."""

    def set_env(self, env_name: str, env: Any) -> None:
        """Do nothing: code without Python objects uses no Python globals."""


class _PartLibrary(codegen.JITCodeLibrary):
    """Library of instructions that are only linked into other libraries."""

    @property
    def codegen(self) -> Any:
        """Return the code generator, or a placeholder once finished."""
        return self._codegen if not self._finalized else _NoMachineCode()

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        find_globals: Any = self._finalize_dynamic_globals
        find_globals()
        self._finalized = True

    def get_pointer_to_function(self, _: str) -> int:
        """Return 0, Numba's value for a function without machine code."""
        finish: Any = self._ensure_finalized
        finish()
        return 0


_register: Any = register_pass
_registered: Any = _register(mutates_CFG=True, analysis_only=False)


@_registered
class _Lowering(typed_passes.NativeLowering):
    _name = "fastbp_part_lowering"

    def run_pass(self, state: Any) -> bool:
        """Write the instructions into a library that is never compiled by itself."""
        library: Any = _PartLibrary
        state.library = library(state.targetctx.codegen(), state.func_id.func_qualname)
        lower: Any = super().run_pass
        return bool(lower(state))


class Part(compiler.Compiler):
    """Numba's compiler without its last step."""

    def define_pipelines(self) -> list[Any]:
        """Return Numba's own passes, with the last one replaced."""
        define: Any = super().define_pipelines
        pipelines: list[Any] = define()
        for pipeline in pipelines:
            pipeline.passes = [
                (_Lowering, why) if step is typed_passes.NativeLowering else (step, why)
                for step, why in pipeline.passes
            ]
        return pipelines
