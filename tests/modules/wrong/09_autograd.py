# %% numerical_gradient: divides by h, not by the distance 2h
    for index in np.ndindex(array.shape):
        value = array[index]
        array[index] = value + h
        above = evaluate()
        array[index] = value - h
        slopes[index] = (above - evaluate()) / h
        array[index] = value
# %% numerical_gradient: does not put the number back
    for index in np.ndindex(array.shape):
        value = array[index]
        array[index] = value + h
        above = evaluate()
        array[index] = value - h
        slopes[index] = (above - evaluate()) / (2 * h)
# %% numerical_gradient: puts back by arithmetic, which rounds
# rule: puts back the very number that was there
    for index in np.ndindex(array.shape):
        array[index] += h
        above = evaluate()
        array[index] -= 2 * h
        slopes[index] = (above - evaluate()) / (2 * h)
        array[index] += h
# %% numerical_gradient: a step to one side only
# rule: change the number by a small $h$, once up and once down
    for index in np.ndindex(array.shape):
        value, here = array[index], evaluate()
        array[index] = value + h
        slopes[index] = (evaluate() - here) / h
        array[index] = value
# %% numerical_gradient: a step of its own
    for index in np.ndindex(array.shape):
        value = array[index]
        array[index] = value + 1e-6
        above = evaluate()
        array[index] = value - 1e-6
        slopes[index] = (above - evaluate()) / 2e-6
        array[index] = value
# %% by_hand: forgets the 2 of the square
    dl_dp = w * x + b - t
    return dl_dp * x, dl_dp
# %% by_hand: multiplies by w in place of x
    dl_dp = 2 * (w * x + b - t)
    return dl_dp * w, dl_dp
# %% by_hand: the bias and the weight the wrong way round
    dl_dp = 2 * (w * x + b - t)
    return dl_dp, dl_dp * x
# %% graph_by_hand: c has the number of one arrow only
# rule: The number at any other box is the **sum** over the arrows that leave it
    return c, d, c, c, d * b, d * a
# %% graph_by_hand: each factor by itself
# rule: each side gets the *other* factor
    at_c = c + d
    return d, c, d, d, at_c * a, at_c * b
# %% graph_by_hand: adds at a, where each arrow has its own number
    at_c = c + d
    return c, d, c, c + at_c * b, at_c * b, at_c * a
# %% rule_mul: each factor by itself
RULES[Sub] = lambda op, grad: (grad, -grad)
RULES[Mul] = lambda op, grad: (grad * op.saved[0], grad * op.saved[1])
# %% rule_mul: forgets the gradient that comes in
RULES[Sub] = lambda op, grad: (grad, -grad)
RULES[Mul] = lambda op, grad: op.saved[::-1]
# %% rule_mul: writes into the gradient that came in
# rule: a rule never writes into it
RULES[Sub] = lambda op, grad: (grad, -grad)
@gradient(Mul)
def _(op, grad):
    a, b = op.saved
    for_a = grad * b
    grad *= a
    return for_a, grad
# %% rule_mul: adds up what it should give to each
# rule: it returns a tuple with one entry, an array, for each input
RULES[Sub] = lambda op, grad: (grad, -grad)
RULES[Mul] = lambda op, grad: (grad * op.saved[1] + grad * op.saved[0],)
# %% rule_mul: the minus of Sub on the wrong side
RULES[Sub] = lambda op, grad: (-grad, grad)
RULES[Mul] = lambda op, grad: (grad * op.saved[1], grad * op.saved[0])
# %% chain: goes one op only
    if t.origin:
        op, (source,) = t.origin
        (grad,) = RULES[type(op)](op, grad)
    return grad
# %% chain: starts each rule with ones and keeps the last
# rule: what one rule returns is the `grad` of the rule before it
    while t.origin:
        op, (source,) = t.origin
        (grad,) = RULES[type(op)](op, np.ones_like(t.data))
        t = source
    return grad
