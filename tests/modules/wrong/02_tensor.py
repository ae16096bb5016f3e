# %% apply: remembers only if the first input requires a gradient
# rule: at least one input has `requires_grad`
    result = _wrap(op.forward(*[x.data for x in inputs]))
    if inputs[0].requires_grad and grad_mode.enabled:
        result.requires_grad, result.origin, result.made = True, (op, inputs), Op.tick()
    return result

# %% apply: remembers always, also what nobody will differentiate
# rule: In all other cases the result remembers nothing
    result = _wrap(op.forward(*[x.data for x in inputs]))
    result.requires_grad = any(x.requires_grad for x in inputs)
    result.origin = (op, inputs)
    result.made = Op.tick()
    return result

# %% apply: forgets that recording can be off
# rule: if `grad_mode.enabled` is on
    result = _wrap(op.forward(*[x.data for x in inputs]))
    if any(x.requires_grad for x in inputs):
        result.requires_grad, result.origin, result.made = True, (op, inputs), Op.tick()
    return result

# %% apply: hands the tensors to forward instead of their arrays
# rule: runs `op.forward` on the *arrays* of the inputs
    result = _wrap(op.forward(*inputs))
    if any(x.requires_grad for x in inputs) and grad_mode.enabled:
        result.requires_grad, result.origin, result.made = True, (op, inputs), Op.tick()
    return result

# %% mul: saves nothing, as Add does
# rule: Save the two arrays as they came in
        return a * b

# %% mul: saves in the order of the derivatives
# rule: as the tuple `(a, b)`
        self.saved = (b, a)
        return a * b

# %% mul: saves the arrays after they have been broadcast
# rule: Save the two arrays as they came in
        self.saved = tuple(np.broadcast_arrays(a, b))
        return a * b

# %% broadcast_shapes: takes the larger size, which is wrong for 0
# rule: An axis of size 1 is repeated until it has the size of the other, even if that is 0
    shape = []
    for m, n in zip_longest(a[::-1], b[::-1], fillvalue=1):
        if m != n and 1 not in (m, n):
            raise ValueError(f"cannot broadcast {a} with {b}")
        shape.append(max(m, n))
    return tuple(shape[::-1])

# %% broadcast_shapes: lines the shapes up at the first axis
# rule: NumPy lines the shapes up at their *last* axis
    shape = []
    for m, n in zip_longest(a, b, fillvalue=1):
        if m != n and 1 not in (m, n):
            raise ValueError(f"cannot broadcast {a} with {b}")
        shape.append(n if m == 1 else m)
    return tuple(shape)

# %% broadcast_shapes: stretches whatever divides the other size
# rule: If two sizes differ and neither is 1, the shapes do not fit
    shape = []
    for m, n in zip_longest(a[::-1], b[::-1], fillvalue=1):
        if m != n and 1 not in (m, n) and 0 in (m, n):
            raise ValueError(f"cannot broadcast {a} with {b}")
        shape.append(n if m == 1 else m)
    return tuple(shape[::-1])

# %% broadcast_shapes: an error that names the sizes only
# rule: raise a `ValueError` whose text contains both shapes
    shape = []
    for m, n in zip_longest(a[::-1], b[::-1], fillvalue=1):
        if m != n and 1 not in (m, n):
            raise ValueError(f"{m} and {n} do not fit")
        shape.append(n if m == 1 else m)
    return tuple(shape[::-1])

# %% promote_types: NumPy's rule for everything
# rule: if exactly one of the two is a float
    return np.promote_types(a, b)

# %% promote_types: looks at the left side only
# rule: if exactly one of the two is a float
    if a.kind == "f":
        return a
    return np.promote_types(a, b)

# %% promote_types: takes every float for float32
# rule: the result has *its* dtype
    if "f" in (a.kind, b.kind):
        return np.dtype(np.float32)
    return np.promote_types(a, b)

# %% rsub: the order of an ordinary operator
        return apply(Sub(), *_operands(self, other))

# %% rsub: subtraction commutes, so the other operator will do
        return self - other

# %% rsub: computes outside the recipe
# rule: `_operands` makes two tensors, then `apply` a `Sub()` to them
        return Tensor(np.subtract(other, self.data))

