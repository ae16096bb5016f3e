# %% apply: remembers only if the first input requires a gradient
    result = _wrap(op.forward(*[x.data for x in inputs]))
    if inputs[0].requires_grad and Op.recording:
        result.requires_grad, result.origin, result.made = True, (op, inputs), Op.tick()
    return result

# %% apply: remembers always, also what nobody will differentiate
    result = _wrap(op.forward(*[x.data for x in inputs]))
    result.requires_grad = any(x.requires_grad for x in inputs)
    result.origin = (op, inputs)
    result.made = Op.tick()
    return result

# %% apply: forgets that recording can be off
    result = _wrap(op.forward(*[x.data for x in inputs]))
    if any(x.requires_grad for x in inputs):
        result.requires_grad, result.origin, result.made = True, (op, inputs), Op.tick()
    return result

# %% apply: hands the tensors to forward instead of their arrays
    result = _wrap(op.forward(*inputs))
    if any(x.requires_grad for x in inputs) and Op.recording:
        result.requires_grad, result.origin, result.made = True, (op, inputs), Op.tick()
    return result

# %% mul: saves nothing, as Add does
        return a * b

# %% mul: saves in the order of the derivatives
        self.saved = (b, a)
        return a * b

# %% mul: saves the arrays after they have been broadcast
        self.saved = tuple(np.broadcast_arrays(a, b))
        return a * b

# %% broadcast_shapes: takes the larger size, which is wrong for 0
    shape = []
    for m, n in zip_longest(a[::-1], b[::-1], fillvalue=1):
        if m != n and 1 not in (m, n):
            raise ValueError(f"cannot broadcast {a} with {b}")
        shape.append(max(m, n))
    return tuple(shape[::-1])

# %% broadcast_shapes: lines the shapes up at the first axis
    shape = []
    for m, n in zip_longest(a, b, fillvalue=1):
        if m != n and 1 not in (m, n):
            raise ValueError(f"cannot broadcast {a} with {b}")
        shape.append(n if m == 1 else m)
    return tuple(shape)

# %% broadcast_shapes: stretches whatever divides the other size
    shape = []
    for m, n in zip_longest(a[::-1], b[::-1], fillvalue=1):
        if m != n and 1 not in (m, n) and 0 in (m, n):
            raise ValueError(f"cannot broadcast {a} with {b}")
        shape.append(n if m == 1 else m)
    return tuple(shape[::-1])

# %% broadcast_shapes: an error that names the sizes only
    shape = []
    for m, n in zip_longest(a[::-1], b[::-1], fillvalue=1):
        if m != n and 1 not in (m, n):
            raise ValueError(f"{m} and {n} do not fit")
        shape.append(n if m == 1 else m)
    return tuple(shape[::-1])

# %% promote_types: NumPy's rule for everything
    return np.promote_types(a, b)

# %% promote_types: looks at the left side only
    if a.kind == "f":
        return a
    return np.promote_types(a, b)

# %% promote_types: takes every float for float32
    if "f" in (a.kind, b.kind):
        return np.dtype(np.float32)
    return np.promote_types(a, b)

# %% rsub: the order of an ordinary operator
        return _binary(Sub(), self, other)

# %% rsub: subtraction commutes, so the other operator will do
        return self - other

# %% rsub: computes outside the recipe
        return Tensor(np.subtract(other, self.data))

# %% sum: saves the input instead of its shape
        self.saved = (a,)
        dtype = a.dtype if a.dtype.kind == "f" else np.int64
        return a.sum(axis=axis, keepdims=keepdims, dtype=dtype)

# %% sum: forgets keepdims
        self.saved = (a.shape,)
        dtype = a.dtype if a.dtype.kind == "f" else np.int64
        return a.sum(axis=axis, dtype=dtype)

# %% sum: sums in the dtype of the input, which overflows
        self.saved = (a.shape,)
        return a.sum(axis=axis, keepdims=keepdims, dtype=a.dtype)

# %% sum: leaves the dtype to NumPy, which makes uint64 of uint8
        self.saved = (a.shape,)
        return a.sum(axis=axis, keepdims=keepdims)

# %% var: the mean of the squares minus the square of the mean, in float32
        n = prod(self.shape[i] for i in _axes(axis, self.ndim))
        m = self.mean(axis, keepdims)
        return ((self * self).mean(axis, keepdims) - m * m) * n / max(n - correction, 0)

