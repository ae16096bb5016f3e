# %% chain: a loop with a test at its end
    while t.origin is not None:
        op, inputs = t.origin
        grad = RULES[type(op)](op, grad)[0]
        t = inputs[0]
    return grad
# %% rules_table: other forms
    return lambda: grad / b, lambda: -(grad / b) * (a / b)
@gradient(Sqrt)
def _(op, grad):
    y, = op.saved
    return [0.5 * grad / y]
@gradient(TanhOp)
def _(op, grad):
    y, = op.saved
    return [grad - grad * y * y]
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
# %% backward: an if for each case
    taken = {}
    for leaf, g in gradients(tensor, _seed(tensor, gradient)).items():
        g = _own(np.asarray(g), taken)
        if leaf.grad is None:
            leaf.grad = _wrap(g)
        else:
            leaf.grad = _wrap(leaf.grad.data + g)
# %% checkpoint_rule: a list
    with _replay(state):
        y = function(*stand_ins)
    found = gradients(y, grad)
    return [found.get(t) for t in list(stand_ins) + list(leaves)]
