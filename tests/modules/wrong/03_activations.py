# %% relu: multiplies by a mask, so that -inf becomes nan
# rule: Infinities need no special case: $\max(0, -\infty)$ is 0
        return x * (x > 0)

# %% relu: takes the sign away instead of the negatives
        return abs(x)

# %% relu: changes its input in place
# rule: `x` must not change.
        x.data[x.data < 0] = 0
        return x

# %% relu: computes with the array and loses the memory of x
# rule: Use a tensor operation of module 02, so that the result remembers `x`
        return Tensor(np.maximum(x.data, 0))

# %% relu: cuts off on the wrong side
        return x.minimum(0)

# %% xor: forgets the bias, so the tent never turns down
    W1 = Tensor([[1.0, 1.0], [1.0, 1.0]])
    W2 = Tensor([[1.0], [-2.0]])
    return ReLU()(x @ W1) @ W2

# %% xor: turns down with slope -1 in all, which is level and not down
    W1 = Tensor([[1.0, 1.0], [1.0, 1.0]])
    b1 = Tensor([0.0, -1.0])
    W2 = Tensor([[1.0], [-1.0]])
    return ReLU()(x @ W1 + b1) @ W2

# %% xor: leaves the ReLU out
# rule: A network with two hidden units computes
    W1 = Tensor([[1.0, 1.0], [1.0, 1.0]])
    b1 = Tensor([0.0, -1.0])
    W2 = Tensor([[1.0], [-2.0]])
    return (x @ W1 + b1) @ W2

# %% xor: right numbers, but W2 as a vector, so that an axis is lost
    W1 = Tensor([[1.0, 1.0], [1.0, 1.0]])
    b1 = Tensor([0.0, -1.0])
    W2 = Tensor([1.0, -2.0])
    return ReLU()(x @ W1 + b1) @ W2

# %% slope: divides by h, not by the distance 2h
# rule: (f(x + h) - f(x - h)) / 2h
    return (f(x + h) - f(x - h)) / h

# %% slope: looks to the right only
# rule: a step $h$ to either side
    return (f(x + h) - f(x)) / h

# %% slope: precedence, divides by 2 and multiplies by h
    return (f(x + h) - f(x - h)) / 2 * h

# %% slope: takes h for 0.01, whatever it is
# rule: two points, a step $h$
    return (f(x + 0.01) - f(x - 0.01)) / 0.02

# %% leaky_relu: the larger of x and ax, which fails for slopes above 1
# rule: Any number is allowed, also one above 1
        return x.maximum(self.negative_slope * x)

# %% leaky_relu: ignores the setting
# rule: The default of $a$ is 0.01
        return where(x > 0, x, 0.01 * x)

# %% leaky_relu: puts a constant, not a slope, on the left
        return where(x > 0, x, -self.negative_slope)

# %% leaky_relu: the branches the wrong way round
        return where(x > 0, self.negative_slope * x, x)

# %% leaky_relu: loses the memory of x
# rule: a tensor operation, so that the result remembers `x`
        return Tensor(np.where(x.data > 0, x.data, self.negative_slope * x.data))

# %% sigmoid: the textbook form, which overflows on the left
# rule: No exponent is above 0
        y = 1 / (1 + np.exp(-x))
        self.saved = (y,)
        return y

# %% sigmoid: the other textbook form, which overflows on the right
# rule: It must not overflow, not even at ±10,000
        y = np.exp(x) / (np.exp(x) + 1)
        self.saved = (y,)
        return y

# %% sigmoid: |x| above and below, so the right half is the left one mirrored
        y = np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x)))
        self.saved = (y,)
        return y

# %% sigmoid: by tanh, which rounds the left tail to 0
# rule: the left tail must stay above 0 as long as the dtype can hold it
        y = 0.5 * (1 + np.tanh(0.5 * x))
        self.saved = (y,)
        return y

# %% sigmoid: clips x, so that the tail is wrong far out
# rule: the left tail must stay above 0 as long as the dtype can hold it
        y = 1 / (1 + np.exp(-np.clip(x, -15, 15)))
        self.saved = (y,)
        return y

# %% sigmoid: forgets to save what the derivative needs
# rule: Save the result in a tuple of one, `self.saved = (y,)`
        return np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x)))

# %% sigmoid: saves the input
# rule: Save the result in a tuple of one, `self.saved = (y,)`
        self.saved = (x,)
        return np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x)))

# %% gelu: another approximation, x σ(1.702 x)
        return x * Sigmoid()(1.702 * x)

# %% gelu: forgets the half
        inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)
        return x * (1 + inner.tanh())

# %% gelu: the square for the cube
        inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x * x)
        return 0.5 * x * (1 + inner.tanh())

# %% gelu: the root of π/2
        inner = math.sqrt(math.pi / 2) * (x + 0.044715 * x * x * x)
        return 0.5 * x * (1 + inner.tanh())

# %% gelu: computes with the array and loses the memory of x
# rule: Use tensor operations such as `x.tanh()`
        a = x.data
        return Tensor(0.5 * a * (1 + np.tanh(math.sqrt(2 / math.pi) * (a + 0.044715 * a**3))))

# %% gelu: the exact form by erf, where the one with tanh was asked for
# rule: The authors give a form with tanh
        return 0.5 * x * (1 + Tensor(np.vectorize(math.erf)(x.data / math.sqrt(2))))

# %% softmax: no maximum taken off
# rule: the largest exponent is 0
        y = np.exp(x) / np.exp(x).sum(axis=dim, keepdims=True)
        self.saved = (y,)
        return y

# %% softmax: one maximum for the whole array
# rule: Each slice along `dim` has a maximum of its own
        e = np.exp(x - x.max())
        y = e / e.sum(axis=dim, keepdims=True)
        self.saved = (y,)
        return y

