# %% dense: the activation before the product
        x = x if self.activation is None else self.activation(x)
        return super().forward(x)
# %% dense: forgets that there may be none
# rule: `None` for no activation
        return self.activation(super().forward(x))
# %% dense: forgets the activation
        return super().forward(x)
# %% dense: always a ReLU
# rule: `activation` is an object such as `ReLU()`
        y = super().forward(x)
        return y if self.activation is None else relu(y)
# %% dense: twice
        y = super().forward(x)
        return y if self.activation is None else self.activation(self.activation(y) * 2)
# %% dense: calls forward, which a plain function does not have
# rule: a function such as `relu`
        y = super().forward(x)
        return y if self.activation is None else self.activation.forward(y)
# %% sequential: gives every layer the same input
# rule: the output of each layer is the input of the next
        for layer in self.layers:
            y = layer(x)
        return y
# %% sequential: from the last to the first
        for layer in reversed(self.layers):
            x = layer(x)
        return x
# %% sequential: calls forward, which a function does not have
# rule: A member is anything that can be called
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
# rule: `first` and `second` must not change
    second.bias.assign(second.weight @ first.bias + second.bias)
    second.weight = Parameter((second.weight @ first.weight).detach())
    second.in_features = first.in_features
    return second
# %% collapse: puts results where parameters belong
# rule: Fill its two parameters with `assign`
    one = Linear(first.in_features, second.out_features)
    one.weight = second.weight @ first.weight
    one.bias = second.weight @ first.bias + second.bias
    return one
# %% collapse: makes a row of the two
# rule: makes a new `Linear`
    return Sequential(first, second)
# %% flatten: leaves the size to -1, which an empty batch cannot tell
# rule: it raises an error for an empty batch, which Flatten must accept
        return x.reshape(*x.shape[:start], -1, *x.shape[end + 1 :])
# %% flatten: flattens the batch too
# rule: By default these are all axes after the first
        return x.reshape(-1)
# %% flatten: joins the last two axes only
        return x.reshape(*x.shape[:-2], x.shape[-2] * x.shape[-1])
# %% flatten: pixels in columns
        return x.T.reshape(int(np.prod(x.shape[1:])), x.shape[0]).T
# %% flatten: makes a new tensor, which remembers nothing
        return Tensor(x.data.reshape(x.shape[0], int(np.prod(x.shape[1:]))))
# %% dropout: forgets to scale up
# rule: training mode scales up the numbers that stay
        if not self.training:
            return x
        if self.p == 1:
            return x * 0
        kept = self.generator.random(x.shape, np.float32) >= self.p
        return x * Tensor(kept / 1.0)
# %% dropout: keeps with probability p, and scales by 1 / p
        if not self.training:
            return x
        if self.p == 1:
            return x * 0
        kept = self.generator.random(x.shape, np.float32) < self.p
        return x * Tensor(kept / self.p)
# %% dropout: drops in evaluation mode too
# rule: in evaluation mode, return `x` itself
        kept = self.generator.random(x.shape, np.float32) >= self.p
        return x * Tensor(kept / (1 - self.p))
# %% dropout: scales in evaluation mode instead, as in the paper
        if not self.training:
            return x * (1 - self.p)
        if self.p == 1:
            return x * 0
        kept = self.generator.random(x.shape, np.float32) >= self.p
        return x * Tensor(kept / 1.0)
# %% dropout: one draw for a whole column
# rule: draw one number from 0 to 1 for each number of `x`
        if not self.training:
            return x
        if self.p == 1:
            return x * 0
        kept = self.generator.random(x.shape[-1:], np.float32) >= self.p
        return x * Tensor(kept / (1 - self.p))
# %% dropout: draws from a generator of its own, always the same
# rule: anew in each call
        if not self.training:
            return x
        if self.p == 1:
            return x * 0
        kept = np.random.default_rng(0).random(x.shape, np.float32) >= self.p
        return x * Tensor(kept / (1 - self.p))
