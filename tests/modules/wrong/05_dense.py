# %% dense: the activation before the product
        x = x if self.activation is None else self.activation(x)
        return super().forward(x)
# %% dense: forgets that there may be none
        return self.activation(super().forward(x))
# %% dense: forgets the activation
        return super().forward(x)
# %% dense: always a ReLU
        y = super().forward(x)
        return y if self.activation is None else relu(y)
# %% dense: twice
        y = super().forward(x)
        return y if self.activation is None else self.activation(self.activation(y) * 2)
# %% dense: calls forward, which a plain function does not have
        y = super().forward(x)
        return y if self.activation is None else self.activation.forward(y)
# %% sequential: gives every layer the same input
        for layer in self.layers:
            y = layer(x)
        return y
# %% sequential: from the last to the first
        for layer in reversed(self.layers):
            x = layer(x)
        return x
# %% sequential: calls forward, which a function does not have
        for layer in self.layers:
            x = layer.forward(x)
        return x
# %% sequential: returns after the first layer
        for layer in self.layers:
            x = layer(x)
            return x
# %% sequential: leaves out the last
        for layer in self.layers[:-1]:
            x = layer(x)
        return x
# %% collapse: multiplies in the order of the calls
    one = Linear(first.in_features, second.out_features)
    one.weight.assign(first.weight.T @ second.weight.T)
    one.bias.assign(second.weight @ first.bias + second.bias)
    return one
# %% collapse: adds the biases, though the first goes through the second layer
    one = Linear(first.in_features, second.out_features)
    one.weight.assign(second.weight @ first.weight)
    one.bias.assign(second.bias)
    return one
# %% collapse: changes the second layer
    second.bias.assign(second.weight @ first.bias + second.bias)
    second.weight = Parameter((second.weight @ first.weight).detach())
    second.in_features = first.in_features
    return second
# %% collapse: puts results where parameters belong
    one = Linear(first.in_features, second.out_features)
    one.weight = second.weight @ first.weight
    one.bias = second.weight @ first.bias + second.bias
    return one
# %% collapse: makes a row of the two
    return Sequential(first, second)
# %% flatten: leaves the size to -1, which an empty batch cannot tell
        return x.reshape(x.shape[0], -1)
# %% flatten: flattens the batch too
        return x.reshape(-1)
# %% flatten: joins the last two axes only
        return x.reshape(*x.shape[:-2], x.shape[-2] * x.shape[-1])
# %% flatten: pixels in columns
        return x.T.reshape(int(np.prod(x.shape[1:])), x.shape[0]).T
# %% flatten: makes a new tensor, which remembers nothing
        return Tensor(x.data.reshape(x.shape[0], int(np.prod(x.shape[1:]))))
# %% dropout: forgets to scale up
        if not self.training:
            return x
        kept = self.generator.random(x.shape, np.float32) >= self.p
        return x * Tensor(kept / 1.0)
# %% dropout: keeps with probability p, and scales by 1 / p
        if not self.training:
            return x
        kept = self.generator.random(x.shape, np.float32) < self.p
        return x * Tensor(kept / self.p)
# %% dropout: drops at work too
        kept = self.generator.random(x.shape, np.float32) >= self.p
        return x * Tensor(kept / (1 - self.p))
# %% dropout: scales at work instead, as in the paper
        if not self.training:
            return x * (1 - self.p)
        kept = self.generator.random(x.shape, np.float32) >= self.p
        return x * Tensor(kept / 1.0)
# %% dropout: one draw for a whole column
        if not self.training:
            return x
        kept = self.generator.random(x.shape[-1:], np.float32) >= self.p
        return x * Tensor(kept / (1 - self.p))
# %% dropout: draws from a generator of its own, always the same
        if not self.training:
            return x
        kept = np.random.default_rng(0).random(x.shape, np.float32) >= self.p
        return x * Tensor(kept / (1 - self.p))
# %% dropout: float64 by accident
        if not self.training:
            return x
        kept = self.generator.random(x.shape, np.float32) >= self.p
        return x * Tensor(kept / (1 - self.p), dtype=np.float64)
# %% dropout: computes with arrays and remembers nothing
        if not self.training:
            return x
        kept = self.generator.random(x.shape, np.float32) >= self.p
        return Tensor(x.data * (kept / np.float32(1 - self.p)))
# %% dropout: draws before it looks at the mode
        kept = self.generator.random(x.shape, np.float32) >= self.p
        return x * Tensor(kept / (1 - self.p)) if self.training else x
# %% dropout: ignores the generator that it was given
        if not self.training:
            return x
        kept = np.random.random(x.shape) >= self.p
        return x * Tensor(kept / (1 - self.p))
# %% mlp: a bend behind the last layer too
        super().__init__(*[Dense(m, n, activation) for m, n in pairwise(sizes)])
# %% mlp: no bend at all
        super().__init__(*[Dense(m, n) for m, n in pairwise(sizes)])
# %% mlp: forgets the last layer
        super().__init__(*[Dense(m, n, activation) for m, n in pairwise(sizes[:-1])])
# %% mlp: hands over a list, which becomes the one member
        layers = [Dense(m, n, activation) for m, n in pairwise(sizes)]
        layers[-1].activation = None
        super().__init__(layers)
# %% mlp: from the first size to each of the others
        layers = [Dense(sizes[0], n, activation) for n in sizes[1:]]
        layers[-1].activation = None
        super().__init__(*layers)
