
# %% naive_matmul: writes instead of adding up, so only the last product stays
    for i in range(n):
        for j in range(m):
            for p in range(k):
                c[i, j] = a[i, p] * b[p, j]
# %% naive_matmul: multiplies by the transpose of b
    for i in range(n):
        for j in range(m):
            for p in range(k):
                c[i, j] += a[i, p] * b[j % k, p % m]
# %% naive_matmul: takes n for all three ranges
    for i in range(n):
        for j in range(n):
            for p in range(n):
                c[i, j] += a[i, p] * b[p, j]
# %% naive_matmul: uses a as the place for its sums
# rule: `a` and `b` must not change
    for i in range(n):
        for p in range(k):
            a[i, p] *= 1.5
            for j in range(m):
                c[i, j] += a[i, p] * b[p, j] / 1.5
# %% fans: the two the wrong way round
# rule: **fan-in**: how many numbers enter one output
    window = math.prod(shape[2:])
    return shape[0] * window, shape[1] * window
# %% fans: forgets the window
# rule: all sizes from the third on multiply both fans
    return shape[1], shape[0]
# %% fans: the window only counts on the way in
# rule: all sizes from the third on multiply both fans
    return math.prod(shape[1:]), shape[0]
# %% fans: knows windows of two dimensions only
# rule: all sizes from the third on multiply both fans
    window = shape[2] * shape[3] if len(shape) == 4 else 1
    return shape[1] * window, shape[0] * window
# %% kaiming_normal: the fan-out for the fan-in
    _, fan_out = fans(shape)
    return randn(shape, generator=generator) * math.sqrt(2 / ((1 + a * a) * fan_out))
# %% kaiming_normal: the variance where the standard deviation belongs
# rule: Solve this for the standard deviation
    fan_in, _ = fans(shape)
    return randn(shape, generator=generator) * (2 / ((1 + a * a) * fan_in))
# %% kaiming_normal: forgets the generator
# rule: `randn(shape, generator=generator)`
    fan_in, _ = fans(shape)
    return randn(shape) * math.sqrt(2 / ((1 + a * a) * fan_in))
# %% kaiming_normal: forgets the slope
    fan_in, _ = fans(shape)
    return randn(shape, generator=generator) * math.sqrt(2 / fan_in)
# %% kaiming_normal: LeCun's start, which forgets that ReLU halves
    fan_in, _ = fans(shape)
    return randn(shape, generator=generator) * math.sqrt(1 / ((1 + a * a) * fan_in))
# %% kaiming_normal: spreads evenly
# rule: normal numbers from `randn(shape, generator=generator)`
    fan_in, _ = fans(shape)
    return (2 * rand(shape, generator=generator) - 1) * math.sqrt(6 / ((1 + a * a) * fan_in))
# %% kaiming_normal: in float64
# rule: The weights are float32
    fan_in, _ = fans(shape)
    return Tensor(generator.standard_normal(shape) * math.sqrt(2 / ((1 + a * a) * fan_in)), dtype=np.float64)
# %% kaiming_normal: knows matrices only
# rule: Write it with your `fans`
    return randn(shape, generator=generator) * math.sqrt(2 / ((1 + a * a) * shape[1]))
# %% kaiming_uniform: the standard deviation as the bound
# rule: Which bound gives the standard deviation of `kaiming_normal`
    fan_in, _ = fans(shape)
    return uniform(shape, math.sqrt(2 / ((1 + a * a) * fan_in)), generator)
# %% kaiming_uniform: forgets the generator
# rule: and pass the generator on. One or two lines
    fan_in, _ = fans(shape)
    return uniform(shape, math.sqrt(6 / ((1 + a * a) * fan_in)))
# %% kaiming_uniform: scales normal numbers
# rule: Write `kaiming_uniform` with `uniform`
    fan_in, _ = fans(shape)
    return kaiming_normal(shape, a, generator)
# %% kaiming_uniform: forgets the slope
    fan_in, _ = fans(shape)
    return uniform(shape, math.sqrt(6 / fan_in), generator)
# %% kaiming_uniform: between 0 and the bound
    fan_in, _ = fans(shape)
    return rand(shape, generator=generator) * math.sqrt(6 / ((1 + a * a) * fan_in))
# %% xavier_uniform: looks at the fan-in only
    return uniform(shape, gain * math.sqrt(3 / fans(shape)[0]), generator)
