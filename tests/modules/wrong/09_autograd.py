# %% by_hand: forgets the 2 of the square
    dl_dp = w * x + b - t
    return dl_dp * x, dl_dp
# %% by_hand: multiplies by w in place of x
    dl_dp = 2 * (w * x + b - t)
    return dl_dp * w, dl_dp
# %% by_hand: the bias and the weight the wrong way round
    dl_dp = 2 * (w * x + b - t)
    return dl_dp, dl_dp * x
# %% rule_mul: each factor by itself
    a, b = op.saved
    return grad * a, grad * b
# %% rule_mul: forgets the gradient that comes in
    a, b = op.saved
    return b, a
# %% rule_mul: writes into the gradient that came in
    a, b = op.saved
    for_a = grad * b
    grad *= a
    return for_a, grad
# %% rule_mul: adds up what it should give to each
    a, b = op.saved
    return (grad * b + grad * a,)
# %% chain: goes one op only
    if t.origin:
        op, (source,) = t.origin
        (grad,) = RULES[type(op)](op, grad)
    return grad
# %% chain: starts each rule with ones and keeps the last
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
    return lambda: grad / b, lambda: grad * a / (b * b)

@gradient(Sqrt)
def _(op, grad):
    y, = op.saved
    return (grad / (2 * y),)

@gradient(TanhOp)
def _(op, grad):
    y, = op.saved
    return (grad * (1 - y * y),)
# %% rules_table: takes the saved result of the root for its input
    return lambda: grad / b, lambda: -grad * a / (b * b)

@gradient(Sqrt)
def _(op, grad):
    y, = op.saved
    return (grad / (2 * np.sqrt(y)),)

@gradient(TanhOp)
def _(op, grad):
    y, = op.saved
    return (grad * (1 - y * y),)
# %% rules_table: tanh of what is the tanh already
    return lambda: grad / b, lambda: -grad * a / (b * b)

@gradient(Sqrt)
def _(op, grad):
    y, = op.saved
    return (grad / (2 * y),)

@gradient(TanhOp)
def _(op, grad):
    y, = op.saved
    return (grad * (1 - np.tanh(y) ** 2),)
# %% rule_matmul: forgets to transpose
    a, b = op.saved
    return lambda: _product(grad, b, like=a), lambda: _product(a, grad, like=b)
# %% rule_matmul: the second product in the wrong order
    a, b = op.saved
    return lambda: _product(grad, _swapped(b), like=a), lambda: _product(_swapped(grad), a, like=b)
# %% rule_matmul: transposes all axes, batch axes included
    a, b = op.saved
    return lambda: _product(grad, b.T, like=a), lambda: _product(a.T, grad, like=b)
# %% unbroadcast: the mean of the copies
    axes = tuple(range(grad.ndim - len(shape)))
    grad = grad.mean(axis=axes) if axes else grad
    stretched = tuple(i for i, n in enumerate(shape) if n == 1 and grad.shape[i] != 1)
    grad = grad.mean(axis=stretched, keepdims=True) if stretched else grad
    if grad.shape != shape:
        raise ValueError(f"{grad.shape} {shape}")
    return grad
# %% unbroadcast: only the axes in front
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
    summed = grad.sum(axis=tuple(range(grad.ndim - len(shape)))) if grad.ndim > len(shape) else grad
    stretched = tuple(i for i, n in enumerate(shape) if n == 1)
    return np.resize(summed.sum(axis=stretched, keepdims=True), shape)
# %% walk: the last gradient to arrive replaces the others
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
# %% walk: keeps a gradient for every tensor
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
# %% walk: forgets that an entry may be None
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
    taken = {}
    for leaf, grad in gradients(tensor, _seed(tensor, gradient)).items():
        leaf.grad = _wrap(_own(np.asarray(grad), taken))
# %% backward: leaves share their memory
    for leaf, grad in gradients(tensor, _seed(tensor, gradient)).items():
        leaf.grad = _wrap(grad if leaf.grad is None else leaf.grad.data + grad)
# %% backward: begins with 1 whatever was given
    taken = {}
    for leaf, grad in gradients(tensor, np.ones_like(tensor.data)).items():
        grad = _own(np.asarray(grad), taken)
        leaf.grad = _wrap(grad if leaf.grad is None else leaf.grad.data + grad)
# %% backward: arrays, not tensors
    taken = {}
    for leaf, grad in gradients(tensor, _seed(tensor, gradient)).items():
        grad = _own(np.asarray(grad), taken)
        leaf.grad = grad if leaf.grad is None else leaf.grad + grad
# %% no_grad: switches on, whatever was before
    Op.recording = False
    try:
        yield
    finally:
        Op.recording = True
# %% no_grad: an error leaves it off
    before, Op.recording = Op.recording, False
    yield
    Op.recording = before
# %% no_grad: swallows the error
    before, Op.recording = Op.recording, False
    try:
        yield
    except Exception:
        pass
    finally:
        Op.recording = before
# %% no_grad: never switches off
    before = Op.recording
    try:
        yield
    finally:
        Op.recording = before
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
    for index in np.ndindex(array.shape):
        array[index] += h
        above = evaluate()
        array[index] -= 2 * h
        slopes[index] = (above - evaluate()) / (2 * h)
        array[index] += h
# %% numerical_gradient: a step to one side only
    for index in np.ndindex(array.shape):
        value, here = array[index], evaluate()
        array[index] = value + h
        slopes[index] = (evaluate() - here) / h
        array[index] = value
# %% checkpoint_rule: draws new random numbers
    y = function(*stand_ins)
    found = gradients(y, grad)
    return tuple(found.get(t) for t in (*stand_ins, *leaves))
# %% checkpoint_rule: forgets the weights inside
    with _replay(state):
        y = function(*stand_ins)
    found = gradients(y, grad)
    return tuple(found.get(t) for t in stand_ins) + (None,) * len(leaves)
# %% checkpoint_rule: starts the block with ones
    with _replay(state):
        y = function(*stand_ins)
    found = gradients(y, np.ones_like(y.data))
    return tuple(found.get(t) for t in (*stand_ins, *leaves))
