
# %% conv_output_size: forgets that the first place counts, too
    pairs = _pair(size), _pair(kernel_size), _pair(stride), _pair(padding, 0)
    out = tuple((n + 2 * p - k) // s for n, k, s, p in zip(*pairs, strict=True))
    if min(out) < 1:
        raise ValueError(f"a kernel of {kernel_size} does not fit into an image of {size} with padding {padding}")
    return out
# %% conv_output_size: pads one side only
    pairs = _pair(size), _pair(kernel_size), _pair(stride), _pair(padding, 0)
    out = tuple((n + p - k) // s + 1 for n, k, s, p in zip(*pairs, strict=True))
    if min(out) < 1:
        raise ValueError(f"a kernel of {kernel_size} does not fit into an image of {size} with padding {padding}")
    return out
# %% conv_output_size: lets a kernel that does not fit give a size of 0 or less
# rule: If the kernel is larger than the padded image, raise a `ValueError`
    pairs = _pair(size), _pair(kernel_size), _pair(stride), _pair(padding, 0)
    return tuple((n + 2 * p - k) // s + 1 for n, k, s, p in zip(*pairs, strict=True))
# %% conv_output_size: divides first and rounds up
# rule: one more for every *full* stride in the rest
    pairs = _pair(size), _pair(kernel_size), _pair(stride), _pair(padding, 0)
    out = tuple(-(-(n + 2 * p - k) // s) + 1 for n, k, s, p in zip(*pairs, strict=True))
    if min(out) < 1:
        raise ValueError(f"a kernel of {kernel_size} does not fit into an image of {size} with padding {padding}")
    return out
# %% conv_output_size: one number for both directions
# rule: Write it for both axes
    (n, _), (k, _), (s, _), (p, _) = _pair(size), _pair(kernel_size), _pair(stride), _pair(padding, 0)
    out = (n + 2 * p - k) // s + 1
    if out < 1:
        raise ValueError(f"a kernel of {kernel_size} does not fit into an image of {size} with padding {padding}")
    return out, out
# %% conv_output_size: an error that says nothing
# rule: raise a `ValueError` that names the size of the kernel and the size of the image
    pairs = _pair(size), _pair(kernel_size), _pair(stride), _pair(padding, 0)
    out = tuple((n + 2 * p - k) // s + 1 for n, k, s, p in zip(*pairs, strict=True))
    if min(out) < 1:
        raise ValueError("the kernel does not fit")
    return out
# %% conv_output_size: cuts towards zero where it must round down
    pairs = _pair(size), _pair(kernel_size), _pair(stride), _pair(padding, 0)
    out = tuple(int((n + 2 * p - k) / s) + 1 for n, k, s, p in zip(*pairs, strict=True))
    if min(out) < 1:
        raise ValueError(f"a kernel of {kernel_size} does not fit into an image of {size} with padding {padding}")
    return out
# %% conv_output_size: NumPy integers in an array
# rule: The result is always a pair `(down, right)` of ints
    n, k, s, p = (np.array(_pair(value, 0)) for value in (size, kernel_size, stride, padding))
    out = (n + 2 * p - k) // s + 1
    if out.min() < 1:
        raise ValueError(f"a kernel of {kernel_size} does not fit into an image of {size}")
    return tuple(out)
# %% naive_conv2d: pads what is padded already
    x = _pad(x, padding)
    for n, o, i, j in np.ndindex(y.shape):
        y[n, o, i, j] = 0 if bias is None else bias[o]
        for c, p, q in np.ndindex(weight.shape[1:]):
            y[n, o, i, j] += x[n, c, i * sh + p, j * sw + q] * weight[o, c, p, q]
# %% naive_conv2d: forgets the stride
    for n, o, i, j in np.ndindex(y.shape):
        y[n, o, i, j] = 0 if bias is None else bias[o]
        for c, p, q in np.ndindex(weight.shape[1:]):
            y[n, o, i, j] += x[n, c, i + p, j + q] * weight[o, c, p, q]
# %% naive_conv2d: turns the kernel around, as mathematicians do
# rule: Deep-learning frameworks leave it as it is
    for n, o, i, j in np.ndindex(y.shape):
        y[n, o, i, j] = 0 if bias is None else bias[o]
        for c, p, q in np.ndindex(weight.shape[1:]):
            y[n, o, i, j] += x[n, c, i * sh + p, j * sw + q] * weight[o, c, -1 - p, -1 - q]
# %% naive_conv2d: overwrites instead of adding up
    for n, o, i, j in np.ndindex(y.shape):
        for c, p, q in np.ndindex(weight.shape[1:]):
            y[n, o, i, j] = x[n, c, i * sh + p, j * sw + q] * weight[o, c, p, q] + (0 if bias is None else bias[o])
# %% naive_conv2d: adds the bias once for every product
    for n, o, i, j in np.ndindex(y.shape):
        for c, p, q in np.ndindex(weight.shape[1:]):
            y[n, o, i, j] += x[n, c, i * sh + p, j * sw + q] * weight[o, c, p, q] + (0 if bias is None else bias[o])
# %% naive_conv2d: leaves the bias out
    for n, o, i, j in np.ndindex(y.shape):
        for c, p, q in np.ndindex(weight.shape[1:]):
            y[n, o, i, j] += x[n, c, i * sh + p, j * sw + q] * weight[o, c, p, q]
# %% naive_conv2d: exchanges the two strides
    for n, o, i, j in np.ndindex(y.shape):
        y[n, o, i, j] = 0 if bias is None else bias[o]
        for c, p, q in np.ndindex(weight.shape[1:]):
            y[n, o, i, j] += x[n, c, (i * sw + p) % x.shape[2], (j * sh + q) % x.shape[3]] * weight[o, c, p, q]
# %% naive_conv2d: needs a bias
# rule: Without a bias, `bias` is `None` and $b_o$ is 0
    for n, o, i, j in np.ndindex(y.shape):
        y[n, o, i, j] = bias[o]
        for c, p, q in np.ndindex(weight.shape[1:]):
            y[n, o, i, j] += x[n, c, i * sh + p, j * sw + q] * weight[o, c, p, q]
# %% naive_conv2d: adds the products up in the bias
# rule: No function of this module changes its inputs
    for n, o, i, j in np.ndindex(y.shape):
        total = np.zeros(len(weight)) if bias is None else bias
        before = total[o]
        for c, p, q in np.ndindex(weight.shape[1:]):
            total[o] += x[n, c, i * sh + p, j * sw + q] * weight[o, c, p, q]
        y[n, o, i, j] = total[o]
        total[o] = before + 1
# %% windows: applies the stride inside the windows
    sh, sw = _pair(stride)
    return sliding_window_view(x, _pair(kernel_size), axis=(2, 3))[..., ::sh, ::sw]
# %% windows: forgets the stride
    return sliding_window_view(x, _pair(kernel_size), axis=(2, 3))
# %% windows: takes the last two axes of the result for the images' axes
    sh, sw = _pair(stride)
    return sliding_window_view(x, _pair(kernel_size), axis=(0, 1))[:, :, ::sh, ::sw]
# %% windows: copies
# rule: The result must be a view of `x`
    sh, sw = _pair(stride)
    return sliding_window_view(x, _pair(kernel_size), axis=(2, 3))[:, :, ::sh, ::sw].copy()
# %% windows: cuts into tiles with the stride before it looks
    sh, sw = _pair(stride)
    return sliding_window_view(x[:, :, ::sh, ::sw], _pair(kernel_size), axis=(2, 3))
# %% windows: takes pairs only
# rule: Use `_pair` for both sizes, since each may be an int
    sh, sw = stride
    return sliding_window_view(x, kernel_size, axis=(2, 3))[:, :, ::sh, ::sw]
# %% im2col: forgets to move the channels behind the places
    view = windows(_pad(x, padding), kernel_size, stride)
    n, c, oh, ow, kh, kw = view.shape
    return view.reshape(n * oh * ow, c * kh * kw)
# %% im2col: channels last in each row
# rule: channel by channel, and in each channel row by row
    view = windows(_pad(x, padding), kernel_size, stride)
    n, c, oh, ow, kh, kw = view.shape
    return view.transpose(0, 2, 3, 4, 5, 1).reshape(n * oh * ow, c * kh * kw)
# %% im2col: forgets the padding
    view = windows(x, kernel_size, stride)
    n, c, oh, ow, kh, kw = view.shape
    return view.transpose(0, 2, 3, 1, 4, 5).reshape(n * oh * ow, c * kh * kw)
# %% im2col: rows of float64, whatever came in
# rule: reshape` to two axes. The dtype stays
    view = windows(_pad(x, padding), kernel_size, stride)
    n, c, oh, ow, kh, kw = view.shape
    rows = np.empty((n * oh * ow, c * kh * kw))
    rows[...] = view.transpose(0, 2, 3, 1, 4, 5).reshape(rows.shape)
    return rows
# %% im2col: the places before the images
# rule: The rows go by image, then down, then right
    view = windows(_pad(x, padding), kernel_size, stride)
    n, c, oh, ow, kh, kw = view.shape
    return view.transpose(2, 3, 0, 1, 4, 5).reshape(n * oh * ow, c * kh * kw)
# %% conv2d_im2col: reshapes to (n, out, oh, ow) at once
    y = im2col(x, (kh, kw), stride, padding) @ weight.reshape(out, -1).T
    if bias is not None:
        y = y + bias
    return y.reshape(n, out, oh, ow)
# %% conv2d_im2col: reshapes the weights where they had to be transposed
    y = im2col(x, (kh, kw), stride, padding) @ weight.reshape(-1, out)
    if bias is not None:
        y = y + bias
    return y.reshape(n, oh, ow, out).transpose(0, 3, 1, 2)
# %% conv2d_im2col: leaves the bias out
    y = im2col(x, (kh, kw), stride, padding) @ weight.reshape(out, -1).T
    return y.reshape(n, oh, ow, out).transpose(0, 3, 1, 2)
# %% conv2d_im2col: needs a bias
# rule: `bias` may be `None`
    y = im2col(x, (kh, kw), stride, padding) @ weight.reshape(out, -1).T + bias
    return y.reshape(n, oh, ow, out).transpose(0, 3, 1, 2)
# %% conv2d_im2col: leaves the channels last
    y = im2col(x, (kh, kw), stride, padding) @ weight.reshape(out, -1).T
    if bias is not None:
        y = y + bias
    return y.reshape(n, oh, ow, out)
# %% conv2d_im2col: a result of float64, whatever came in
# rule: float32 stays float32
    y = np.zeros((n * oh * ow, out))
    y += im2col(x, (kh, kw), stride, padding) @ weight.reshape(out, -1).T
    if bias is not None:
        y += bias
    return y.reshape(n, oh, ow, out).transpose(0, 3, 1, 2)
# %% conv2d_im2col: zeros of float64 where there is no bias
# rule: float32 stays float32
    if bias is None:
        bias = np.zeros(out)
    y = im2col(x, (kh, kw), stride, padding) @ weight.reshape(out, -1).T + bias
    return y.reshape(n, oh, ow, out).transpose(0, 3, 1, 2)
# %% conv2d_im2col: gives the weights another shape
# rule: No function of this module changes its inputs
    weight.shape = out, -1
    y = im2col(x, (kh, kw), stride, padding) @ weight.T
    if bias is not None:
        y += bias
    return y.reshape(n, oh, ow, out).transpose(0, 3, 1, 2)
# %% conv2d: always hands three tensors on
# rule: If `self.bias` is `None`, the op gets two tensors, else three
        x = _images(x, self, self.in_channels)
        return apply(Conv2dOp(self.stride, self.padding), x, self.weight, self.bias)
# %% conv2d: forgets the bias
        x = _images(x, self, self.in_channels)
        return apply(Conv2dOp(self.stride, self.padding), x, self.weight)
# %% conv2d: does not look at the number of channels
# rule: with the number of channels for which this layer has weights
        x = _images(x, self)
        inputs = (x, self.weight) if self.bias is None else (x, self.weight, self.bias)
        return apply(Conv2dOp(self.stride, self.padding), *inputs)
# %% conv2d: stride and padding exchanged
        x = _images(x, self, self.in_channels)
        inputs = (x, self.weight) if self.bias is None else (x, self.weight, self.bias)
        return apply(Conv2dOp(self.padding, self.stride), *inputs)
# %% conv2d: computes with arrays, and the result remembers nothing
# rule: so that the result remembers its inputs
        x = _images(x, self, self.in_channels)
        bias = None if self.bias is None else self.bias.data
        return Tensor(conv2d_blocked(x.data, self.weight.data, bias, self.stride, self.padding))
# %% conv2d: checks against the channels that go out
        x = _images(x, self, self.out_channels)
        inputs = (x, self.weight) if self.bias is None else (x, self.weight, self.bias)
        return apply(Conv2dOp(self.stride, self.padding), *inputs)
# %% conv2d: looks at the images and goes on with what came in
# rule: go on with what `_images` returns
        _images(x, self, self.in_channels)
        inputs = (x, self.weight) if self.bias is None else (x, self.weight, self.bias)
        return apply(Conv2dOp(self.stride, self.padding), *inputs)
# %% conv2d: without _images
# rule: Everything that comes in must pass through `_images(x, self, ...)`
        inputs = (x, self.weight) if self.bias is None else (x, self.weight, self.bias)
        return apply(Conv2dOp(self.stride, self.padding), *inputs)
# %% edges: the first image of the batch only
    slopes = Conv2d(1, 2, 3, bias=False)
    slopes.weight.data[...] = np.stack([SOBEL, SOBEL.T])[:, None]
    return (slopes(image)[:1] ** 2).sum(1, keepdims=True).sqrt()
# %% edges: leaves the tensors, and gives an array
# rule: Go on with tensor operations
    slopes = Conv2d(1, 2, 3, bias=False)
    slopes.weight.data[...] = np.stack([SOBEL, SOBEL.T])[:, None]
    return np.sqrt((slopes(image).data ** 2).sum(1, keepdims=True))
# %% edges: adds the slopes, so that some directions cancel
    slopes = Conv2d(1, 2, 3, bias=False)
    slopes.weight.data[...] = np.stack([SOBEL, SOBEL.T])[:, None]
    return slopes(image).sum(1, keepdims=True)
# %% edges: adds their absolute values
    slopes = Conv2d(1, 2, 3, bias=False)
    slopes.weight.data[...] = np.stack([SOBEL, SOBEL.T])[:, None]
    return slopes(image).abs().sum(1, keepdims=True)
# %% edges: the same kernel twice
    slopes = Conv2d(1, 2, 3, bias=False)
    slopes.weight.data[...] = SOBEL
    return (slopes(image) ** 2).sum(1, keepdims=True).sqrt()
# %% edges: forgets the root
    slopes = Conv2d(1, 2, 3, bias=False)
    slopes.weight.data[...] = np.stack([SOBEL, SOBEL.T])[:, None]
    return (slopes(image) ** 2).sum(1, keepdims=True)
# %% edges: drops the channel axis
    slopes = Conv2d(1, 2, 3, bias=False)
    slopes.weight.data[...] = np.stack([SOBEL, SOBEL.T])[:, None]
    return (slopes(image) ** 2).sum(1).sqrt()
# %% edges: pads, and finds an edge all around the image
# rule: Use no padding, since a frame of zeros would be an edge
    slopes = Conv2d(1, 2, 3, padding=1, bias=False)
    slopes.weight.data[...] = np.stack([SOBEL, SOBEL.T])[:, None]
    return (slopes(image) ** 2).sum(1, keepdims=True).sqrt()
# %% edges: leaves the random bias in
    slopes = Conv2d(1, 2, 3)
    slopes.weight.data[...] = np.stack([SOBEL, SOBEL.T])[:, None]
    return (slopes(image) ** 2).sum(1, keepdims=True).sqrt()
# %% edges: takes the root with NumPy, and the gradient ends there
# rule: the result must remember the image, so that a gradient can come back to it
    slopes = Conv2d(1, 2, 3, bias=False)
    slopes.weight.data[...] = np.stack([SOBEL, SOBEL.T])[:, None]
    return Tensor(np.sqrt((slopes(image).data ** 2).sum(1, keepdims=True)))
# %% edges: the array of the image goes in, so only the weights are remembered
# rule: the result must remember the image, so that a gradient can come back to it
    slopes = Conv2d(1, 2, 3, bias=False)
    slopes.weight.data[...] = np.stack([SOBEL, SOBEL.T])[:, None]
    return (slopes(Tensor(image.data)) ** 2).sum(1, keepdims=True).sqrt()
# %% largest: the last of equal taps wins
# rule: So the first of equal taps keeps its place
    for i, tap in enumerate(taps):
        which = np.maximum(which, number[i] * (tap >= y))
        y = np.maximum(y, tap)
    if np.isnan(y).any():
        for i, tap in enumerate(taps):
            which[np.isnan(tap)] = i
# %% largest: updates the maximum first, so nobody is ever larger
    for i, tap in enumerate(taps):
        y = np.maximum(y, tap)
        which = np.maximum(which, number[i] * (tap > y))
    if np.isnan(y).any():
        for i, tap in enumerate(taps):
            which[np.isnan(tap)] = i
# %% largest: starts at zero
    y = np.zeros_like(y)
    for i, tap in enumerate(taps):
        which = np.maximum(which, number[i] * (tap > y))
        y = np.maximum(y, tap)
    if np.isnan(y).any():
        for i, tap in enumerate(taps):
            which[np.isnan(tap)] = i
# %% largest: a Python int, so that the numbers become int64
# rule: `which` keeps the dtype of `number`
    for i, tap in enumerate(taps):
        which = np.maximum(which, i * (tap > y))
        y = np.maximum(y, tap)
    if np.isnan(y).any():
        for i, tap in enumerate(taps):
            which[np.isnan(tap)] = i
# %% largest: adds the numbers up
    for i, tap in enumerate(taps):
        which = which + number[i] * (tap > y)
        y = np.maximum(y, tap)
    if np.isnan(y).any():
        for i, tap in enumerate(taps):
            which[np.isnan(tap)] = i
# %% largest: writes into the first tap
# rule: The taps must not change
    y = taps[0]
    for i, tap in enumerate(taps):
        which = np.maximum(which, number[i] * (tap > y))
        np.maximum(y, tap, out=y)
    if np.isnan(y).any():
        for i, tap in enumerate(taps):
            which[np.isnan(tap)] = i
# %% avg_pool: leaves the frame out of the count
# rule: as in PyTorch these zeros count
        taps = _taps(x, *self.parameters, 0)
        inside = _taps(np.ones_like(x), *self.parameters, 0)
        self.saved = (x.shape,)
        return sum(taps) / sum(inside)
# %% avg_pool: the sum, not the mean
        taps = _taps(x, *self.parameters, 0)
        self.saved = (x.shape,)
        return sum(taps)
# %% avg_pool: saves nothing
        taps = _taps(x, *self.parameters, 0)
        return sum(taps) / len(taps)
# %% avg_pool: saves the shape bare, not in a tuple of one
# rule: So save the shape alone, as `(x.shape,)`
        taps = _taps(x, *self.parameters, 0)
        self.saved = x.shape
        return sum(taps) / len(taps)
# %% avg_pool: adds into the first tap, which is the image
# rule: the taps are views, so `x` must not change
        taps = _taps(x, *self.parameters, 0)
        self.saved = (x.shape,)
        y = taps[0]
        for tap in taps[1:]:
            y += tap
        return y / len(taps)
# %% avg_pool: divides by a kernel that is square
        kernel_size, _, _ = self.parameters
        taps = _taps(x, *self.parameters, 0)
        self.saved = (x.shape,)
        return sum(taps) / kernel_size[0] ** 2
# %% avg_pool: a mean in float64, whatever came in
# rule: The result keeps the dtype of `x`
        self.saved = (x.shape,)
        return np.mean(_taps(x, *self.parameters, 0), axis=0, dtype=np.float64)
# %% receptive_field: forgets the jump
    field = np.array([1, 1])
    for layer in layers:
        if hasattr(layer, "kernel_size"):
            field = field + np.array(layer.kernel_size) - 1
    return int(field[0]), int(field[1])
# %% receptive_field: multiplies the jump before it is used
    field, jump = np.array([1, 1]), np.array([1, 1])
    for layer in layers:
        if hasattr(layer, "kernel_size"):
            jump = jump * layer.stride
            field = field + (np.array(layer.kernel_size) - 1) * jump
    return int(field[0]), int(field[1])
# %% receptive_field: adds the kernels
    field, jump = np.array([1, 1]), np.array([1, 1])
    for layer in layers:
        if hasattr(layer, "kernel_size"):
            field = field + np.array(layer.kernel_size) * jump
            jump = jump * layer.stride
    return int(field[0]), int(field[1])
# %% receptive_field: the stride of the last layer only
    field, jump = np.array([1, 1]), np.array([1, 1])
    for layer in layers:
        if hasattr(layer, "kernel_size"):
            field = field + (np.array(layer.kernel_size) - 1) * jump
            jump = np.array(layer.stride)
    return int(field[0]), int(field[1])
# %% receptive_field: asks every layer for its kernel
# rule: Layers without a `kernel_size`, such as a ReLU, change nothing: skip them
    field, jump = np.array([1, 1]), np.array([1, 1])
    for layer in layers:
        field = field + (np.array(layer.kernel_size) - 1) * jump
        jump = jump * layer.stride
    return int(field[0]), int(field[1])
# %% receptive_field: gives the array
# rule: The result is a pair of ints
    field, jump = np.array([1, 1]), np.array([1, 1])
    for layer in layers:
        if hasattr(layer, "kernel_size"):
            field = field + (np.array(layer.kernel_size) - 1) * jump
            jump = jump * layer.stride
    return tuple(field)
# %% largest: leaves a nan to the comparison, which is False
# rule: Where `y` is nan, `which` must name a tap that is nan
    for i, tap in enumerate(taps):
        np.maximum(which, number[i] * (tap > y), out=which)
        np.maximum(y, tap, out=y)
# %% largest: names the first nan
# rule: the last one if there are several
    for i, tap in enumerate(taps):
        np.maximum(which, number[i] * (tap > y), out=which)
        np.maximum(y, tap, out=y)
    for i in reversed(range(len(taps))):
        which[np.isnan(taps[i])] = i
# %% largest: passes over nan, which hides it
# rule: `np.maximum` passes nan on, so that a fault stays visible
    for i, tap in enumerate(taps):
        np.maximum(which, number[i] * (tap > y), out=which)
        np.fmax(y, tap, out=y)
# %% largest: a tap wins that is not smaller, so that all behind a nan win
# rule: Where `y` is nan, `which` must name a tap that is nan
    for i, tap in enumerate(taps):
        wins = ~(tap <= y)
        which[wins] = i
        np.maximum(y, tap, out=y)
# %% batch_norm: over each image alone
# rule: `axes` are all axes but the channel's
        if self.training:
            axes = axes[1:]
            mean = x.mean(axes, keepdims=True)
            d = x - mean
            var = (d * d).mean(axes, keepdims=True)
            self.note(mean, var, m)
        else:
            d = x - self.column(self.running_mean, x)
            var = self.column(self.running_var, x)
        scale = 1 / (var + self.eps).sqrt()
        if self.weight is None:
            return d * scale
        return d * (scale * self.column(self.weight, x)) + self.column(self.bias, x)
# %% batch_norm: by the batch in evaluation mode too
# rule: In evaluation mode, take the running ones
        if self.training:
            mean = x.mean(axes, keepdims=True)
            d = x - mean
            var = (d * d).mean(axes, keepdims=True)
            self.note(mean, var, m)
        else:
            d = x - x.mean(axes, keepdims=True)
            var = (d * d).mean(axes, keepdims=True)
        scale = 1 / (var + self.eps).sqrt()
        if self.weight is None:
            return d * scale
        return d * (scale * self.column(self.weight, x)) + self.column(self.bias, x)
# %% batch_norm: by the running statistics in training mode too
# rule: In training mode, compute mean and variance over `axes`
        if self.training:
            mean = x.mean(axes, keepdims=True)
            d = x - mean
            var = (d * d).mean(axes, keepdims=True)
            self.note(mean, var, m)
            d, var = x - self.column(self.running_mean, x), self.column(self.running_var, x)
        else:
            d = x - self.column(self.running_mean, x)
            var = self.column(self.running_var, x)
        scale = 1 / (var + self.eps).sqrt()
        if self.weight is None:
            return d * scale
        return d * (scale * self.column(self.weight, x)) + self.column(self.bias, x)
# %% batch_norm: forgets to note
# rule: and `note` both
        if self.training:
            mean = x.mean(axes, keepdims=True)
            d = x - mean
            var = (d * d).mean(axes, keepdims=True)
        else:
            d = x - self.column(self.running_mean, x)
            var = self.column(self.running_var, x)
        scale = 1 / (var + self.eps).sqrt()
        if self.weight is None:
            return d * scale
        return d * (scale * self.column(self.weight, x)) + self.column(self.bias, x)
# %% batch_norm: notes the batch in evaluation mode too
# rule: and never note anything
        if self.training:
            mean = x.mean(axes, keepdims=True)
            d = x - mean
            var = (d * d).mean(axes, keepdims=True)
            self.note(mean, var, m)
        else:
            d = x - self.column(self.running_mean, x)
            var = self.column(self.running_var, x)
            self.note(x.mean(axes), x.var(axes), m)
        scale = 1 / (var + self.eps).sqrt()
        if self.weight is None:
            return d * scale
        return d * (scale * self.column(self.weight, x)) + self.column(self.bias, x)
# %% batch_norm: eps beside the root
# rule: stands under the root
        if self.training:
            mean = x.mean(axes, keepdims=True)
            d = x - mean
            var = (d * d).mean(axes, keepdims=True)
            self.note(mean, var, m)
        else:
            d = x - self.column(self.running_mean, x)
            var = self.column(self.running_var, x)
        scale = 1 / (var.sqrt() + self.eps)
        if self.weight is None:
            return d * scale
        return d * (scale * self.column(self.weight, x)) + self.column(self.bias, x)
# %% batch_norm: forgets eps
# rule: stands under the root
        if self.training:
            mean = x.mean(axes, keepdims=True)
            d = x - mean
            var = (d * d).mean(axes, keepdims=True)
            self.note(mean, var, m)
        else:
            d = x - self.column(self.running_mean, x)
            var = self.column(self.running_var, x)
        scale = 1 / var.sqrt()
        if self.weight is None:
            return d * scale
        return d * (scale * self.column(self.weight, x)) + self.column(self.bias, x)
# %% batch_norm: the unbiased variance
# rule: compute mean and variance over `axes`
        if self.training:
            mean = x.mean(axes, keepdims=True)
            d = x - mean
            var = x.var(axes, 1, True)
            self.note(mean, var, m)
        else:
            d = x - self.column(self.running_mean, x)
            var = self.column(self.running_var, x)
        scale = 1 / (var + self.eps).sqrt()
        if self.weight is None:
            return d * scale
        return d * (scale * self.column(self.weight, x)) + self.column(self.bias, x)
# %% batch_norm: the mean of the squares minus the square of the mean
# rule: Never subtract
        if self.training:
            mean = x.mean(axes, keepdims=True)
            d = x - mean
            var = (x * x).mean(axes, keepdims=True) - mean * mean
            self.note(mean, var, m)
        else:
            d = x - self.column(self.running_mean, x)
            var = self.column(self.running_var, x)
        scale = 1 / (var + self.eps).sqrt()
        if self.weight is None:
            return d * scale
        return d * (scale * self.column(self.weight, x)) + self.column(self.bias, x)
# %% batch_norm: a mean and a variance that remember nothing
# rule: A gradient must come back through
        if self.training:
            mean = x.mean(axes, keepdims=True)
            d = x - mean
            mean = Tensor(x.data.mean(axes, keepdims=True))
            d = x - mean
            var = Tensor((d.data**2).mean(axes, keepdims=True))
            self.note(mean, var, m)
        else:
            d = x - self.column(self.running_mean, x)
            var = self.column(self.running_var, x)
        scale = 1 / (var + self.eps).sqrt()
        if self.weight is None:
            return d * scale
        return d * (scale * self.column(self.weight, x)) + self.column(self.bias, x)
# %% batch_norm: a variance that remembers nothing
# rule: So compute with tensors
        if self.training:
            mean = x.mean(axes, keepdims=True)
            d = x - mean
            var = (d * d).mean(axes, keepdims=True).detach()
            self.note(mean, var, m)
        else:
            d = x - self.column(self.running_mean, x)
            var = self.column(self.running_var, x)
        scale = 1 / (var + self.eps).sqrt()
        if self.weight is None:
            return d * scale
        return d * (scale * self.column(self.weight, x)) + self.column(self.bias, x)
# %% batch_norm: forgets that there may be no weight
# rule: Without `affine`, `weight` and `bias` are `None`
        if self.training:
            mean = x.mean(axes, keepdims=True)
            d = x - mean
            var = (d * d).mean(axes, keepdims=True)
            self.note(mean, var, m)
        else:
            d = x - self.column(self.running_mean, x)
            var = self.column(self.running_var, x)
        scale = 1 / (var + self.eps).sqrt()
        return d * (scale * self.column(self.weight, x)) + self.column(self.bias, x)
# %% batch_norm: adds the bias before it multiplies
        if self.training:
            mean = x.mean(axes, keepdims=True)
            d = x - mean
            var = (d * d).mean(axes, keepdims=True)
            self.note(mean, var, m)
        else:
            d = x - self.column(self.running_mean, x)
            var = self.column(self.running_var, x)
        scale = 1 / (var + self.eps).sqrt()
        if self.weight is None:
            return d * scale
        return (d * scale + self.column(self.bias, x)) * self.column(self.weight, x)
# %% batch_norm: divides by the variance
        if self.training:
            mean = x.mean(axes, keepdims=True)
            d = x - mean
            var = (d * d).mean(axes, keepdims=True)
            self.note(mean, var, m)
        else:
            d = x - self.column(self.running_mean, x)
            var = self.column(self.running_var, x)
        scale = 1 / (var + self.eps)
        if self.weight is None:
            return d * scale
        return d * (scale * self.column(self.weight, x)) + self.column(self.bias, x)
# %% batch_norm: computes with arrays
# rule: So compute with tensors
        if self.training:
            mean = x.mean(axes, keepdims=True)
            d = x - mean
            var = (d * d).mean(axes, keepdims=True)
            self.note(mean, var, m)
        else:
            d = x - self.column(self.running_mean, x)
            var = self.column(self.running_var, x)
        scale = 1 / (var + self.eps).sqrt()
        if self.weight is None:
            return d * scale
        return Tensor((d * (scale * self.column(self.weight, x)) + self.column(self.bias, x)).data)
# %% batch_norm: notes one number too few
# rule: `m` is how many numbers a channel has
        if self.training:
            mean = x.mean(axes, keepdims=True)
            d = x - mean
            var = (d * d).mean(axes, keepdims=True)
            self.note(mean, var, m - 1)
        else:
            d = x - self.column(self.running_mean, x)
            var = self.column(self.running_var, x)
        scale = 1 / (var + self.eps).sqrt()
        if self.weight is None:
            return d * scale
        return d * (scale * self.column(self.weight, x)) + self.column(self.bias, x)