# %% var: ignores the correction
        d = self - self.mean(axis, keepdims=True)
        return (d * d).mean(axis, keepdims)

# %% var: counts all elements, not those along the axes
        d = self - self.mean(axis, keepdims=True)
        return (d * d).sum(axis, keepdims) / max(self.size - correction, 0)

# %% var: lets NumPy do it, outside the recipe
        return Tensor(self.data.var(axis=axis, ddof=correction, keepdims=keepdims))

# %% matmul: multiplies element by element
        self.saved = (a, b)
        return a * b

# %% matmul: compares the first axes, which only fits plain matrices
        if a.shape[1] != b.shape[0]:
            raise ValueError(f"cannot multiply {a.shape} by {b.shape}")
        self.saved = (a, b)
        return a @ b

# %% matmul: transposes the second one where that makes it fit
        if a.shape[-1] != b.shape[-2]:
            b = b.swapaxes(-1, -2)
        self.saved = (a, b)
        return a @ b

# %% matmul: names only one shape
        if a.shape[-1] != b.shape[-2]:
            raise ValueError(f"{b.shape} does not fit")
        self.saved = (a, b)
        return a @ b

# %% transpose: reverses all axes
        return self.permute(tuple(range(self.ndim))[::-1])

# %% transpose: reshapes instead of exchanging
        dims = list(range(self.ndim))
        dims[dim0], dims[dim1] = dims[dim1], dims[dim0]
        return self.reshape(tuple(self.shape[i] for i in dims))

# %% transpose: copies
        return _wrap(self.data.swapaxes(dim0, dim1).copy())

# %% transpose: moves an axis instead of exchanging two
        return self.permute(tuple(np.argsort(np.moveaxis(np.arange(self.ndim), dim0, dim1)))) if self.ndim == 2 else _wrap(np.moveaxis(self.data, dim0, dim1))

# %% unsqueeze: counts a negative dim from the end of the input
        i = dim % self.ndim if dim < 0 else dim
        return self.reshape(*self.shape[:i], 1, *self.shape[i:])

# %% unsqueeze: replaces the axis at dim instead of pushing it on
        (i,) = _axes(dim, self.ndim + 1)
        return self.reshape(*self.shape[:i], 1, *self.shape[i + 1 :])

# %% unsqueeze: lets NumPy do it, outside the recipe
        return _wrap(np.expand_dims(self.data, dim))

# %% unsqueeze: slices the shape, so a position too far is taken for the end
        i = dim + self.ndim + 1 if dim < 0 else dim
        return self.reshape(*self.shape[:i], 1, *self.shape[i:])

# %% stack: concatenates along an axis they have
    return concat(tensors, dim)

# %% stack: makes the new axis in front, whatever dim is
    return concat([x.unsqueeze(0) for x in tensors], 0)

# %% stack: puts the new axis in front, then joins along dim
    return concat([x.unsqueeze(0) for x in tensors], dim)

# %% stack: lets NumPy do it, outside the recipe
    return Tensor(np.stack([x.data for x in tensors], dim))

# %% recipe: takes the op for a parent too
    return topological_order(results, lambda x: x.origin if isinstance(x, Tensor) and x.origin else ())

# %% recipe: forgets that some tensors have no origin
    return topological_order(results, lambda x: x.origin[1])

# %% recipe: walks by recursion and lists what is shared twice
    order = []
    for x in results:
        if x.origin:
            order += recipe(*x.origin[1])
        order.append(x)
    return order

# %% recipe: outputs before inputs
    return topological_order(results, lambda x: x.origin[1] if x.origin else ())[::-1]
# %% apply: forgets to note when it ran, so that a later write goes unnoticed
    result = _wrap(op.forward(*[x.data for x in inputs]))
    for x in inputs:
        if x.requires_grad and Op.recording:
            result.requires_grad, result.origin = True, (op, inputs)
    return result
# %% promote_types: float32 wherever a float meets an integer
    if (a.kind == "f") != (b.kind == "f"):
        return np.dtype(np.float32)
    return np.promote_types(a, b)
# %% transpose: computes with the array and loses the memory of it
        return _wrap(self.data.swapaxes(dim0, dim1))
