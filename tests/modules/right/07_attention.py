# %% embedding: token by token
        for token in ids.ravel().tolist():
            if not 0 <= token < self.num_embeddings:
                raise IndexError(f"no row {token}: there are {self.num_embeddings}")
        return self.weight[ids]
# %% padding_mask: a loop over the sequences
    lengths = list(lengths)
    mask = np.zeros((len(lengths), 1, 1, n), bool)
    for b, length in enumerate(lengths):
        mask[b, :, :, :length] = True
    return mask
# %% mask_bias: a full array, then the places
    rows = mask.any(-1)
    if not rows.all():
        raise ValueError(f"nothing is allowed in row {[int(i[0]) for i in np.nonzero(~rows)]}")
    bias = np.zeros(mask.shape, np.float32)
    bias[~mask] = -np.inf
    return bias
# %% sdpa: in two steps
    weights = AttentionWeightsOp(mask)
    mixed = weights.forward(q, k) @ v
    return mixed, weights.saved[2]
# %% mha: without the helper project
        key = query if key is None else key
        value = key if value is None else value
        q, k, v = (split_heads(f(x), self.num_heads) for f, x in
                   [(self.q_proj, query), (self.k_proj, key), (self.v_proj, value)])
        y = self.attend(q, k, v, mask=self.allowed(query.shape[-2], mask))
        return self.out_proj(merge_heads(y))
# %% layer_norm: with mean and var, and branches at the end
        mean, var = x.mean(axes, keepdims=True), x.var(axes, correction=0, keepdims=True)
        y = (x - mean) / (var + self.eps) ** 0.5
        if self.weight is None:
            return y
        return y * self.weight if self.bias is None else y * self.weight + self.bias
# %% attention_scores: without the copy
    return (q / math.sqrt(k.shape[-1])) @ np.swapaxes(k, -1, -2)
# %% causal_mask: one comparison
    return np.arange(n) <= np.arange(n)[:, None]
# %% sinusoids: pairs, laid out by reshape
    angles = np.arange(length)[:, None] / 10_000.0 ** (np.arange(0, dim, 2) / dim)
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(length, dim).astype(np.float32)
# %% query_weights: one case after the other
    if task == "copy":
        return np.eye(dim, dtype=np.float32)
    return turn(dim, -1) if task == "previous" else mirror @ turn(dim, n - 1)