# %% dropout: float64 by accident
# rule: `Tensor(array)` makes it float32
        if not self.training:
            return x
        if self.p == 1:
            return x * 0
        kept = self.generator.random(x.shape, np.float32) >= self.p
        return x * Tensor(kept / (1 - self.p), dtype=np.float64)
# %% dropout: computes with arrays and remembers nothing
# rule: so that the result remembers `x`
        if not self.training:
            return x
        if self.p == 1:
            return x * 0
        kept = self.generator.random(x.shape, np.float32) >= self.p
        return Tensor(x.data * (kept / np.float32(1 - self.p)))
# %% dropout: draws before it looks at the mode
# rule: and draw nothing
        kept = self.generator.random(x.shape, np.float32) >= self.p
        return x * Tensor(kept / (1 - self.p)) if self.training else x
# %% dropout: ignores the generator that it was given
# rule: `self.generator.random(x.shape, np.float32)`
        if not self.training:
            return x
        if self.p == 1:
            return x * 0
        kept = np.random.random(x.shape) >= self.p
        return x * Tensor(kept / (1 - self.p))
# %% mlp: an activation after the last layer too
# rule: with an activation after each *but the last*
        super().__init__(*[Dense(m, n, activation) for m, n in pairwise(sizes)])
# %% mlp: no activation at all
        super().__init__(*[Dense(m, n) for m, n in pairwise(sizes)])
# %% mlp: forgets the last layer
        super().__init__(*[Dense(m, n, activation) for m, n in pairwise(sizes[:-1])])
# %% mlp: hands over a list, which becomes the one member
# rule: `super().__init__(*layers)`
        layers = [Dense(m, n, activation) for m, n in pairwise(sizes)]
        layers[-1].activation = None
        super().__init__(layers)
# %% mlp: from the first size to each of the others
        layers = [Dense(sizes[0], n, activation) for n in sizes[1:]]
        layers[-1].activation = None
        super().__init__(*layers)
# %% mlp: the same activation, whatever is given
# rule: from each size to the next
        layers = [Dense(m, n, ReLU()) for m, n in pairwise(sizes)]
        layers[-1].activation = None
        super().__init__(*layers)
        if len(sizes) == 3:
            self[0].activation = ReLU()
# %% search: keeps every step
# rule: If the loss becomes smaller, keep the change, else undo it
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
# rule: after each trial the loss of what was kept
    for _ in range(steps):
        old = model.state_dict()
        model.load_state_dict({name: a + scale * generator.standard_normal(a.shape) for name, a in old.items()})
        new = loss(model)
        if new >= min(losses):
            model.load_state_dict(old)
        losses.append(new)
# %% search: lists only the steps that help
# rule: Return a list: the loss at the start, and after each trial
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
# rule: normal numbers of its own shape
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
# rule: each number of the largest array, input or output
    if hasattr(op, "flops"):
        return op.flops(y, *xs)
    if isinstance(op, MatMul):
        return 2 * y.size * xs[0].shape[-1]
    return _PASSES.get(type(op), 1) * y.size
# %% op_flops: counts what goes in, so that broadcasting is cheap
# rule: each number of the largest array, input or output
    if hasattr(op, "flops"):
        return op.flops(y, *xs)
    if isinstance(op, MatMul):
        return 2 * y.size * xs[0].shape[-1]
    return _PASSES.get(type(op), 1) * max(a.size for a in xs)
# %% op_flops: does not ask the op
# rule: counts for itself
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
# rule: only move numbers: 0
    if hasattr(op, "flops"):
        return op.flops(y, *xs)
    if isinstance(op, MatMul):
        return 2 * y.size * xs[0].shape[-1]
    return max(a.size for a in (y, *xs))
# %% op_flops: the product of all sizes, which counts a batch twice
# rule: $2k$ for each number of its result
    if hasattr(op, "flops"):
        return op.flops(y, *xs)
    if isinstance(op, MatMul):
        return 2 * xs[0].size * xs[1].size // xs[0].shape[-1]
    return _PASSES.get(type(op), 1) * max(a.size for a in (y, *xs))