# %% softmax: always along the last axis
# rule: along which axis the classes are: `dim`
        e = np.exp(x - x.max(axis=-1, keepdims=True))
        y = e / e.sum(axis=-1, keepdims=True)
        self.saved = (y,)
        return y

# %% softmax: forgets keepdims
# rule: keeps the axis with size 1, so that `x - m` broadcasts
        e = np.exp(x - x.max(axis=dim))
        y = e / e.sum(axis=dim)
        self.saved = (y,)
        return y

# %% softmax: adds up over everything
        e = np.exp(x - x.max(axis=dim, keepdims=True))
        y = e / e.sum()
        self.saved = (y,)
        return y

# %% softmax: forgets to save
# rule: Save the result in a tuple of one and leave `x` alone
        e = np.exp(x - x.max(axis=dim, keepdims=True))
        return e / e.sum(axis=dim, keepdims=True)

# %% softmax: cuts the scores off instead of shifting them
        e = np.exp(np.clip(x, -80, 80))
        y = e / e.sum(axis=dim, keepdims=True)
        self.saved = (y,)
        return y

# %% log_softmax: the log of a stable softmax
# rule: Never take the log of a probability that is rounded to 0
        e = np.exp(x - x.max(axis=dim, keepdims=True))
        y = np.log(e / e.sum(axis=dim, keepdims=True))
        self.saved = (y,)
        return y

# %% log_softmax: the log of a softmax that was kept from 0
# rule: Never take the log of a probability that is rounded to 0
        e = np.exp(x - x.max(axis=dim, keepdims=True))
        y = np.log(e / e.sum(axis=dim, keepdims=True) + 1e-12)
        self.saved = (y,)
        return y

# %% log_softmax: right on paper, but no maximum taken off
        y = x - np.log(np.exp(x).sum(axis=dim, keepdims=True))
        self.saved = (y,)
        return y

# %% log_softmax: takes off the maximum in the sum only
        m = x.max(axis=dim, keepdims=True)
        y = x - np.log(np.exp(x - m).sum(axis=dim, keepdims=True))
        self.saved = (y,)
        return y

# %% log_softmax: the wrong sign
        shifted = x - x.max(axis=dim, keepdims=True)
        y = np.log(np.exp(shifted).sum(axis=dim, keepdims=True)) - shifted
        self.saved = (y,)
        return y

# %% log_softmax: always along the last axis
        shifted = x - x.max(axis=-1, keepdims=True)
        y = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
        self.saved = (y,)
        return y

# %% log_softmax: saves the softmax and not the result
# rule: Save the result, a tuple of one, and leave `x` alone
        shifted = x - x.max(axis=dim, keepdims=True)
        y = shifted - np.log(np.exp(shifted).sum(axis=dim, keepdims=True))
        self.saved = (np.exp(y),)
        return y

# %% xor: works in place
    b1 = Tensor([0.0, -1.0])
    W2 = Tensor([[1.0], [-2.0]])
    y = ReLU()(x @ Tensor([[1.0, 1.0], [1.0, 1.0]]) + b1) @ W2
    x.data[:] = 0
    return y

# %% slope: moves x itself
# rule: `x` must stay as it is.
    x.data += h
    right = f(x)
    x.data -= 2 * h
    return (right - f(x)) / (2 * h)

# %% sigmoid: works in the input's memory
# rule: It must not change, and the result has its dtype
        y = np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x, out=x)))
        self.saved = (y,)
        return y

# %% sigmoid: computes in float64
# rule: It must not change, and the result has its dtype
        x = x.astype(np.float64)
        y = np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x)))
        self.saved = (y,)
        return y

# %% gelu: the cube as a power
# rule: Write the cube as a product
        inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
        return 0.5 * x * (1 + inner.tanh())

# %% gelu: by erf, and remembers
# rule: The authors give a form with tanh
        erf = Tensor(np.vectorize(math.erf)(x.data / math.sqrt(2)), dtype=x.dtype)
        return 0.5 * x * (1 + erf)

# %% softmax: shifts x itself
# rule: Save the result in a tuple of one and leave `x` alone
        x -= x.max(axis=dim, keepdims=True)
        e = np.exp(x)
        y = e / e.sum(axis=dim, keepdims=True)
        self.saved = (y,)
        return y

# %% log_softmax: shifts x itself
# rule: Save the result, a tuple of one, and leave `x` alone
        x -= x.max(axis=dim, keepdims=True)
        y = x - np.log(np.exp(x).sum(axis=dim, keepdims=True))
        self.saved = (y,)
        return y

# %% xor: by a formula, without a network
# rule: A network with two hidden units computes
    a, b = x[:, :1], x[:, 1:]
    return a + b - 2 * a * b

# %% xor: the four wanted outputs, whatever comes in
# rule: A network with two hidden units computes
    return Tensor([[0.0], [1.0], [1.0], [0.0]])

# %% slope: calls f with an array
# rule: for a function `f` that takes a tensor
    return Tensor((f(x.data + h) - f(x.data - h)) / (2 * h))

# %% relu: Python's max, which needs one truth value
# rule: Use a tensor operation of module 02
        return max(0, x)

# %% sigmoid: one number at a time, so only a vector goes in
# rule: `x` has any shape
        y = np.empty_like(x)
        for i, v in enumerate(x):
            e = np.exp(-abs(v))
            y[i] = 1 / (1 + e) if v >= 0 else e / (1 + e)
        self.saved = (y,)
        return y

# %% log_softmax: adds the log to the maximum, which rounds it
# rule: Take $m$ off first, as the brackets say
        m = x.max(axis=dim, keepdims=True)
        y = x - (m + np.log(np.exp(x - m).sum(axis=dim, keepdims=True)))
        self.saved = (y,)
        return y
