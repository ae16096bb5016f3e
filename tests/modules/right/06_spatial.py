# %% edges: two convolutions
    parts = []
    for kernel in (SOBEL, SOBEL.T):
        layer = Conv2d(1, 1, 3, bias=False)
        layer.weight.assign(kernel[None, None])
        parts.append(layer(image))
    return (parts[0] * parts[0] + parts[1] * parts[1]).sqrt()
# %% conv_output_size: one axis after the other
    out = []
    for n, k, s, p in zip(_pair(size), _pair(kernel_size), _pair(stride), _pair(padding, 0), strict=True):
        rest = n + 2 * p - k
        if rest < 0:
            raise ValueError(f"kernel {kernel_size} is larger than image {size} with padding {padding}")
        out.append(1 + rest // s)
    return tuple(out)
# %% naive_conv2d: a sum in a name of its own
    for a, o, i, j in np.ndindex(y.shape):
        total = 0 if bias is None else bias[o]
        for c, p, q in np.ndindex(weight.shape[1:]):
            total += x[a, c, i * sh + p, j * sw + q] * weight[o, c, p, q]
        y[a, o, i, j] = total
# %% largest: writes the number where a tap wins
    for i, tap in enumerate(taps):
        which[tap > y] = i
        y = np.maximum(y, tap)
    for i, tap in enumerate(taps):
        which[tap != tap] = i
# %% largest: nan in the same walk
    for i, tap in enumerate(taps):
        which[(tap > y) | np.isnan(tap)] = i
        y = np.maximum(y, tap)
# %% avg_pool: NumPy's mean over the taps
        self.saved = (x.shape,)
        return np.mean(_taps(x, *self.parameters, 0), axis=0)
# %% batch_norm: with var, and one formula at the end
        mean, var = self.column(self.running_mean, x), self.column(self.running_var, x)
        if self.training:
            mean, var = x.mean(axes, keepdims=True), x.var(axes, correction=0, keepdims=True)
            self.note(mean, var, m)
        y = (x - mean) / (var + self.eps) ** 0.5
        if self.weight is not None:
            y = y * self.column(self.weight, x) + self.column(self.bias, x)
        return y