# %% xavier_uniform: the standard deviation as the bound
    return uniform(shape, gain * math.sqrt(2 / sum(fans(shape))), generator)
# %% xavier_uniform: forgets the gain
# rule: a factor `gain` for other activations
    return uniform(shape, math.sqrt(6 / sum(fans(shape))), generator)
# %% xavier_uniform: the mean of the fans under one 6, so too small by half
    return uniform(shape, gain * math.sqrt(6 / (sum(fans(shape)) * 2)), generator)
# %% xavier_uniform: takes the gain into the root
    return uniform(shape, math.sqrt(gain * 6 / sum(fans(shape))), generator)
# %% linear_op: forgets to transpose
        y = rows @ weight
        if bias is not None:
            y += bias
# %% linear_op: adds the bias without looking whether there is one
# rule: if `bias` is not `None`, the bias
        y = rows @ weight.T
        y += bias
# %% linear_op: forgets the bias
        y = rows @ weight.T
# %% linear_op: the bias goes to the rows, not to the columns
        y = rows @ weight.T
        if bias is not None:
            y += bias[:, None]
# %% linear_op: adds into a second array
# rule: added *in place* with `y += ...`
        y = rows @ weight.T
        if bias is not None:
            y = y + bias
# %% linear_op: a buffer in NumPy's default dtype
# rule: and `y` has their dtype
        y = np.zeros((len(rows), len(weight)))
        y += rows @ weight.T
        if bias is not None:
            y += bias
# %% linear_op: computes in float64, and back
        y = (rows @ weight.T.astype(float)).astype(rows.dtype)
        if bias is not None:
            y += bias
# %% linear_op: the product over the input, which is only a view
# rule: The inputs must not change
        y = np.matmul(rows, weight.T, out=rows) if rows.shape[1] == len(weight) else rows @ weight.T
        if bias is not None:
            y += bias
# %% linear_op: returns at once, and the axes in front are lost
        return rows @ weight.T if bias is None else rows @ weight.T + bias
# %% linear_op: tensors, where an op computes with arrays
# rule: Its `forward` gets *arrays*
        y = Tensor(rows) @ Tensor(weight).T
        if bias is not None:
            y = y + Tensor(bias)
# %% linear_op: the other way round
        y = weight @ rows.T
        if bias is not None:
            y += bias
# %% named_members: meets a shared layer twice
# rule: a shared layer appears once, under its first name
        for name, member in self.members():
            yield prefix + name, member
            if isinstance(member, Layer):
                yield from member.named_members(f"{prefix}{name}.", seen)
# %% named_members: does not go down
        for name, member in self.members():
            if id(member) not in seen:
                seen.add(id(member))
                yield prefix + name, member
# %% named_members: calls itself, and drops what comes back
        for name, member in self.members():
            if id(member) not in seen:
                seen.add(id(member))
                yield prefix + name, member
                if isinstance(member, Layer):
                    member.named_members(f"{prefix}{name}.", seen)
# %% named_members: below, the names start anew
# rule: with its name and a dot added to the prefix
        for name, member in self.members():
            if id(member) not in seen:
                seen.add(id(member))
                yield prefix + name, member
                if isinstance(member, Layer):
                    yield from member.named_members(f"{name}.", seen)
# %% named_members: forgets the dot
# rule: with its name and a dot added to the prefix
        for name, member in self.members():
            if id(member) not in seen:
                seen.add(id(member))
                yield prefix + name, member
                if isinstance(member, Layer):
                    yield from member.named_members(f"{prefix}{name}", seen)
# %% named_members: every branch has a set of its own
# rule: and the same `seen`
        for name, member in self.members():
            if id(member) not in seen:
                seen.add(id(member))
                yield prefix + name, member
                if isinstance(member, Layer):
                    yield from member.named_members(f"{prefix}{name}.", set(seen))
# %% named_members: names only, where pairs were asked for
# rule: yield the pair `(prefix + name, member)`
        for name, member in self.members():
            if id(member) not in seen:
                seen.add(id(member))
                yield prefix + name
                if isinstance(member, Layer):
                    yield from member.named_members(f"{prefix}{name}.", seen)
# %% named_members: what is below comes first
# rule: go on inside it at once
        for name, member in self.members():
            if id(member) not in seen:
                seen.add(id(member))
                if isinstance(member, Layer):
                    yield from member.named_members(f"{prefix}{name}.", seen)
                yield prefix + name, member