# %% sum: saves the input instead of its shape
# rule: save the tuple `(a.shape,)`
        self.saved = (a,)
        dtype = a.dtype if a.dtype.kind == "f" else np.int64
        return a.sum(axis=axis, keepdims=keepdims, dtype=dtype)

# %% sum: forgets keepdims
# rule: keepdims keeps it, with size 1
        self.saved = (a.shape,)
        dtype = a.dtype if a.dtype.kind == "f" else np.int64
        return a.sum(axis=axis, dtype=dtype)

# %% sum: sums in the dtype of the input, which overflows
# rule: whatever is not a float is summed in `np.int64`
        self.saved = (a.shape,)
        return a.sum(axis=axis, keepdims=keepdims, dtype=a.dtype)

# %% sum: leaves the dtype to NumPy, which makes uint64 of uint8
# rule: whatever is not a float is summed in `np.int64`
        self.saved = (a.shape,)
        return a.sum(axis=axis, keepdims=keepdims)

# %% var: the mean of the squares minus the square of the mean, in float32
# rule: Take the mean off first, then square
        n = prod(self.shape[i] for i in _axes(axis, self.ndim))
        m = self.mean(axis, keepdims)
        return ((self * self).mean(axis, keepdims) - m * m) * n / max(n - correction, 0)

# %% var: ignores the correction
# rule: The correction $c$ is 1 by default
        d = self - self.mean(axis, keepdims=True)
        return (d * d).mean(axis, keepdims)

# %% var: counts all elements, not those along the axes
# rule: $n$ is how many numbers go into one variance
        d = self - self.mean(axis, keepdims=True)
        return (d * d).sum(axis, keepdims) / max(self.size - correction, 0)

# %% var: lets NumPy do it, outside the recipe
# rule: In tensor operations `var` needs no op
        return Tensor(self.data.var(axis=axis, ddof=correction, keepdims=keepdims))

# %% matmul: multiplies element by element
        self.saved = (a, b)
        return a * b

# %% matmul: compares the first axes, which only fits plain matrices
# rule: Axes in front of the last two make a stack of matrices
        if a.shape[1] != b.shape[0]:
            raise ValueError(f"cannot multiply {a.shape} by {b.shape}")
        self.saved = (a, b)
        return a @ b

# %% matmul: transposes the second one where that makes it fit
# rule: raise a `ValueError` that names both shapes
        if a.shape[-1] != b.shape[-2]:
            b = b.swapaxes(-1, -2)
        self.saved = (a, b)
        return a @ b

# %% matmul: names only one shape
# rule: raise a `ValueError` that names both shapes
        if a.shape[-1] != b.shape[-2]:
            raise ValueError(f"{b.shape} does not fit")
        self.saved = (a, b)
        return a @ b

# %% transpose: reverses all axes
# rule: a list of all axes, two entries swapped, `permute`
        return self.permute(tuple(range(self.ndim))[::-1])

# %% transpose: reshapes instead of exchanging
        dims = list(range(self.ndim or 1))
        dims[dim0], dims[dim1] = dims[dim1], dims[dim0]
        return self.reshape(tuple(self.shape[i] for i in dims))

# %% transpose: copies
# rule: Negative axes must work, and the result is a view
        return _wrap(self.data.swapaxes(dim0, dim1).copy())

# %% transpose: moves an axis instead of exchanging two
        return self.permute(tuple(np.argsort(np.moveaxis(np.arange(self.ndim), dim0, dim1)))) if self.ndim == 2 else _wrap(np.moveaxis(self.data, dim0, dim1))

# %% unsqueeze: counts a negative dim from the end of the input
# rule: -1 means the very end
        i = dim % self.ndim if dim < 0 else dim
        return self.reshape(*self.shape[:i], 1, *self.shape[i:])

# %% unsqueeze: replaces the axis at dim instead of pushing it on
        (i,) = _axes(dim, self.ndim + 1)
        return self.reshape(*self.shape[:i], 1, *self.shape[i + 1 :])

# %% unsqueeze: lets NumPy do it, outside the recipe
# rule: Write it with `_axes` and `reshape`
        return _wrap(np.expand_dims(self.data, dim))

