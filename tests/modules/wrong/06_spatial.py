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
    pairs = _pair(size), _pair(kernel_size), _pair(stride), _pair(padding, 0)
    return tuple((n + 2 * p - k) // s + 1 for n, k, s, p in zip(*pairs, strict=True))
# %% conv_output_size: divides first and rounds up
    pairs = _pair(size), _pair(kernel_size), _pair(stride), _pair(padding, 0)
    out = tuple(-(-(n + 2 * p - k) // s) + 1 for n, k, s, p in zip(*pairs, strict=True))
    if min(out) < 1:
        raise ValueError(f"a kernel of {kernel_size} does not fit into an image of {size} with padding {padding}")
    return out
# %% conv_output_size: one number for both directions
    (n, _), (k, _), (s, _), (p, _) = _pair(size), _pair(kernel_size), _pair(stride), _pair(padding, 0)
    out = (n + 2 * p - k) // s + 1
    if out < 1:
        raise ValueError(f"a kernel of {kernel_size} does not fit into an image of {size} with padding {padding}")
    return out, out
# %% conv_output_size: an error that says nothing
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
# %% windows: applies the stride inside the windows
    sh, sw = _pair(stride)
    return sliding_window_view(x, _pair(kernel_size), axis=(2, 3))[..., ::sh, ::sw]
# %% windows: forgets the stride
    return sliding_window_view(x, _pair(kernel_size), axis=(2, 3))
# %% windows: takes the last two axes of the result for the images' axes
    sh, sw = _pair(stride)
    return sliding_window_view(x, _pair(kernel_size), axis=(0, 1))[:, :, ::sh, ::sw]
# %% windows: copies
    sh, sw = _pair(stride)
    return sliding_window_view(x, _pair(kernel_size), axis=(2, 3))[:, :, ::sh, ::sw].copy()
# %% windows: cuts into tiles with the stride before it looks
    sh, sw = _pair(stride)
    return sliding_window_view(x[:, :, ::sh, ::sw], _pair(kernel_size), axis=(2, 3))
# %% im2col: forgets to move the channels behind the places
    view = windows(_pad(x, padding), kernel_size, stride)
    n, c, oh, ow, kh, kw = view.shape
    return view.reshape(n * oh * ow, c * kh * kw)
# %% im2col: channels last in each row
    view = windows(_pad(x, padding), kernel_size, stride)
    n, c, oh, ow, kh, kw = view.shape
    return view.transpose(0, 2, 3, 4, 5, 1).reshape(n * oh * ow, c * kh * kw)
# %% im2col: forgets the padding
    view = windows(x, kernel_size, stride)
    n, c, oh, ow, kh, kw = view.shape
    return view.transpose(0, 2, 3, 1, 4, 5).reshape(n * oh * ow, c * kh * kw)
# %% im2col: rows of float64, whatever came in
    view = windows(_pad(x, padding), kernel_size, stride)
    n, c, oh, ow, kh, kw = view.shape
    rows = np.empty((n * oh * ow, c * kh * kw))
    rows[...] = view.transpose(0, 2, 3, 1, 4, 5).reshape(rows.shape)
    return rows
# %% im2col: the places before the images
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
    y = im2col(x, (kh, kw), stride, padding) @ weight.reshape(out, -1).T + bias
    return y.reshape(n, oh, ow, out).transpose(0, 3, 1, 2)
# %% conv2d_im2col: leaves the channels last
    y = im2col(x, (kh, kw), stride, padding) @ weight.reshape(out, -1).T
    if bias is not None:
        y = y + bias
    return y.reshape(n, oh, ow, out)
# %% conv2d: always hands three tensors on
        x = _images(x, self, self.in_channels)
        return apply(Conv2dOp(self.stride, self.padding), x, self.weight, self.bias)
# %% conv2d: forgets the bias
        x = _images(x, self, self.in_channels)
        return apply(Conv2dOp(self.stride, self.padding), x, self.weight)
# %% conv2d: does not look at the number of channels
        x = _images(x, self)
        inputs = (x, self.weight) if self.bias is None else (x, self.weight, self.bias)
        return apply(Conv2dOp(self.stride, self.padding), *inputs)
# %% conv2d: stride and padding exchanged
        x = _images(x, self, self.in_channels)
        inputs = (x, self.weight) if self.bias is None else (x, self.weight, self.bias)
        return apply(Conv2dOp(self.padding, self.stride), *inputs)
# %% conv2d: computes with arrays, and the result remembers nothing
        x = _images(x, self, self.in_channels)
        bias = None if self.bias is None else self.bias.data
        return Tensor(conv2d_blocked(x.data, self.weight.data, bias, self.stride, self.padding))
# %% conv2d: checks against the channels that go out
        x = _images(x, self, self.out_channels)
        inputs = (x, self.weight) if self.bias is None else (x, self.weight, self.bias)
        return apply(Conv2dOp(self.stride, self.padding), *inputs)
# %% conv2d: looks at the images and goes on with what came in
        _images(x, self, self.in_channels)
        inputs = (x, self.weight) if self.bias is None else (x, self.weight, self.bias)
        return apply(Conv2dOp(self.stride, self.padding), *inputs)
# %% edges: the first image of the batch only
    slopes = Conv2d(1, 2, 3, bias=False)
    slopes.weight.data[...] = np.stack([SOBEL, SOBEL.T])[:, None]
    return (slopes(image)[:1] ** 2).sum(1, keepdims=True).sqrt()
# %% edges: leaves the tensors, and gives an array
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
    slopes = Conv2d(1, 2, 3, padding=1, bias=False)
    slopes.weight.data[...] = np.stack([SOBEL, SOBEL.T])[:, None]
    return (slopes(image) ** 2).sum(1, keepdims=True).sqrt()
# %% edges: leaves the random bias in
    slopes = Conv2d(1, 2, 3)
    slopes.weight.data[...] = np.stack([SOBEL, SOBEL.T])[:, None]
    return (slopes(image) ** 2).sum(1, keepdims=True).sqrt()
# %% largest: the last of equal taps wins
    for i, tap in enumerate(taps):
        which = np.maximum(which, number[i] * (tap >= y))
        y = np.maximum(y, tap)
# %% largest: updates the maximum first, so nobody is ever larger
    for i, tap in enumerate(taps):
        y = np.maximum(y, tap)
        which = np.maximum(which, number[i] * (tap > y))
# %% largest: starts at zero
    y = np.zeros_like(y)
    for i, tap in enumerate(taps):
        which = np.maximum(which, number[i] * (tap > y))
        y = np.maximum(y, tap)
# %% largest: a Python int, so that the numbers become int64
    for i, tap in enumerate(taps):
        which = np.maximum(which, i * (tap > y))
        y = np.maximum(y, tap)
# %% largest: adds the numbers up
    for i, tap in enumerate(taps):
        which = which + number[i] * (tap > y)
        y = np.maximum(y, tap)
# %% largest: writes into the first tap
    y = taps[0]
    for i, tap in enumerate(taps):
        which = np.maximum(which, number[i] * (tap > y))
        np.maximum(y, tap, out=y)
# %% avg_pool: leaves the frame out of the count
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
        taps = _taps(x, *self.parameters, 0)
        self.saved = x.shape
        return sum(taps) / len(taps)
# %% avg_pool: adds into the first tap, which is the image
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
