"""How functions that only compiled code calls are compiled: to LLVM's language, and no further.

Numba optimises each function with all that it calls, turns it into machine code, and
does both again in every caller. Of functions that Python never calls that work is
thrown away: here their instructions are handed to the caller as they were written, so
that everything is optimised once, in the function that Python calls.
"""

from __future__ import annotations

from typing import Any

from numba.core import codegen, compiler, typed_passes
from numba.core.compiler_machinery import register_pass

__all__ = ["Part"]


class _NoMachineCode:
    """Stands for what holds machine code, where there is none."""

    def set_env(self, env_name: str, env: Any) -> None:
        """Globals of a Python function: code without Python objects uses none."""


class _PartLibrary(codegen.JITCodeLibrary):
    """Instructions that are only linked into others."""

    @property
    def codegen(self) -> Any:
        """Who makes machine code; once this is finished, nobody."""
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
        """Zero, as Numba has it where there is no code."""
        finish: Any = self._ensure_finalized
        finish()
        return 0


_register: Any = register_pass
_registered: Any = _register(mutates_CFG=True, analysis_only=False)


@_registered
class _Lowering(typed_passes.NativeLowering):
    _name = "fastbp_part_lowering"

    def run_pass(self, state: Any) -> bool:
        """Write the instructions into a library that goes no further."""
        library: Any = _PartLibrary
        state.library = library(state.targetctx.codegen(), state.func_id.func_qualname)
        lower: Any = super().run_pass
        return bool(lower(state))


class Part(compiler.Compiler):
    """Numba's compiler, but for the last step."""

    def define_pipelines(self) -> list[Any]:
        """Numba's own passes, the last one replaced."""
        define: Any = super().define_pipelines
        pipelines: list[Any] = define()
        for pipeline in pipelines:
            pipeline.passes = [
                (_Lowering, why) if step is typed_passes.NativeLowering else (step, why)
                for step, why in pipeline.passes
            ]
        return pipelines