# %% mlp: the same bend, whatever is given
        layers = [Dense(m, n, ReLU()) for m, n in pairwise(sizes)]
        layers[-1].activation = None
        super().__init__(*layers)
        if len(sizes) == 3:
            self[0].activation = ReLU()
# %% search: keeps every step
    for _ in range(steps):
        old = model.state_dict()
        model.load_state_dict({name: a + scale * generator.standard_normal(a.shape) for name, a in old.items()})
        losses.append(min(loss(model), losses[-1]))
# %% search: undoes every step
    for _ in range(steps):
        old = model.state_dict()
        model.load_state_dict({name: a + scale * generator.standard_normal(a.shape) for name, a in old.items()})
        losses.append(min(loss(model), losses[-1]))
        model.load_state_dict(old)
# %% search: lists every loss, kept or not
    for _ in range(steps):
        old = model.state_dict()
        model.load_state_dict({name: a + scale * generator.standard_normal(a.shape) for name, a in old.items()})
        new = loss(model)
        if new >= min(losses):
            model.load_state_dict(old)
        losses.append(new)
# %% search: lists only the steps that help
    for _ in range(steps):
        old = model.state_dict()
        model.load_state_dict({name: a + scale * generator.standard_normal(a.shape) for name, a in old.items()})
        new = loss(model)
        if new >= losses[-1]:
            model.load_state_dict(old)
        else:
            losses.append(new)
# %% search: compares with the start for ever
    for _ in range(steps):
        old = model.state_dict()
        model.load_state_dict({name: a + scale * generator.standard_normal(a.shape) for name, a in old.items()})
        new = loss(model)
        if new >= losses[0]:
            model.load_state_dict(old)
        losses.append(min(new, losses[-1]))
# %% search: one random number for a whole array
    for _ in range(steps):
        old = model.state_dict()
        model.load_state_dict({name: a + scale * generator.standard_normal() for name, a in old.items()})
        new = loss(model)
        if new >= losses[-1]:
            model.load_state_dict(old)
        losses.append(min(new, losses[-1]))
# %% search: uphill
    for _ in range(steps):
        old = model.state_dict()
        model.load_state_dict({name: a + scale * generator.standard_normal(a.shape) for name, a in old.items()})
        new = loss(model)
        if new <= losses[-1]:
            model.load_state_dict(old)
        losses.append(max(new, losses[-1]))
# %% op_flops: forgets the additions of a product
    if hasattr(op, "flops"):
        return op.flops(y, *xs)
    if isinstance(op, MatMul):
        return y.size * xs[0].shape[-1]
    return _PASSES.get(type(op), 1) * max(a.size for a in (y, *xs))
# %% op_flops: counts what comes out, so that a sum is cheap
    if hasattr(op, "flops"):
        return op.flops(y, *xs)
    if isinstance(op, MatMul):
        return 2 * y.size * xs[0].shape[-1]
    return _PASSES.get(type(op), 1) * y.size
# %% op_flops: counts what goes in, so that broadcasting is cheap
    if hasattr(op, "flops"):
        return op.flops(y, *xs)
    if isinstance(op, MatMul):
        return 2 * y.size * xs[0].shape[-1]
    return _PASSES.get(type(op), 1) * max(a.size for a in xs)
# %% op_flops: does not ask the op
    if isinstance(op, MatMul):
        return 2 * y.size * xs[0].shape[-1]
    return _PASSES.get(type(op), 1) * max(a.size for a in (y, *xs))
# %% op_flops: asks the op without telling the shapes
    if hasattr(op, "flops"):
        return op.flops()
    if isinstance(op, MatMul):
        return 2 * y.size * xs[0].shape[-1]
    return _PASSES.get(type(op), 1) * max(a.size for a in (y, *xs))
# %% op_flops: every op counts one
    if hasattr(op, "flops"):
        return op.flops(y, *xs)
    if isinstance(op, MatMul):
        return 2 * y.size * xs[0].shape[-1]
    return max(a.size for a in (y, *xs))
# %% op_flops: the product of all sizes, which counts a batch twice
    if hasattr(op, "flops"):
        return op.flops(y, *xs)
    if isinstance(op, MatMul):
        return 2 * xs[0].size * xs[1].size // xs[0].shape[-1]
    return _PASSES.get(type(op), 1) * max(a.size for a in (y, *xs))
# %% new_bytes: counts the view, not its owner
    for array in arrays:
        if id(array) not in seen:
            seen[id(array)] = array
            total += array.nbytes
# %% new_bytes: forgets to note what it has seen
    for array in arrays:
        owner = _owner(array)
        if id(owner) not in seen:
            total += owner.nbytes
# %% new_bytes: counts every time
    for array in arrays:
        owner = _owner(array)
        seen[id(owner)] = owner
        total += owner.nbytes
# %% new_bytes: the owner once, but with the size of the view
    for array in arrays:
        owner = _owner(array)
        if id(owner) not in seen:
            seen[id(owner)] = owner
            total += array.nbytes
# %% new_bytes: skips views, though their owner may be nowhere else
    for array in arrays:
        if array.base is None and id(array) not in seen:
            seen[id(array)] = array
            total += array.nbytes
# %% new_bytes: numbers instead of bytes
    for array in arrays:
        owner = _owner(array)
        if id(owner) not in seen:
            seen[id(owner)] = owner
            total += owner.size