# %% new_bytes: counts the view, not its owner
# rule: Replace each array by its owner
    for array in arrays:
        if id(array) not in seen:
            seen[id(array)] = array
            total += array.nbytes
# %% new_bytes: forgets to note what it has seen
# rule: and note it: `seen[id(owner)] = owner`
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
# %% dense: looks for a class, and leaves a function out
# rule: All of them but `None` can be called
        y = super().forward(x)
        return self.activation.forward(y) if hasattr(self.activation, "forward") else y
# %% dense: leaves the tensors, so nothing is remembered and float64 comes out
# rule: so compute with tensors
        y = super().forward(x)
        return y if self.activation is None else self.activation(Tensor(np.float64(y.data), dtype=np.float64))
# %% sequential: makes a new tensor of an empty row's input
# rule: An empty row returns `x`
        for layer in self.layers:
            x = layer(x)
        return x + 0
# %% sequential: takes the members out as it goes
        while self.layers:
            x = self.layers.pop(0)(x)
        return x
# %% collapse: writes the product into the second layer's bias on the way
# rule: `first` and `second` must not change
    one = Linear(first.in_features, second.out_features)
    one.weight.assign(second.weight @ first.weight)
    second.bias.assign(second.weight @ first.bias + second.bias)
    one.bias.assign(second.bias)
    return one
# %% flatten: copies
# rule: nothing is copied
        return Tensor(x.data.reshape(x.shape[0], math.prod(x.shape[1:])).copy(), requires_grad=x.requires_grad)
# %% flatten: turns the axes round, and so the order of the numbers
# rule: The numbers keep their order
        return x.permute(0, *reversed(range(1, len(x.shape)))).reshape(x.shape[0], math.prod(x.shape[1:]))
# %% dropout: keeps a draw above p, and drops one that is p
# rule: If it is at least `p`, the number stays
        if not self.training:
            return x
        if self.p == 1:
            return x * 0
        kept = self.generator.random(x.shape, np.float32) > self.p
        return x * Tensor(kept / (1 - self.p))
# %% dropout: writes into x
# rule: `x` must not change. Six lines
        if not self.training:
            return x
        if self.p == 1:
            return x * 0
        kept = self.generator.random(x.shape, np.float32) >= self.p
        y = x * Tensor(kept / (1 - self.p))
        x.data[...] = x.data * kept
        return y
# %% dropout: a copy in evaluation mode
# rule: in evaluation mode, return `x` itself, and draw nothing
        if not self.training:
            return x + 0
        if self.p == 1:
            return x * 0
        kept = self.generator.random(x.shape, np.float32) >= self.p
        return x * Tensor(kept / (1 - self.p))
# %% mlp: empties the list of sizes
# rule: `sizes` must not change
        layers = []
        sizes = sizes if isinstance(sizes, list) else list(sizes)
        m = sizes.pop(0)
        while sizes:
            n = sizes.pop(0)
            layers.append(Dense(m, n, activation if sizes else None))
            m = n
        super().__init__(*layers)
# %% mlp: no layer at all where there are two sizes
# rule: Two sizes make one layer without an activation
        layers = [Dense(m, n, activation) for m, n in pairwise(sizes[:-1])]
        if layers:
            layers.append(Dense(sizes[-2], sizes[-1]))
        super().__init__(*layers)
# %% mlp: Linear for the last layer
        layers = [Dense(m, n, activation) for m, n in pairwise(sizes[:-1])]
        super().__init__(*layers, Linear(sizes[-2], sizes[-1]))
# %% search: keeps what is only as good
# rule: If it is not smaller than the loss kept last, load the old state again
    for _ in range(steps):
        old = model.state_dict()
        model.load_state_dict({name: a + scale * generator.standard_normal(a.shape) for name, a in old.items()})
        new = loss(model)
        if new > losses[-1]:
            model.load_state_dict(old)
        losses.append(min(new, losses[-1]))