# %% chain: multiplies once more what the rule has multiplied already
    while t.origin:
        op, (source,) = t.origin
        grad = grad * RULES[type(op)](op, grad)[0]
        t = source
    return grad
# %% rules_table: forgets the minus of the divisor
RULES[Sqrt] = lambda op, grad: (grad / (2 * op.saved[0]),)
RULES[TanhOp] = lambda op, grad: (grad * (1 - op.saved[0] ** 2),)
RULES[SigmoidOp] = lambda op, grad: (grad * op.saved[0] * (1 - op.saved[0]),)
@gradient(Div)
def _(op, grad):
    a, b = op.saved
    return lambda: grad / b, lambda: grad * a / (b * b)
# %% rules_table: takes the saved result of the root for its input
# rule: saved `(y,)`, their result
RULES[Sqrt] = lambda op, grad: (grad / (2 * np.sqrt(op.saved[0])),)
RULES[TanhOp] = lambda op, grad: (grad * (1 - op.saved[0] ** 2),)
RULES[SigmoidOp] = lambda op, grad: (grad * op.saved[0] * (1 - op.saved[0]),)
@gradient(Div)
def _(op, grad):
    a, b = op.saved
    return lambda: grad / b, lambda: -grad * a / (b * b)
# %% rules_table: tanh of what is the tanh already
RULES[Sqrt] = lambda op, grad: (grad / (2 * op.saved[0]),)
RULES[TanhOp] = lambda op, grad: (grad * (1 - np.tanh(op.saved[0]) ** 2),)
RULES[SigmoidOp] = lambda op, grad: (grad * op.saved[0] * (1 - op.saved[0]),)
@gradient(Div)
def _(op, grad):
    a, b = op.saved
    return lambda: grad / b, lambda: -grad * a / (b * b)
# %% rules_table: the rule of tanh writes into grad
# rule: a rule never writes into it
RULES[Sqrt] = lambda op, grad: (grad / (2 * op.saved[0]),)
@gradient(TanhOp)
def _(op, grad):
    grad *= 1 - op.saved[0] ** 2
    return (grad,)
RULES[SigmoidOp] = lambda op, grad: (grad * op.saved[0] * (1 - op.saved[0]),)
@gradient(Div)
def _(op, grad):
    a, b = op.saved
    return lambda: grad / b, lambda: -grad * a / (b * b)
# %% rules_table: Div computes both at once
# rule: `Div` must return two functions
RULES[Sqrt] = lambda op, grad: (grad / (2 * op.saved[0]),)
RULES[TanhOp] = lambda op, grad: (grad * (1 - op.saved[0] ** 2),)
RULES[SigmoidOp] = lambda op, grad: (grad * op.saved[0] * (1 - op.saved[0]),)
@gradient(Div)
def _(op, grad):
    a, b = op.saved
    return grad / b, -grad * a / (b * b)
# %% rules_table: computes sigmoid from its result once more
RULES[Sqrt] = lambda op, grad: (grad / (2 * op.saved[0]),)
RULES[TanhOp] = lambda op, grad: (grad * (1 - op.saved[0] ** 2),)
@gradient(SigmoidOp)
def _(op, grad):
    y = 1 / (1 + np.exp(-op.saved[0]))
    return (grad * y * (1 - y),)
@gradient(Div)
def _(op, grad):
    a, b = op.saved
    return lambda: grad / b, lambda: -grad * a / (b * b)
# %% spread: divides, as a mean would
    full = np.empty(shape, grad.dtype)
    full[...] = grad if keepdims else np.expand_dims(grad, axis)
    return full * grad.size / full.size
# %% spread: leaves it to broadcasting, which takes the wrong axes
    return grad + np.zeros(shape, grad.dtype)
