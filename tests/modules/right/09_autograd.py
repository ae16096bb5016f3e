# %% numerical_gradient: over the flat index
    for i in range(array.size):
        index = np.unravel_index(i, array.shape)
        kept, totals = array[index], []
        for sign in (1, -1):
            array[index] = kept + sign * h
            totals.append(evaluate())
        array[index] = kept
        slopes[index] = (totals[0] - totals[1]) / (2 * h)
# %% by_hand: a list
    error = w * x + b - t
    return [2 * error * x, 2 * error]
# %% graph_by_hand: with formulas
    return [c, d, c, c, (c + d) * b, (c + d) * a]
# %% rule_mul: with the decorator
@gradient(Sub)
def _(op, grad):
    return [grad, -1 * grad]
@gradient(Mul)
def _(op, grad):
    a, b = op.saved
    return b * grad, a * grad
# %% chain: a loop with a test at its end
    while t.origin is not None:
        op, inputs = t.origin
        grad = RULES[type(op)](op, grad)[0]
        t = inputs[0]
    return grad
# %% rules_table: other forms
@gradient(Sqrt)
def _(op, grad):
    y, = op.saved
    return [0.5 * grad / y]
@gradient(TanhOp)
def _(op, grad):
    y, = op.saved
    return [grad - grad * y * y]
@gradient(SigmoidOp)
def _(op, grad):
    y, = op.saved
    return [grad * (y - y * y)]
@gradient(Div)
def _(op, grad):
    a, b = op.saved
    return lambda: grad / b, lambda: -grad * a / b**2
# %% spread: broadcast_to and a copy
    if not keepdims:
        grad = np.expand_dims(grad, axis)
    return np.array(np.broadcast_to(grad, shape))
# %% rule_matmul: swapaxes
    a, b = op.saved
    return lambda: grad @ b.swapaxes(-1, -2), lambda: a.swapaxes(-1, -2) @ grad
# %% unbroadcast: one axis after the other
    if grad.ndim < len(shape):
        raise ValueError(f"{grad.shape} is too small for {shape}")
    result = grad
    while result.ndim > len(shape):
        result = result.sum(axis=0)
    for i, n in enumerate(shape):
        if n == 1 and result.shape[i] != 1:
            result = result.sum(axis=i, keepdims=True)
    if result.shape != tuple(shape):
        raise ValueError(f"{grad.shape} does not come from {shape}")
    return result
# %% walk: by membership
    while order:
        t = order.pop()
        if t not in pending:
            continue
        grad = pending.pop(t)
        if t.origin is None:
            leaves[t] = grad
        else:
            op, inputs = t.origin
            t.origin = _FREED
            entries = list(RULES[type(op)](op, grad))
            for i in range(len(inputs)):
                if inputs[i].requires_grad and entries[i] is not None:
                    g = entries[i]() if callable(entries[i]) else entries[i]
                    pending[inputs[i]] = unbroadcast(g, inputs[i].shape) + pending.get(inputs[i], 0)
# %% backward: another order
    taken = {}
    for leaf, g in gradients(tensor, _seed(tensor, gradient)).items():
        g = _own(np.asarray(g, leaf.data.dtype), taken)
        if leaf.grad is not None:
            np.add(leaf.grad.data, g, out=leaf.grad.data)
            _note_write(leaf.grad)
            continue
        leaf.grad = _wrap(g)
# %% rule_log_softmax: by hand
    y = op.saved[0]
    total = grad.sum(axis=op.parameters[0], keepdims=True)
    return [grad - total * np.exp(y)]
# %% conv_gradients: a loop over each number of the kernel
    for n, o, i, j in np.ndindex(grad.shape):
        for_bias[o] += grad[n, o, i, j]
        for c, p, q in np.ndindex(weight.shape[1:]):
            for_x[n, c, i * stride + p, j * stride + q] += grad[n, o, i, j] * weight[o, c, p, q]
            for_weight[o, c, p, q] += grad[n, o, i, j] * padded[n, c, i * stride + p, j * stride + q]
# %% pool_gradient: divmod
        window = x[n, c, top : top + size, left : left + size]
        p, q = divmod(int(window.argmax()), size)
        for_x[n, c, top + p, left + q] += grad[n, c, i, j]
# %% checkpoint_rule: a list
    with _replay(state):
        y = function(*stand_ins)
    found = gradients(y, grad)
    return [found.get(t) for t in list(stand_ins) + list(leaves)]