# %% train: only the layer itself
# rule: *and in all layers below it*
        self.training = mode
        return self
# %% train: only what is below
# rule: sets `training` in the layer itself
        for _, member in self.named_members():
            if isinstance(member, Layer):
                member.training = mode
        return self
# %% train: one level down, no further
        self.training = mode
        for _, member in self.members():
            if isinstance(member, Layer):
                member.training = mode
        return self
# %% train: returns nothing
# rule: Both methods return the layer
        self.training = mode
        for _, member in self.named_members():
            if isinstance(member, Layer):
                member.training = mode
# %% train: always True
        self.training = True
        for _, member in self.named_members():
            if isinstance(member, Layer):
                member.training = True
        return self
# %% train: gives the attribute to activations too
# rule: Activations and parameters have no such attribute: do not give them one
        self.training = mode
        for _, member in self.named_members():
            if not isinstance(member, Tensor):
                member.training = mode
        return self
# %% train: sets it for the class, and so for every layer in the world
        Layer.training = mode
        return self
# %% naive_matmul: two loops and a product of rows
# rule: Write three loops, one inside the other, with one product of two numbers inside, and without `@`
    for i in range(n):
        for j in range(m):
            c[i, j] = a[i] @ b[:, j]
# %% naive_matmul: NumPy's product
# rule: and without `@`
    c[...] = a @ b
# %% naive_matmul: one loop and whole rows
# rule: with one product of two numbers inside
    for i in range(n):
        for p in range(k):
            c[i] += a[i, p] * b[p]
# %% naive_matmul: leaves a multiplied
# rule: `a` and `b` must not change
    for i in range(n):
        for j in range(m):
            for p in range(k):
                c[i, j] += a[i, p] * b[p, j]
    a *= 2
# %% linear_op: a buffer that the product is copied into
        y = np.empty((len(rows), len(weight)), rows.dtype)
        y[...] = rows @ weight.T
        if bias is not None:
            y += bias
# %% linear_op: adds the bias to itself on the way
# rule: The inputs must not change
        y = rows @ weight.T
        if bias is not None:
            bias += 0.5
            y += bias - 0.5
# %% train: gives the attribute to parameters as well
# rule: do not give them one
        self.training = mode
        for _, member in self.named_members():
            member.training = mode
        return self
# %% named_members: a copy of the member
# rule: yield the pair `(prefix + name, member)`
        import copy
        for name, member in self.members():
            if id(member) not in seen:
                seen.add(id(member))
                yield prefix + name, copy.copy(member)
                if isinstance(member, Layer):
                    yield from member.named_members(f"{prefix}{name}.", seen)
# %% xavier_uniform: forgets the generator
# rule: again evenly between two bounds, and pass the generator on
    return uniform(shape, gain * math.sqrt(6 / sum(fans(shape))))
# %% xavier_uniform: normal numbers
# rule: again evenly between two bounds
    return randn(shape, generator=generator) * (gain * math.sqrt(2 / sum(fans(shape))))
# %% naive_matmul: two loops, and NumPy's dot for the third
# rule: with one product of
    for i in range(n):
        for j in range(m):
            c[i, j] = np.dot(a[i], b[:, j])
# %% linear_op: multiplies the axes of x, and so many small matrices
# rule: the product of `rows`, not of `x`
    y = x @ weight.T
    if bias is not None:
        y += bias
# %% naive_matmul: two loops, and the method dot of a row
# rule: with one product of
    for i in range(n):
        for j in range(m):
            c[i, j] = a[i].dot(b[:, j])
# %% state_dict: hands out the arrays themselves
# rule: Without copies the next step of learning would change what you saved
        return {name: t.data for name, t in self.named_members() if isinstance(t, Tensor)}
# %% state_dict: hands out the tensors
# rule: to *copies* of the arrays
        return {name: t for name, t in self.named_members() if isinstance(t, Tensor)}
# %% state_dict: only its own tensors
# rule: These are the only tensors among the `named_members`
        return {name: t.data.copy() for name, t in self.members() if isinstance(t, Tensor)}
# %% state_dict: lists instead of arrays
        return {name: t.data.tolist() for name, t in self.named_members() if isinstance(t, Tensor)}
# %% state_dict: the parameters only, and no buffer
# rule: for all parameters and buffers
        return {name: p.data.copy() for name, p in self.named_parameters()}