# %% spread: grad itself where nothing was reduced
# rule: is a new array of `grad`'s dtype
    grad = grad if keepdims else np.expand_dims(grad, axis)
    return grad if grad.shape == shape else np.broadcast_to(grad, shape).copy()
# %% spread: ones of float64
# rule: is a new array of `grad`'s dtype
    return np.ones(shape) * (grad if keepdims else np.expand_dims(grad, axis))
# %% spread: a view that cannot be written
# rule: is a new array of `grad`'s dtype
    grad = grad if keepdims else np.expand_dims(grad, axis)
    return np.broadcast_to(grad, shape)
# %% rule_matmul: forgets to transpose
    a, b = op.saved
    return lambda: grad @ b, lambda: a @ grad
# %% rule_matmul: the second product in the wrong order
    a, b = op.saved
    return lambda: grad @ _swapped(b), lambda: _swapped(grad) @ a
# %% rule_matmul: transposes all axes, those of the stack included
# rule: `.T` would exchange the wrong axes of a stack
    a, b = op.saved
    return lambda: grad @ b.T, lambda: a.T @ grad
# %% rule_matmul: computes both at once
# rule: return two functions, so that nobody computes the gradient of a constant
    a, b = op.saved
    return grad @ _swapped(b), _swapped(a) @ grad
# %% unbroadcast: the mean of the copies
# rule: the number gets the *sum* over its copies
    axes = tuple(range(grad.ndim - len(shape)))
    grad = grad.mean(axis=axes) if axes else grad
    stretched = tuple(i for i, n in enumerate(shape) if n == 1 and grad.shape[i] != 1)
    grad = grad.mean(axis=stretched, keepdims=True) if stretched else grad
    if grad.shape != shape:
        raise ValueError(f"{grad.shape} {shape}")
    return grad
# %% unbroadcast: only the axes in front
# rule: and over every axis that it stretched from 1
    summed = grad.sum(axis=tuple(range(grad.ndim - len(shape))))
    if summed.shape != shape:
        raise ValueError(f"{grad.shape} {shape}")
    return summed
# %% unbroadcast: takes the first copy
    while grad.ndim > len(shape):
        grad = grad[0]
    for i, n in enumerate(shape):
        grad = grad[(slice(None),) * i + (slice(0, 1),)] if n == 1 else grad
    if grad.shape != shape:
        raise ValueError(f"{grad.shape} {shape}")
    return grad
# %% unbroadcast: reshapes whatever remains and so never refuses
# rule: raise a `ValueError` that names both shapes
    summed = grad.sum(axis=tuple(range(grad.ndim - len(shape)))) if grad.ndim > len(shape) else grad
    stretched = tuple(i for i, n in enumerate(shape) if n == 1)
    return np.resize(summed.sum(axis=stretched, keepdims=True), shape)
# %% unbroadcast: an error without the shapes
# rule: raise a `ValueError` that names both shapes
    front = tuple(range(grad.ndim - len(shape)))
    total = grad.sum(axis=front) if front else grad
    axes = tuple(i for i, (n, m) in enumerate(zip(shape, total.shape)) if m != n == 1)
    total = total.sum(axis=axes, keepdims=True) if axes else total
    if total.shape != shape:
        raise ValueError("these shapes do not fit")
    return total
# %% unbroadcast: an IndexError where the gradient has too few axes
# rule: raise a `ValueError` that names both shapes
    large = grad.shape
    while grad.ndim > len(shape):
        grad = grad.sum(axis=0)
    for i, n in enumerate(shape):
        if grad.shape[i] != n == 1:
            grad = grad.sum(axis=i, keepdims=True)
    if grad.shape != shape:
        raise ValueError(f"{large} {shape}")
    return grad
# %% walk: the last gradient to arrive replaces the others
# rule: What arrives along several arrows is added.
    while order:
        t = order.pop()
        grad = pending.pop(t, None)
        if grad is None:
            continue
        if t.origin is None:
            leaves[t] = grad
            continue
        (op, inputs), t.origin = t.origin, _FREED
        for x, entry in zip(inputs, RULES[type(op)](op, grad)):
            if x.requires_grad and entry is not None:
                pending[x] = unbroadcast(entry() if callable(entry) else entry, x.shape)
