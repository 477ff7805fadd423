"""Compile functions that only compiled code calls: to LLVM IR, not to machine code.

Numba optimises each function with all functions that it calls, turns it into machine
code, and does both again in every caller. For functions that Python never calls, that
work is wasted. Here the caller gets their unoptimised IR, so that everything is
optimised once, in the function that Python calls.
"""

from __future__ import annotations

import gc
from typing import Any

from numba import types
from numba.core import codegen, compiler, lowering, typed_passes, untyped_passes
from numba.core.analysis import dead_branch_prune
from numba.core.compiler_machinery import FunctionPass, SSACompliantMixin, register_pass

from .target import CHECKS_BOUNDS

__all__ = ["Entry", "Part"]

UNUSED = {
    "WithLifting",
    "InlineClosureLikes",
    "RewriteDynamicRaises",
    "MakeFunctionToJitFunction",
    "InlineInlinables",
    "FindLiterallyCalls",
    "LiteralUnroll",
    "LiteralPropagationSubPipelinePass",
    "InlineOverloads",
    "NopythonRewrites",
    "NoPythonSupportedFeatureValidation",
    "DumpParforDiagnostics",
}
"""Passes of Numba for what kernels do not use."""


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

_writer: Any = lowering.Lower
"""What writes instructions: Numba alone, or with checks of addresses."""
if CHECKS_BOUNDS:
    from .bounds import CheckedLower

    _writer = CheckedLower


@_registered
class _Whole(typed_passes.NativeLowering):
    _name = "fastbp_lowering"

    @property
    def lowering_class(self) -> Any:
        """Return what writes the instructions."""
        return _writer


@_registered
class _Lowering(_Whole):
    _name = "fastbp_part_lowering"

    def run_pass(self, state: Any) -> bool:
        """Write the instructions into a library that is never compiled by itself."""
        library: Any = _PartLibrary
        state.library = library(state.targetctx.codegen(), state.func_id.func_qualname)
        lower: Any = super().run_pass
        return bool(lower(state))


class _Given:
    """Stands for the type of an argument that is not None.

    Numba decides ``argument is None`` only where it is, or where the type is literal.
    """

    literal_type = types.int64


@_registered
class _Pruning(SSACompliantMixin, FunctionPass):
    _name = "fastbp_branch_pruning"

    def __init__(self) -> None:
        initialize: Any = super().__init__
        initialize()

    def run_pass(self, state: Any) -> bool:
        """Drop the branches that ``argument is None`` rules out, both ways."""
        kinds = types.NoneType, types.Omitted, types.Optional
        prune: Any = dead_branch_prune
        prune(state.func_ir, [kind if isinstance(kind, kinds) else _Given() for kind in state.args])
        return True


class Entry(compiler.Compiler):
    """Numba's compiler without the passes that kernels do not need.

    Kernels have neither closures, generators nor array expressions, and ask LLVM to
    inline. Nothing that compiling makes is garbage before it ends: to look for garbage
    would take a tenth of the time.
    """

    def compile_extra(self, func: Any) -> Any:
        """Compile without garbage collection."""
        compile_: Any = super().compile_extra
        if not gc.isenabled():
            return compile_(func)
        gc.disable()
        try:
            return compile_(func)
        finally:
            gc.enable()

    def define_pipelines(self) -> list[Any]:
        """Return Numba's own passes, less `UNUSED`."""
        define: Any = super().define_pipelines
        pipelines: list[Any] = define()
        for pipeline in pipelines:
            pipeline.passes = [
                (self.replaced(step), why) for step, why in pipeline.passes if step.__name__ not in UNUSED
            ]
        return pipelines

    def replaced(self, step: Any) -> Any:
        """Return the pass that takes the place of one of Numba's."""
        if step is typed_passes.NativeLowering:
            return _Whole
        return _Pruning if step is untyped_passes.DeadBranchPrune else step


class Part(Entry):
    """Numba's compiler without its last step."""

    def replaced(self, step: Any) -> Any:
        """Return the pass that takes the place of one of Numba's."""
        return _Lowering if step is typed_passes.NativeLowering else super().replaced(step)
