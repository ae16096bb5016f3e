# %% relu: the larger of two
        return where(x > 0, x, 0.0)
# %% xor: two steps, another pair of units
    W1 = Tensor(np.array([[1, -1], [-1, 1]]), dtype=np.float32)
    hidden = ReLU()(x @ W1)
    return hidden @ Tensor([[1.0], [1.0]])
# %% slope: half of the difference over h
    difference = f(x + h) - f(x - h)
    return difference * 0.5 / h
# %% leaky_relu: two halves
        return x.maximum(0) + self.negative_slope * x.minimum(0)
# %% sigmoid: each side by its own form
        y = np.empty_like(x)
        left = x < 0
        e = np.exp(x[left])
        y[left] = e / (e + 1)
        y[~left] = 1 / (1 + np.exp(-x[~left]))
        self.saved = (y,)
        return y
# %% gelu: factored
        cube = x * x * x
        inner = (math.sqrt(2 / math.pi) * (x + cube * 0.044715)).tanh()
        return x * (inner + 1) / 2
# %% softmax: in place, but in an array of its own
        y = x - np.max(x, axis=dim, keepdims=True)
        np.exp(y, out=y)
        y /= y.sum(axis=dim, keepdims=True)
        self.saved = (y,)
        return y
# %% log_softmax: the maximum kept apart
        m = np.max(x, axis=dim, keepdims=True)
        y = x - m
        y -= np.log(np.sum(np.exp(y), axis=dim, keepdims=True))
        self.saved = (y,)
        return y