# %% walk: adds in place and so changes what belongs to others
# rule: never add with `+=`
    while order:
        t = order.pop()
        grad = pending.pop(t, None)
        if grad is None:
            continue
        if t.origin is None:
            leaves[t] = grad
            continue
        (op, inputs), t.origin = t.origin, _FREED
        for x, entry in zip(inputs, RULES[type(op)](op, grad)):
            if x.requires_grad and entry is not None:
                g = unbroadcast(entry() if callable(entry) else entry, x.shape)
                if x in pending:
                    pending[x] += g
                else:
                    pending[x] = g
# %% walk: never frees the graph
# rule: `_FREED` takes the place of its origin
    while order:
        t = order.pop()
        grad = pending.pop(t, None)
        if grad is None:
            continue
        if t.origin is None:
            leaves[t] = grad
            continue
        op, inputs = t.origin
        for x, entry in zip(inputs, RULES[type(op)](op, grad)):
            if x.requires_grad and entry is not None:
                g = unbroadcast(entry() if callable(entry) else entry, x.shape)
                pending[x] = pending[x] + g if x in pending else g
# %% walk: holds all tensors until the end
# rule: A tensor leaves `order` by `pop`
    for t in reversed(order):
        grad = pending.pop(t, None)
        if grad is None:
            continue
        if t.origin is None:
            leaves[t] = grad
            continue
        (op, inputs), t.origin = t.origin, _FREED
        for x, entry in zip(inputs, RULES[type(op)](op, grad)):
            if x.requires_grad and entry is not None:
                g = unbroadcast(entry() if callable(entry) else entry, x.shape)
                pending[x] = pending[x] + g if x in pending else g
# %% walk: holds what arrived until the end
# rule: what arrived at it leaves `pending` by `pop`
    while order:
        t = order.pop()
        grad = pending.get(t)
        if grad is None:
            continue
        if t.origin is None:
            leaves[t] = grad
            continue
        (op, inputs), t.origin = t.origin, _FREED
        for x, entry in zip(inputs, RULES[type(op)](op, grad)):
            if x.requires_grad and entry is not None:
                g = unbroadcast(entry() if callable(entry) else entry, x.shape)
                pending[x] = pending[x] + g if x in pending else g
# %% walk: keeps a gradient for every tensor
# rule: `leaves` holds the tensors without origin, and no others
    while order:
        t = order.pop()
        grad = leaves[t] = pending.pop(t, None)
        if t.origin is None or grad is None:
            continue
        (op, inputs), t.origin = t.origin, _FREED
        for x, entry in zip(inputs, RULES[type(op)](op, grad)):
            if x.requires_grad and entry is not None:
                g = unbroadcast(entry() if callable(entry) else entry, x.shape)
                pending[x] = pending[x] + g if x in pending else g
# %% walk: from the beginning of the order
    for t in order:
        grad = pending.pop(t, None)
        if grad is None:
            continue
        if t.origin is None:
            leaves[t] = grad
            continue
        (op, inputs), t.origin = t.origin, _FREED
        for x, entry in zip(inputs, RULES[type(op)](op, grad)):
            if x.requires_grad and entry is not None:
                g = unbroadcast(entry() if callable(entry) else entry, x.shape)
                pending[x] = pending[x] + g if x in pending else g
# %% walk: recursion, which is not deep enough
    def visit(t, grad):
        if t.origin is None:
            leaves[t] = leaves[t] + grad if t in leaves else grad
            return
        op, inputs = t.origin
        for x, entry in zip(inputs, RULES[type(op)](op, grad)):
            if x.requires_grad and entry is not None:
                visit(x, unbroadcast(entry() if callable(entry) else entry, x.shape))
    visit(result, grad)