# %% unsqueeze: slices the shape, so a position too far is taken for the end
# rule: Any other position raises the `IndexError` of `_axes`
        i = dim + self.ndim + 1 if dim < 0 else dim
        return self.reshape(*self.shape[:i], 1, *self.shape[i:])

# %% stack: concatenates along an axis they have
    return concat(tensors, dim)

# %% stack: makes the new axis in front, whatever dim is
# rule: give each tensor the new axis, then concatenate along it
    return concat([x.unsqueeze(0) for x in tensors], 0)

# %% stack: puts the new axis in front, then joins along dim
    return concat([x.unsqueeze(0) for x in tensors], dim)

# %% stack: lets NumPy do it, outside the recipe
# rule: with two functions that you have
    return Tensor(np.stack([x.data for x in tensors], dim))

# %% recipe: takes the op for a parent too
# rule: The parents of a tensor are the inputs in its `origin`
    return topological_order(results, lambda x: x.origin if isinstance(x, Tensor) and x.origin else ())

# %% recipe: forgets that some tensors have no origin
# rule: If `origin` is `None`, it has no parents: `()`
    return topological_order(results, lambda x: x.origin[1])

# %% recipe: walks by recursion and lists what is shared twice
# rule: Your `topological_order` from module 00 does the walking
    order = []
    for x in results:
        if x.origin:
            order += recipe(*x.origin[1])
        order.append(x)
    return order

# %% recipe: outputs before inputs
# rule: inputs before outputs.
    return topological_order(results, lambda x: x.origin[1] if x.origin else ())[::-1]

# %% apply: forgets to note when it ran, so that a later write goes unnoticed
# rule: and the time, `made = Op.tick()`
    result = _wrap(op.forward(*[x.data for x in inputs]))
    for x in inputs:
        if x.requires_grad and grad_mode.enabled:
            result.requires_grad, result.origin = True, (op, inputs)
    return result

# %% promote_types: float32 wherever a float meets an integer
# rule: the result has *its* dtype
    if (a.kind == "f") != (b.kind == "f"):
        return np.dtype(np.float32)
    return np.promote_types(a, b)

# %% transpose: computes with the array and loses the memory of it
        return _wrap(self.data.swapaxes(dim0, dim1))

# %% apply: takes two inputs only
# rule: however many inputs there are
    a, b = inputs
    result = _wrap(op.forward(a.data, b.data))
    if (a.requires_grad or b.requires_grad) and grad_mode.enabled:
        result.requires_grad, result.origin, result.made = True, (op, inputs), Op.tick()
    return result

# %% apply: ticks once for each input that requires a gradient
# rule: and the time, `made = Op.tick()`
    result = _wrap(op.forward(*[x.data for x in inputs]))
    Op.tick()
    if any(x.requires_grad for x in inputs) and grad_mode.enabled:
        result.requires_grad, result.origin, result.made = True, (op, inputs), Op.tick()
    return result

# %% apply: leaves a single number as it is
# rule: wraps the result with `_wrap`
    result = _new(Tensor)
    result.data = op.forward(*[x.data for x in inputs])
    result.requires_grad, result.grad, result.origin, result.made = False, None, None, 0
    if any(x.requires_grad for x in inputs) and grad_mode.enabled:
        result.requires_grad, result.origin, result.made = True, (op, inputs), Op.tick()
    return result

# %% mul: a list for the tuple
# rule: as the tuple `(a, b)`
        self.saved = [a, b]
        return a * b

# %% mul: saves copies
# rule: Save the two arrays as they came in
        self.saved = (a.copy(), b.copy())
        return a * b

# %% broadcast_shapes: pairs only the axes that both have
# rule: treats missing axes in front as 1
    shape = []
    for m, n in zip(a[::-1], b[::-1]):
        if m != n and 1 not in (m, n):
            raise ValueError(f"cannot broadcast {a} with {b}")
        shape.append(n if m == 1 else m)
    return tuple(shape[::-1])

# %% sum: adds floats in float64
# rule: Floats keep their dtype
        self.saved = (a.shape,)
        return a.sum(axis=axis, keepdims=keepdims, dtype=np.float64 if a.dtype.kind == "f" else np.int64)

