"""How this project compiles its kernels: no GIL, cached where a cache can be written, typed by explicit signatures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit, types


def readonly(dtype: Any, ndim: int = 1) -> types.Array:
    """Return the numba type of a C-contiguous array that the kernel only reads; writable arrays convert to it."""
    return types.Array(dtype, ndim, "C", readonly=True)


def kernel(*signature: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile a function for one signature (the return type first).

    The signature keeps start-up short (nothing is inferred at the first call) and stops a second variant from
    being compiled for each layout. numba's cache notices edits of the function's own file only, so a kernel calls
    no kernel of another file.
    """
    compiled_type = signature[0](*signature[1:])
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}

    def compile_function(function: Callable[..., Any]) -> Callable[..., Any]:
        try:
            return njit(compiled_type, cache=True, **options)(function)  # type: ignore[no-any-return]
        except RuntimeError as error:
            # numba's word for "neither the package's folder nor the user's cache folder can be written".
            if "no locator available" not in str(error):
                raise
            return njit(compiled_type, **options)(function)  # type: ignore[no-any-return]

    return compile_function