# %% walk: passes on a gradient to constants too
# rule: An input that requires no gradient gets none
    while order:
        t = order.pop()
        grad = pending.pop(t, None)
        if grad is None:
            continue
        if t.origin is None:
            leaves[t] = grad
            continue
        (op, inputs), t.origin = t.origin, _FREED
        for x, entry in zip(inputs, RULES[type(op)](op, grad)):
            if entry is not None:
                g = unbroadcast(entry() if callable(entry) else entry, x.shape)
                leaves[x] = pending[x] = pending[x] + g if x in pending else g
# %% walk: calls the functions of constants too
# rule: a function for it is not called
    while order:
        t = order.pop()
        grad = pending.pop(t, None)
        if grad is None:
            continue
        if t.origin is None:
            leaves[t] = grad
            continue
        (op, inputs), t.origin = t.origin, _FREED
        for x, entry in zip(inputs, RULES[type(op)](op, grad)):
            entry = entry() if callable(entry) else entry
            if x.requires_grad and entry is not None:
                g = unbroadcast(entry, x.shape)
                pending[x] = pending[x] + g if x in pending else g
# %% walk: forgets that an entry may be None
# rule: An entry `None` passes nothing on.
    while order:
        t = order.pop()
        grad = pending.pop(t, None)
        if grad is None:
            continue
        if t.origin is None:
            leaves[t] = grad
            continue
        (op, inputs), t.origin = t.origin, _FREED
        for x, entry in zip(inputs, RULES[type(op)](op, grad)):
            if x.requires_grad:
                g = unbroadcast(entry() if callable(entry) else entry, x.shape)
                pending[x] = pending[x] + g if x in pending else g
# %% walk: expects a gradient at every tensor
# rule: Skip a tensor at which nothing arrived.
    while order:
        t = order.pop()
        grad = pending.pop(t)
        if t.origin is None:
            leaves[t] = grad
            continue
        (op, inputs), t.origin = t.origin, _FREED
        for x, entry in zip(inputs, RULES[type(op)](op, grad)):
            if x.requires_grad and entry is not None:
                g = unbroadcast(entry() if callable(entry) else entry, x.shape)
                pending[x] = pending[x] + g if x in pending else g
# %% walk: passes functions on uncalled
    while order:
        t = order.pop()
        grad = pending.pop(t, None)
        if grad is None:
            continue
        if t.origin is None:
            leaves[t] = grad
            continue
        (op, inputs), t.origin = t.origin, _FREED
        for x, g in zip(inputs, RULES[type(op)](op, grad)):
            if x.requires_grad and g is not None:
                pending[x] = pending[x] + g if x in pending else g
# %% walk: leaves broadcasting as it is
# rule: An entry that does not have the shape of its input is `unbroadcast`.
    while order:
        t = order.pop()
        grad = pending.pop(t, None)
        if grad is None:
            continue
        if t.origin is None:
            leaves[t] = grad
            continue
        (op, inputs), t.origin = t.origin, _FREED
        for x, g in zip(inputs, RULES[type(op)](op, grad)):
            if x.requires_grad and g is not None:
                g = g() if callable(g) else g
                pending[x] = pending[x] + g if x in pending else g
# %% backward: replaces what was there
# rule: the new one is **added**
    taken = {}
    for leaf, grad in gradients(tensor, _seed(tensor, gradient)).items():
        leaf.grad = _wrap(_own(np.asarray(grad, leaf.dtype), taken))
# %% backward: leaves share their memory
# rule: The array goes through `_own(array, taken)`
    for leaf, grad in gradients(tensor, _seed(tensor, gradient)).items():
        grad = np.asarray(grad, leaf.dtype)
        if leaf.grad is None:
            leaf.grad = _wrap(grad)
        else:
            leaf.grad.data += grad
            _note_write(leaf.grad)