# %% search: uniform numbers, which go less far
# rule: normal numbers of its own shape
    for _ in range(steps):
        old = model.state_dict()
        model.load_state_dict({name: a + scale * (2 * generator.random(a.shape) - 1) for name, a in old.items()})
        new = loss(model)
        if new >= losses[-1]:
            model.load_state_dict(old)
        losses.append(min(new, losses[-1]))
# %% search: forgets the scale
# rule: add to each array of `model.state_dict()` `scale` times
    for _ in range(steps):
        old = model.state_dict()
        model.load_state_dict({name: a + 0.1 * generator.standard_normal(a.shape) for name, a in old.items()})
        new = loss(model)
        if new >= losses[-1]:
            model.load_state_dict(old)
        losses.append(min(new, losses[-1]))
# %% op_flops: raises where the table has no entry
# rule: 1 for an op that is not in the table
    if hasattr(op, "flops"):
        return op.flops(y, *xs)
    if isinstance(op, MatMul):
        return 2 * y.size * xs[0].shape[-1]
    return _PASSES[type(op)] * max(a.size for a in (y, *xs))
# %% op_flops: runs the op again, into y
# rule: They must not change: their shapes say all
    if hasattr(op, "flops"):
        return op.flops(y, *xs)
    if isinstance(op, MatMul):
        np.add(np.matmul(*xs), 1, out=y)
        return 2 * y.size * xs[0].shape[-1]
    return _PASSES.get(type(op), 1) * max(a.size for a in (y, *xs))
# %% new_bytes: takes the arrays out of the list
# rule: `arrays` must not change
    while arrays:
        owner = _owner(arrays.pop())
        if id(owner) not in seen:
            seen[id(owner)] = owner
            total += owner.nbytes
# %% search: draws from NumPy's own generator, so no search can be repeated
# rule: `generator.standard_normal(shape)`
    for _ in range(steps):
        old = model.state_dict()
        model.load_state_dict({
            name: array + scale * np.random.standard_normal(array.shape)
            for name, array in old.items()})
        found = loss(model)
        if found < losses[-1]:
            losses.append(found)
        else:
            model.load_state_dict(old)
            losses.append(losses[-1])
# %% new_bytes: the base for the owner, though NumPy puts further views in between
# rule: Replace each array by its owner
    for array in arrays:
        owner = array if array.base is None else array.base
        if id(owner) not in seen:
            seen[id(owner)] = owner
            total += owner.nbytes
# %% flatten: divides by the number of images, which may be 0
# rule: an empty batch, which Flatten must accept
    return x.reshape(x.shape[0], x.size // x.shape[0])
# %% flatten: looks at neither start_dim nor end_dim
# rule: joins the axes from `start_dim` to `end_dim` into one
        return x.reshape(x.shape[0], math.prod(x.shape[1:]))
# %% flatten: leaves the last of the axes out, as slices do
# rule: joins the axes from `start_dim` to `end_dim` into one
        end = end + 1 if self.end_dim == -1 else end
        joined = math.prod(x.shape[start:end])
        return x.reshape(*x.shape[:start], joined, *x.shape[end:])
# %% flatten: takes the axes behind into the product
# rule: joins the axes from `start_dim` to `end_dim` into one
        return x.reshape(*x.shape[:start], math.prod(x.shape[start:]))
# %% dropout: divides 0 by 0 where nothing stays
# rule: and never divide by 0
        if not self.training:
            return x
        kept = self.generator.random(x.shape, np.float32) >= self.p
        return x * Tensor(kept / (1 - self.p))
# %% dropout: for p = 1 zeros that remember nothing
# rule: so that the result remembers `x`
        if not self.training:
            return x
        if self.p == 1:
            return Tensor(np.zeros(x.shape))
        kept = self.generator.random(x.shape, np.float32) >= self.p
        return x * Tensor(kept / (1 - self.p))
# %% dropout: for p = 1 zeros in evaluation mode too
# rule: in evaluation mode, return `x` itself
        if self.p == 1:
            return x * 0
        if not self.training:
            return x
        kept = self.generator.random(x.shape, np.float32) >= self.p
        return x * Tensor(kept / (1 - self.p))
