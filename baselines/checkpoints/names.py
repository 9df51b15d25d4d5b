"""Functions and classes that a pickle of weights names, and what each stands for; none is imported or called."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

# Bytes of an element, by the name of the storage's type.
ELEMENTS = {
    "Double": 8, "Float": 4, "Half": 2, "BFloat16": 2, "Long": 8, "Int": 4, "Short": 2, "Char": 1, "Byte": 1,
    "Bool": 1, "ComplexDouble": 16, "ComplexFloat": 8,
}  # fmt: skip
TYPES = {
    "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "int64": 8, "int32": 4, "int16": 2, "int8": 1,
    "uint64": 8, "uint32": 4, "uint16": 2, "uint8": 1, "bool": 1, "complex128": 16, "complex64": 8,
    "float8_e4m3fn": 1, "float8_e5m2": 1, "float8_e4m3fnuz": 1, "float8_e5m2fnuz": 1, "float8_e8m0fnu": 1,
}  # fmt: skip
TENSORS = (
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor_v3",
)
PARAMETERS = ("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state")
SUBCLASS = "torch._tensor._rebuild_from_type_v2"
_NUMPY = ("numpy.core", "numpy._core")
NEW_ARRAYS = tuple(f"{name}.multiarray._reconstruct" for name in _NUMPY)
WHOLE_ARRAYS = tuple(f"{name}.numeric._frombuffer" for name in _NUMPY)
# What stands beside weights: names that torch does not know, and what they are to it instead.
SCALARS = (*(f"{name}.multiarray.scalar" for name in _NUMPY), "numpy.dtype", "argparse.Namespace")
ARRAYS = (*NEW_ARRAYS, *WHOLE_ARRAYS, "numpy.ndarray")
SETTINGS = ("yacs.config.CfgNode", "fvcore.common.config.CfgNode", "detectron2.config.config.CfgNode")
KNOWN = frozenset(
    {
        "collections.OrderedDict", "collections.Counter", "builtins.set", "builtins.complex", "builtins.bytes",
        "_codecs.encode", "torch.Size", "torch.device", "torch.nn.parameter.Parameter", "torch.storage.UntypedStorage",
        SUBCLASS, *TENSORS, *PARAMETERS, *SCALARS, *ARRAYS, *SETTINGS,
        *(f"torch.{name}Storage" for name in ELEMENTS), *(f"torch.{name}" for name in TYPES),
    }
)  # fmt: skip
# What torch's reader would make beside dense tensors: sparse and quantised ones, and memory as large as is asked for.
STRANGE = re.compile(
    r"torch\.(_utils\._rebuild_\w+|serialization\._get_layout|(sparse\.|cuda\.|storage\.)*\w*(Tensor|Storage)"
    r"|per_\w+|q?u?int\w+|float\w+|bits\w+)|builtins\.bytearray"
)
EMPTY: dict[str, Callable[[], Any]] = {"collections.OrderedDict": dict, "builtins.bytes": bytes}
RENAMED = {"__builtin__": "builtins", "copy_reg": "copyreg"}