# %% backward: begins with 1 whatever was given
    taken = {}
    for leaf, grad in gradients(tensor, np.ones_like(tensor.data)).items():
        grad = np.asarray(grad, leaf.dtype)
        if leaf.grad is None:
            leaf.grad = _wrap(_own(grad, taken))
        else:
            leaf.grad.data += grad
            _note_write(leaf.grad)
# %% backward: arrays, not tensors
    taken = {}
    for leaf, grad in gradients(tensor, _seed(tensor, gradient)).items():
        grad = _own(np.asarray(grad, leaf.dtype), taken)
        leaf.grad = grad if leaf.grad is None else leaf.grad + grad
# %% backward: Tensor, which makes float32 of float64
# rule: would turn float64 into float32
    taken = {}
    for leaf, grad in gradients(tensor, _seed(tensor, gradient)).items():
        grad = np.asarray(grad, leaf.dtype)
        if leaf.grad is None:
            leaf.grad = Tensor(_own(grad, taken))
        else:
            leaf.grad.data += grad
            _note_write(leaf.grad)
# %% backward: a new dict for each leaf
# rule: with one dict `taken` for the whole call
    for leaf, grad in gradients(tensor, _seed(tensor, gradient)).items():
        grad = np.asarray(grad, leaf.dtype)
        if leaf.grad is None:
            leaf.grad = _wrap(_own(grad, {}))
        else:
            leaf.grad.data += grad
            _note_write(leaf.grad)
# %% backward: a new tensor for the sum
# rule: a later one is added in place
    taken = {}
    for leaf, grad in gradients(tensor, _seed(tensor, gradient)).items():
        grad = _own(np.asarray(grad, leaf.dtype), taken)
        leaf.grad = _wrap(grad if leaf.grad is None else leaf.grad.data + grad)
# %% backward: writes in place and does not note it
# rule: That is a write: `_note_write(leaf.grad)`.
    taken = {}
    for leaf, grad in gradients(tensor, _seed(tensor, gradient)).items():
        grad = np.asarray(grad, leaf.dtype)
        if leaf.grad is None:
            leaf.grad = _wrap(_own(grad, taken))
        else:
            leaf.grad.data += grad
# %% backward: the dtype that the walk brought
# rule: the gradient of a leaf has the leaf's dtype
    taken = {}
    for leaf, grad in gradients(tensor, _seed(tensor, gradient)).items():
        if leaf.grad is None:
            leaf.grad = _wrap(_own(np.asarray(grad), taken))
        else:
            leaf.grad.data += grad
            _note_write(leaf.grad)
# %% rule_log_softmax: the rule of softmax
    (y,), (dim,) = op.saved, op.parameters
    return (_through_softmax(np.exp(y), grad, dim),)
# %% rule_log_softmax: takes the saved logarithm for the probability
    (y,), (dim,) = op.saved, op.parameters
    return (grad - y * grad.sum(axis=dim, keepdims=True),)
# %% rule_log_softmax: sums over all axes
    (y,), (dim,) = op.saved, op.parameters
    return (grad - np.exp(y) * grad.sum(),)
# %% conv_gradients: forgets the stride
    for n, o, i, j in np.ndindex(grad.shape):
        g = grad[n, o, i, j]
        rows, columns = slice(i, i + kh), slice(j, j + kw)
        for_x[n, :, rows, columns] += g * weight[o]
        for_weight[o] += g * padded[n, :, rows, columns]
        for_bias[o] += g
# %% conv_gradients: windows that overlap overwrite each other
# rule: Windows overlap, so everything is added.
    for n, o, i, j in np.ndindex(grad.shape):
        g = grad[n, o, i, j]
        rows = slice(i * stride, i * stride + kh)
        columns = slice(j * stride, j * stride + kw)
        for_x[n, :, rows, columns] = g * weight[o]
        for_weight[o] += g * padded[n, :, rows, columns]
        for_bias[o] += g
