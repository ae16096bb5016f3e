# %% clip: with np.linalg.norm
    squares = [float(np.sum(g.astype(np.float64) ** 2)) for g in grads]
    norm = math.sqrt(math.fsum(squares)) if all(map(math.isfinite, squares)) else math.sqrt(sum(squares))
    if error_if_nonfinite and (math.isnan(norm) or math.isinf(norm)):
        raise RuntimeError("not finite")
    factor = max_norm / (norm + 1e-6)
    if norm > max_norm or math.isnan(norm):
        for g in grads:
            np.multiply(g, factor, out=g)
    return norm
# %% blend: the left form, m first
    m *= beta
    np.multiply(x, 1 - beta, out=scratch)
    m += scratch