# %% var: lets the mean lose its axes
# rule: The mean must broadcast against $x$
        n = prod(self.shape[i] for i in _axes(axis, self.ndim))
        d = self - self.mean(axis)
        return (d * d).sum(axis, keepdims) / max(n - correction, 0)

# %% var: divides by a negative number where n is below the correction
# rule: If $n < c$, divide by 0
        n = prod(self.shape[i] for i in _axes(axis, self.ndim))
        d = self - self.mean(axis, keepdims=True)
        return (d * d).sum(axis, keepdims) / (n - correction)

# %% var: never divides by 0
# rule: If $n < c$, divide by 0
        n = prod(self.shape[i] for i in _axes(axis, self.ndim))
        d = self - self.mean(axis, keepdims=True)
        return (d * d).sum(axis, keepdims) / max(n - correction, 1)

# %% matmul: leaves the error to NumPy
# rule: raise a `ValueError` that names both shapes
        self.saved = (a, b)
        return a @ b

# %% matmul: saves nothing
# rule: Check $k$, save `(a, b)`, multiply
        if a.shape[-1] != b.shape[-2]:
            raise ValueError(f"cannot multiply {a.shape} by {b.shape}")
        return a @ b

# %% transpose: does not count from the end
# rule: Negative axes must work, and the result is a view
        dims = list(range(self.ndim or 1))
        i, j = dims.index(dim0), dims.index(dim1)
        dims[i], dims[j] = j, i
        return self.permute(dims)

# %% unsqueeze: a copy
# rule: The result is a view
        (i,) = _axes(dim, self.ndim + 1)
        return (self * 1).reshape(*self.shape[:i], 1, *self.shape[i:])

# %% stack: a negative dim counts in what comes in, not in the result
# rule: `dim` may be negative
    dim = dim % tensors[0].ndim if dim < 0 else dim
    return concat([x.unsqueeze(dim) for x in tensors], dim)

# %% recipe: takes the pair for the parents
# rule: The parents of a tensor are the inputs in its `origin`
    return topological_order(results, lambda x: x.origin or ())

# %% apply: makes a new float32 tensor of the result
# rule: that is quick, and the dtype stays
    result = Tensor(op.forward(*[x.data for x in inputs]))
    if any(x.requires_grad for x in inputs) and grad_mode.enabled:
        result.requires_grad, result.origin, result.made = True, (op, inputs), Op.tick()
    return result

# %% rsub: the other difference, negated
# rule: then `apply` a `Sub()` to them
        return -(self - other)

# %% rsub: a tensor of any dtype
# rule: `_operands` makes two tensors
        return apply(Sub(), Tensor(other), self)

# %% rsub: asks the operator that asked it
# rule: `_operands` makes two tensors, then `apply` a `Sub()` to them
        return other - self

# %% rsub: the class of the op instead of an op
# rule: `apply` a `Sub()`
        return apply(Sub, *_operands(other, self))

# %% matmul: looks for k in the first axis of b
# rule: Axes in front of the last two make a stack of matrices
        if a.shape[-1] != b.shape[0]:
            raise ValueError(f"cannot multiply {a.shape} by {b.shape}")
        self.saved = (a, b)
        return a @ b

# %% matmul: NumPy's dot, which pairs every matrix with every other
# rule: Axes in front of the last two make a stack of matrices, and they broadcast
        if a.shape[-1] != b.shape[-2]:
            raise ValueError(f"cannot multiply {a.shape} by {b.shape}")
        self.saved = (a, b)
        return np.dot(a, b)

# %% transpose: lists the two axes only
# rule: a list of all axes, two entries swapped, `permute`
        return self.permute(dim0, dim1)

# %% recipe: of the first result only
# rule: It needs the results
    return topological_order(results[:1], lambda x: x.origin[1] if x.origin else ())

# %% transpose: forgets that a number counts as having one axis
# rule: counts as having one axis
        dims = list(range(self.ndim))
        dims[dim0], dims[dim1] = dims[dim1], dims[dim0]
        return self.permute(dims)