# %% state_dict: only the weights
# rule: for all parameters and buffers
        return {n: t.data.copy() for n, t in self.named_members() if isinstance(t, Tensor) and not n.endswith("bias")}
# %% load_state_dict: loads what fits and is silent about the rest
# rule: a name is *missing* in the state
        for name, t in own.items():
            if name in state and np.shape(_numbers(state[name])) == t.shape:
                t.assign(state[name])
# %% load_state_dict: loads as it goes, and raises in the middle
# rule: and load nothing: half a network is worse than none
        for name in state:
            if name not in own:
                raise ValueError(f"{name} is unexpected")
        for name, t in own.items():
            if name not in state:
                raise ValueError(f"{name} is missing")
            array = _numbers(state[name])
            if array is None or array.shape != t.shape:
                raise ValueError(f"{name} has shape {t.shape} here, not {np.shape(array)}: {state[name]!r:.40}")
            t.assign(array)
# %% load_state_dict: raises for the first mistake only
# rule: If there is any, raise one `ValueError` with all of them
        for name in own.keys() | state.keys():
            if name not in own or name not in state:
                raise ValueError(f"{name} is missing or unexpected")
        arrays = {name: _numbers(state[name]) for name in own}
        for name, array in arrays.items():
            if array is None or array.shape != own[name].shape:
                raise ValueError(f"{name} has shape {own[name].shape} here, not {np.shape(array)}: {state[name]!r:.40}")
        for name, array in arrays.items():
            own[name].assign(array)
# %% load_state_dict: trusts that shapes fit, as NumPy stretches a row to a matrix
# rule: even one that NumPy would broadcast
        wrong = [f"{name} is missing" for name in own if name not in state]
        wrong += [f"{name} is unexpected" for name in state if name not in own]
        arrays = {name: _numbers(state[name]) for name in own if name in state}
        for name, array in arrays.items():
            if array is None:
                wrong.append(f"{name} holds no numbers: {state[name]!r:.40}")
            elif array.shape not in ((), own[name].shape, (1, *own[name].shape[1:])):
                wrong.append(f"{name} has shape {own[name].shape} here, {array.shape} in the state")
        if wrong:
            raise ValueError("; ".join(wrong))
        for name, array in arrays.items():
            own[name].assign(array)
# %% load_state_dict: the number of numbers must agree, whatever the shape
# rule: a *shape* differs
        wrong = [f"{name} is missing" for name in own if name not in state]
        wrong += [f"{name} is unexpected" for name in state if name not in own]
        arrays = {name: _numbers(state[name]) for name in own if name in state}
        for name, array in arrays.items():
            if array is None:
                wrong.append(f"{name} holds no numbers: {state[name]!r:.40}")
            elif array.size != own[name].size:
                wrong.append(f"{name} has shape {own[name].shape} here, {array.shape} in the state")
        if wrong:
            raise ValueError("; ".join(wrong))
        for name, array in arrays.items():
            own[name].assign(array.reshape(own[name].shape))
# %% load_state_dict: does not mind names which nobody expects
# rule: a name is *unexpected*
        wrong = [f"{name} is missing" for name in own if name not in state]
        arrays = {name: _numbers(state[name]) for name in own if name in state}
        for name, array in arrays.items():
            if array is None:
                wrong.append(f"{name} holds no numbers: {state[name]!r:.40}")
            elif array.shape != own[name].shape:
                wrong.append(f"{name} has shape {own[name].shape} here, {array.shape} in the state")
        if wrong:
            raise ValueError("; ".join(wrong))
        for name, array in arrays.items():
            own[name].assign(array)
# %% load_state_dict: does not mind values that are no numbers, and NumPy raises while it assigns
# rule: a *value* holds no real numbers
        wrong = [f"{name} is missing" for name in own if name not in state]
        wrong += [f"{name} is unexpected" for name in state if name not in own]
        for name, t in own.items():
            if name in state:
                try:
                    there = np.shape(state[name])
                except ValueError:
                    there = "no"
                if there != t.shape:
                    wrong.append(f"{name} has shape {t.shape} here, {there} in the state: {state[name]!r:.40}")
        if wrong:
            raise ValueError("; ".join(wrong))
        for name, t in own.items():
            t.assign(state[name])