# %% conv_gradients: turns the kernel
    for n, o, i, j in np.ndindex(grad.shape):
        g = grad[n, o, i, j]
        rows = slice(i * stride, i * stride + kh)
        columns = slice(j * stride, j * stride + kw)
        for_x[n, :, rows, columns] += g * weight[o, :, ::-1, ::-1]
        for_weight[o] += g * padded[n, :, rows, columns]
        for_bias[o] += g
# %% conv_gradients: nothing for the bias
    for n, o, i, j in np.ndindex(grad.shape):
        g = grad[n, o, i, j]
        rows = slice(i * stride, i * stride + kh)
        columns = slice(j * stride, j * stride + kw)
        for_x[n, :, rows, columns] += g * weight[o]
        for_weight[o] += g * padded[n, :, rows, columns]
# %% pool_gradient: every pixel that holds the maximum gets all
# rule: the first of them gets it
        window = x[n, c, top : top + size, left : left + size]
        winners = window == window.max()
        for_x[n, c, top : top + size, left : left + size] += grad[n, c, i, j] * winners
# %% pool_gradient: the last window wins
# rule: A pixel that wins in several windows gets the sum.
        window = x[n, c, top : top + size, left : left + size]
        p, q = np.unravel_index(window.argmax(), window.shape)
        for_x[n, c, top + p, left + q] = grad[n, c, i, j]
# %% pool_gradient: an equal part to each, as a mean would
        for_x[n, c, top : top + size, left : left + size] += grad[n, c, i, j] / size**2
# %% no_grad: switches on, whatever was before
# rule: Afterwards the switch must be *as it was before*
    grad_mode.enabled = False
    try:
        yield
    finally:
        grad_mode.enabled = True
# %% no_grad: an error leaves it off
# rule: even after an error
    before, grad_mode.enabled = grad_mode.enabled, False
    yield
    grad_mode.enabled = before
# %% no_grad: swallows the error
    before, grad_mode.enabled = grad_mode.enabled, False
    try:
        yield
    except Exception:
        pass
    finally:
        grad_mode.enabled = before
# %% no_grad: never switches off
    before = grad_mode.enabled
    try:
        yield
    finally:
        grad_mode.enabled = before
# %% checkpoint_rule: draws new random numbers
# rule: repeats the random numbers, so that a dropout drops the same
    y = function(*stand_ins)
    found = gradients(y, grad)
    return tuple(found.get(t) for t in (*stand_ins, *leaves))
# %% checkpoint_rule: forgets the weights inside
# rule: Return an entry for each stand-in and then for each leaf
    with _replay(state):
        y = function(*stand_ins)
    found = gradients(y, grad)
    return tuple(found.get(t) for t in stand_ins) + (None,) * len(leaves)
# %% checkpoint_rule: starts the block with ones
    with _replay(state):
        y = function(*stand_ins)
    found = gradients(y, np.ones_like(y.data))
    return tuple(found.get(t) for t in (*stand_ins, *leaves))
# %% checkpoint_rule: expects a gradient for every leaf
# rule: `None` for one that got no gradient
    with _replay(state):
        y = function(*stand_ins)
    found = gradients(y, grad)
    return tuple(found[t] for t in (*stand_ins, *leaves))
# %% checkpoint_rule: records, but draws new random numbers
# rule: turns recording on and repeats the random numbers
    before, grad_mode.enabled = grad_mode.enabled, True
    y = function(*stand_ins)
    grad_mode.enabled = before
    found = gradients(y, grad)
    return tuple(found.get(t) for t in (*stand_ins, *leaves))
# %% checkpoint_rule: puts the gradients on the leaves itself
# rule: leaves every `.grad` alone
    with _replay(state):
        y = function(*stand_ins)
    backward(y, grad)
    return tuple(t.grad and t.grad.data for t in (*stand_ins, *leaves))
