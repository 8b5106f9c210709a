"""Vectors of other libraries as NumPy arrays, without importing these libraries."""

import numpy as np


def as_vector(values, layer):
    """One-dimensional f32 values of an array, a tensor of any device, or a sequence."""
    for method in ("detach", "cpu"):
        if hasattr(values, method):
            values = getattr(values, method)()
    # bfloat16 tensors have no NumPy type
    if "bfloat16" in str(getattr(values, "dtype", "")) and hasattr(values, "float"):
        values = values.float()
    if isinstance(values, np.ndarray):
        array = values
    elif hasattr(values, "__array__"):
        array = np.asarray(values)
    elif hasattr(values, "__dlpack__"):
        array = np.from_dlpack(values)
    elif hasattr(values, "numpy"):
        array = values.numpy()
    else:
        array = np.asarray(values)
    array = np.ascontiguousarray(array, dtype=np.float32)
    if array.ndim != 1:
        raise ValueError(f"the direction of layer {layer} has shape {array.shape}, expected one dimension")
    return array