# %% load_state_dict: names the tensor whose value is no number, but not the value
# rule: for a shape both shapes, for a value the value
        wrong = [f"{name} is missing" for name in own if name not in state]
        wrong += [f"{name} is unexpected" for name in state if name not in own]
        arrays = {name: _numbers(state[name]) for name in own if name in state}
        for name, array in arrays.items():
            if array is None:
                wrong.append(f"{name} holds no numbers")
            elif array.shape != own[name].shape:
                wrong.append(f"{name} has shape {own[name].shape} here, {array.shape} in the state")
        if wrong:
            raise ValueError("; ".join(wrong))
        for name, array in arrays.items():
            own[name].assign(array)
# %% load_state_dict: puts the given arrays in, so that two owners share them
# rule: Then `assign` each array to its tensor
        wrong = [f"{name} is missing" for name in own if name not in state]
        wrong += [f"{name} is unexpected" for name in state if name not in own]
        arrays = {name: _numbers(state[name]) for name in own if name in state}
        for name, array in arrays.items():
            if array is None:
                wrong.append(f"{name} holds no numbers: {state[name]!r:.40}")
            elif array.shape != own[name].shape:
                wrong.append(f"{name} has shape {own[name].shape} here, {array.shape} in the state")
        if wrong:
            raise ValueError("; ".join(wrong))
        for name, array in arrays.items():
            own[name].data = np.asarray(state[name])
# %% load_state_dict: takes what it loads out of the state
# rule: `state` must not change
        wrong = [f"{name} is missing" for name in own if name not in state]
        wrong += [f"{name} is unexpected" for name in state if name not in own]
        arrays = {name: _numbers(state.pop(name)) for name in own if name in state}
        for name, array in arrays.items():
            if array is None:
                wrong.append(f"{name} holds no numbers, but words or None or 1+2j or [[1], [2, 3]]")
            elif array.shape != own[name].shape:
                wrong.append(f"{name} has shape {own[name].shape} here, {array.shape} in the state")
        if wrong:
            raise ValueError("; ".join(wrong))
        for name, array in arrays.items():
            own[name].assign(array)
# %% load_state_dict: a KeyError
# rule: raise one `ValueError`
        wrong = [f"{name} is missing" for name in own if name not in state]
        wrong += [f"{name} is unexpected" for name in state if name not in own]
        arrays = {name: _numbers(state[name]) for name in own if name in state}
        for name, array in arrays.items():
            if array is None:
                wrong.append(f"{name} holds no numbers: {state[name]!r:.40}")
            elif array.shape != own[name].shape:
                wrong.append(f"{name} has shape {own[name].shape} here, {array.shape} in the state")
        if wrong:
            raise KeyError("; ".join(wrong))
        for name, array in arrays.items():
            own[name].assign(array)
# %% load_state_dict: names the tensor, not the shapes
# rule: for a shape both shapes
        wrong = [f"{name} is missing" for name in own if name not in state]
        wrong += [f"{name} is unexpected" for name in state if name not in own]
        arrays = {name: _numbers(state[name]) for name in own if name in state}
        for name, array in arrays.items():
            if array is None:
                wrong.append(f"{name} holds no numbers: {state[name]!r:.40}")
            elif array.shape != own[name].shape:
                wrong.append(f"{name} has another shape")
        if wrong:
            raise ValueError("; ".join(wrong))
        for name, array in arrays.items():
            own[name].assign(array)
# %% load_state_dict: asks each value for its shape, which a list does not have
# rule: may be arrays, tensors or lists
        wrong = [f"{name} is missing" for name in own if name not in state]
        wrong += [f"{name} is unexpected" for name in state if name not in own]
        wrong += [f"{n} has shape {own[n].shape} here, {v.shape} in the state" for n, v in state.items() if n in own and v.shape != own[n].shape]
        if wrong:
            raise ValueError("; ".join(wrong))
        for name, t in own.items():
            t.assign(_numbers(state[name]))
# %% load_state_dict: stops at the buffers
# rule: Then `assign` each array to its tensor
        wrong = [f"{name} is missing" for name in own if name not in state]
        wrong += [f"{name} is unexpected" for name in state if name not in own]
        arrays = {name: _numbers(state[name]) for name in own if name in state}
        for name, array in arrays.items():
            if array is None:
                wrong.append(f"{name} holds no numbers: {state[name]!r:.40}")
            elif array.shape != own[name].shape:
                wrong.append(f"{name} has shape {own[name].shape} here, {array.shape} in the state")
        if wrong:
            raise ValueError("; ".join(wrong))
        for name, array in arrays.items():
            if isinstance(own[name], Parameter):
                own[name].assign(array)
