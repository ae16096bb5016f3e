
# %% embedding: trusts NumPy, which counts -1 from the end
# rule: for a token below 0, or beyond the last row, raise an `IndexError`
        if ids.size > 0 and ids.max() >= self.num_embeddings:
            raise IndexError(f"token {ids.max()} has no row in a table of {self.num_embeddings}")
        return self.weight[ids]
# %% embedding: looks up in the array and loses the memory of the weight
# rule: index the weight itself with `ids`, not its `.data`
        outside = ids[(ids < 0) | (ids >= self.num_embeddings)]
        if outside.size > 0:
            raise IndexError(f"token {outside[0]} has no row in a table of {self.num_embeddings}")
        return Tensor(self.weight.data[ids])
# %% embedding: a one-hot product, which takes a token without a row for one without a vector
        one_hot = (ids[..., None] == np.arange(self.num_embeddings)).astype(np.float32)
        return Tensor(one_hot) @ self.weight
# %% embedding: off by one, the last row belongs to nobody
        outside = ids[(ids < 0) | (ids >= self.num_embeddings - 1)]
        if outside.size > 0:
            raise IndexError(f"token {outside[0]} has no row in a table of {self.num_embeddings}")
        return self.weight[ids]
# %% embedding: asks for the smallest and the largest token where there is none
# rule: and may be empty
        if ids.min() < 0 or ids.max() >= self.num_embeddings:
            raise IndexError(f"token {ids.min()} or {ids.max()} has no row in a table of {self.num_embeddings}")
        return self.weight[ids]
# %% embedding: computes with the numbers of the tokens
        outside = ids[(ids < 0) | (ids >= self.num_embeddings)]
        if outside.size > 0:
            raise IndexError(f"token {outside[0]} has no row in a table of {self.num_embeddings}")
        return Tensor(ids[..., None]) * self.weight[0]
# %% embedding: an error that says nothing
# rule: raise an `IndexError` that contains this token and the number of rows
        if ids.size > 0 and (ids.min() < 0 or ids.max() >= self.num_embeddings):
            raise IndexError("a token has no row")
        return self.weight[ids]
# %% attention_scores: forgets the scale
    return q @ np.ascontiguousarray(k.swapaxes(-1, -2))
# %% attention_scores: divides by d and not by its root
    return (q / q.shape[-1]) @ np.ascontiguousarray(k.swapaxes(-1, -2))
# %% attention_scores: takes the number of keys for the width
    return (q / math.sqrt(k.shape[-2])) @ np.ascontiguousarray(k.swapaxes(-1, -2))
# %% attention_scores: scales the query in place
# rule: `q` and `k` must not change. float32 must stay float32
    q /= math.sqrt(q.shape[-1])
    return q @ np.ascontiguousarray(k.swapaxes(-1, -2))
# %% attention_scores: .T turns all axes round, which is wrong for a stack
# rule: `q` and `k` may be stacks of matrices
    return (q / math.sqrt(q.shape[-1])) @ k.T
# %% attention_scores: a root of NumPy's, which is a float64
# rule: float32 must stay float32
    return (q / np.sqrt(q.shape[-1])) @ np.ascontiguousarray(k.swapaxes(-1, -2))
# %% causal_mask: the upper triangle, who is after instead of before
    return np.triu(np.ones((n, n), bool))
# %% causal_mask: forbids the token itself
    return np.tril(np.ones((n, n), bool), -1)
# %% causal_mask: ones and zeros that are no bools
# rule: Masks are NumPy arrays of bools
    return np.tril(np.ones((n, n)))
# %% causal_mask: True where attending is forbidden
    return np.triu(np.ones((n, n), bool), 1)
# %% padding_mask: the length itself still counts
    lengths = np.asarray(lengths).reshape(-1, 1, 1, 1)
    return np.arange(n) <= lengths
# %% padding_mask: True where there is padding
    lengths = np.asarray(lengths).reshape(-1, 1, 1, 1)
    return np.arange(n) >= lengths
# %% padding_mask: of shape (B, n), which does not broadcast over heads and queries
# rule: Give the mask the shape $(B, 1, 1, n)$, so that it broadcasts against them
    return np.arange(n) < np.asarray(lengths)[:, None]
# %% padding_mask: masks the queries and not the keys
    lengths = np.asarray(lengths).reshape(-1, 1, 1, 1)
    return np.arange(n)[:, None] < lengths
# %% padding_mask: changes the array of lengths
# rule: `lengths` is a list or an array, and must not change
    lengths = np.asarray(lengths).reshape(-1, 1, 1, 1)
    mask = np.arange(n) < lengths
    lengths -= n
    return mask
# %% padding_mask: takes lists only
# rule: `lengths` is a list or an array, and must not change
    return np.array([[[[True] * length + [False] * (n - length)]] for length in lengths + []])
# %% mask_bias: nothing is said about an empty row
# rule: If a row of the mask allows nothing, raise a `ValueError`
    return np.where(mask, np.float32(0), np.float32(-np.inf))
# %% mask_bias: a large negative number for minus infinity
    empty = np.argwhere(~mask.any(axis=-1))
    if len(empty) > 0:
        raise ValueError(f"row {empty[0].tolist()} of the mask allows nothing")
    return np.where(mask, np.float32(0), np.float32(-1e9))
# %% mask_bias: makes a float64
# rule: The bias must be float32, otherwise it makes float64 of the scores
    empty = np.argwhere(~mask.any(axis=-1))
    if len(empty) > 0:
        raise ValueError(f"row {empty[0].tolist()} of the mask allows nothing")
    return np.where(mask, 0.0, -np.inf)
# %% mask_bias: looks for empty columns
    empty = np.argwhere(~mask.any(axis=-2))
    if len(empty) > 0:
        raise ValueError(f"row {empty[0].tolist()} of the mask allows nothing")
    return np.where(mask, np.float32(0), np.float32(-np.inf))
# %% mask_bias: an error only where the whole mask is empty
    if not mask.any():
        raise ValueError("the mask allows nothing")
    return np.where(mask, np.float32(0), np.float32(-np.inf))
# %% mask_bias: bans where the mask is True
    empty = np.argwhere(~mask.any(axis=-1))
    if len(empty) > 0:
        raise ValueError(f"row {empty[0].tolist()} of the mask allows nothing")
    return np.where(mask, np.float32(-np.inf), np.float32(0))
# %% mask_bias: names the last empty row
# rule: names the *first* such row by its indices
    empty = np.argwhere(~mask.any(axis=-1))
    if len(empty) > 0:
        raise ValueError(f"row {empty[-1].tolist()} of the mask allows nothing")
    return np.where(mask, np.float32(0), np.float32(-np.inf))
# %% mask_bias: names all empty rows
# rule: names the *first* such row by its indices
    empty = np.argwhere(~mask.any(axis=-1))
    if len(empty) > 0:
        raise ValueError(f"row {empty.tolist()} of the mask allows nothing")
    return np.where(mask, np.float32(0), np.float32(-np.inf))
# %% attention_weights_op: the mask after the softmax
        w = attention_scores(q, k)
        w -= w.max(axis=-1, keepdims=True)
        np.exp(w, out=w)
        w /= w.sum(axis=-1, keepdims=True)
        if mask is not None:
            w *= mask
        self.saved = (q, k, w)
        return w
# %% attention_weights_op: the mask after the softmax, then divided again
        w = attention_scores(q, k)
        w -= w.max(axis=-1, keepdims=True)
        np.exp(w, out=w)
        if mask is not None:
            w *= mask
        w /= w.sum(axis=-1, keepdims=True)
        self.saved = (q, k, w)
        return w
# %% attention_weights_op: a forbidden score is 0
        w = attention_scores(q, k)
        if mask is not None:
            w *= mask
        w -= w.max(axis=-1, keepdims=True)
        np.exp(w, out=w)
        w /= w.sum(axis=-1, keepdims=True)
        self.saved = (q, k, w)
        return w
# %% attention_weights_op: the softmax goes over the queries
        w = attention_scores(q, k)
        if mask is not None:
            w += mask_bias(mask)
        w -= w.max(axis=-2, keepdims=True)
        np.exp(w, out=w)
        w /= w.sum(axis=-2, keepdims=True)
        self.saved = (q, k, w)
        return w
# %% attention_weights_op: no maximum taken off
        w = attention_scores(q, k)
        if mask is not None:
            w += mask_bias(mask)
        np.exp(w, out=w)
        w /= w.sum(axis=-1, keepdims=True)
        self.saved = (q, k, w)
        return w
# %% attention_weights_op: takes a maximum off that may be forbidden
# rule: so that a forbidden score cannot become the maximum that you take off
        w = attention_scores(q, k)
        w -= w.max(axis=-1, keepdims=True)
        if mask is not None:
            w += mask_bias(mask)
        np.exp(w, out=w)
        w /= w.sum(axis=-1, keepdims=True)
        self.saved = (q, k, w)
        return w
# %% attention_weights_op: one maximum for all rows
        w = attention_scores(q, k)
        if mask is not None:
            w += mask_bias(mask)
        w -= w.max()
        np.exp(w, out=w)
        w /= w.sum(axis=-1, keepdims=True)
        self.saved = (q, k, w)
        return w
# %% attention_weights_op: a new array at each step
# rule: Each step must overwrite `w`
        w = attention_scores(q, k)
        if mask is not None:
            w = w + mask_bias(mask)
        e = np.exp(w - w.max(axis=-1, keepdims=True))
        w = e / e.sum(axis=-1, keepdims=True)
        self.saved = (q, k, w)
        return w
# %% attention_weights_op: a new array for the masked scores alone
# rule: Each step must overwrite `w`
        w = attention_scores(q, k)
        if mask is not None:
            w = w + mask_bias(mask)
        w -= w.max(axis=-1, keepdims=True)
        np.exp(w, out=w)
        w /= w.sum(axis=-1, keepdims=True)
        self.saved = (q, k, w)
        return w
# %% attention_weights_op: a mask of the size of the scores only
# rule: A mask may have axes of size 1 or fewer axes: its bias broadcasts
        w = attention_scores(q, k)
        if mask is not None:
            mask_bias(mask)
            w[..., ~mask] = -np.inf
        w -= w.max(axis=-1, keepdims=True)
        np.exp(w, out=w)
        w /= w.sum(axis=-1, keepdims=True)
        self.saved = (q, k, w)
        return w
# %% attention_weights_op: forgets that there may be no mask
# rule: the bias if `mask` is not `None`
        w = attention_scores(q, k)
        w += mask_bias(mask)
        w -= w.max(axis=-1, keepdims=True)
        np.exp(w, out=w)
        w /= w.sum(axis=-1, keepdims=True)
        self.saved = (q, k, w)
        return w
# %% attention_weights_op: saves the weights only, as the softmax of module 03 did
# rule: Save `(q, k, w)`, since the derivative needs all three
        w = attention_scores(q, k)
        if mask is not None:
            w += mask_bias(mask)
        w -= w.max(axis=-1, keepdims=True)
        np.exp(w, out=w)
        w /= w.sum(axis=-1, keepdims=True)
        self.saved = (w,)
        return w
# %% attention_weights_op: scales the query in place, and the keys come transposed
# rule: `q` and `k` must not change
        q /= math.sqrt(q.shape[-1])
        w = q @ k.swapaxes(-1, -2)
        if mask is not None:
            w += mask_bias(mask)
        w -= w.max(axis=-1, keepdims=True)
        np.exp(w, out=w)
        w /= w.sum(axis=-1, keepdims=True)
        self.saved = (q, k, w)
        return w
# %% sdpa: forgets the mask
    w = AttentionWeightsOp(None).forward(q, k)
    return matmul(w, v), w
# %% sdpa: gives the mixed values alone
# rule: It returns two of them: the mixed values, and the
    return matmul(AttentionWeightsOp(mask).forward(q, k), v)
# %% sdpa: computes with tensors
# rule: Write `attention` for arrays.
    w = attention_weights(Tensor(q), Tensor(k), mask)
    return w @ v, w
# %% sdpa: gives the weights first
    w = AttentionWeightsOp(mask).forward(q, k)
    return w, matmul(w, v)
# %% sdpa: multiplies from the wrong side
    w = AttentionWeightsOp(mask).forward(q, k)
    return matmul(v, w), w
# %% sdpa: keys and queries exchanged, so the values follow the queries
    w = AttentionWeightsOp(mask).forward(k, q)
    return matmul(w, v), w
# %% sdpa: takes the keys for the values
    w = AttentionWeightsOp(mask).forward(q, k)
    return matmul(w, k), w
# %% sdpa: divides by the root twice
    w = AttentionWeightsOp(mask).forward(q / math.sqrt(q.shape[-1]), k)
    return matmul(w, v), w
# %% sdpa: gives the scores in place of the weights
    w = AttentionWeightsOp(mask).forward(q, k)
    return matmul(w, v), attention_scores(q, k)
# %% sdpa: writes the result into the values
    w = AttentionWeightsOp(mask).forward(q, k)
    if w.shape[-2] == v.shape[-2]:
        v[...] = matmul(w, v)
        return v, w
    return matmul(w, v), w
# %% sinusoids: sines in front, cosines behind
    speeds = 10_000.0 ** (-np.arange(0, dim, 2) / dim)
    angles = np.arange(length)[:, None] * speeds
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=-1).astype(np.float32)
# %% sinusoids: i for 2i, so that the hands slow down too little
    speeds = 10_000.0 ** (-np.arange(dim // 2) / dim)
    angles = np.arange(length)[:, None] * speeds
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(length, dim).astype(np.float32)
# %% sinusoids: cosine before sine
    speeds = 10_000.0 ** (-np.arange(0, dim, 2) / dim)
    angles = np.arange(length)[:, None] * speeds
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1).reshape(length, dim).astype(np.float32)
# %% sinusoids: angles rounded to float32 before the sine
# rule: Compute the angles in float64
    speeds = (10_000.0 ** (-np.arange(0, dim, 2) / dim)).astype(np.float32)
    angles = np.arange(length, dtype=np.float32)[:, None] * speeds
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(length, dim).astype(np.float32)
# %% sinusoids: hands that speed up
    speeds = 10_000.0 ** (np.arange(0, dim, 2) / dim)
    angles = np.arange(length)[:, None] * speeds
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(length, dim).astype(np.float32)
# %% sinusoids: a float64 table
# rule: Round only the result to float32
    speeds = 10_000.0 ** (-np.arange(0, dim, 2) / dim)
    angles = np.arange(length)[:, None] * speeds
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(length, dim)
# %% turn: turns the other way
    M[even, even] = np.cos(a)
    M[odd, odd] = np.cos(a)
    M[odd, even] = -np.sin(a)
    M[even, odd] = np.sin(a)
# %% turn: both sines positive, which is no rotation
    M[even, even] = np.cos(a)
    M[odd, odd] = np.cos(a)
    M[odd, even] = np.sin(a)
    M[even, odd] = np.sin(a)
# %% turn: the cosines only
    M[even, even] = np.cos(a)
    M[odd, odd] = np.cos(a)
# %% query_weights: previous and next mixed up
    weights = {"copy": turn(dim, 0), "previous": turn(dim, 1), "reverse": mirror @ turn(dim, n - 1)}
    return weights[task]
# %% query_weights: an identity of NumPy's, which is a float64
# rule: The result must be float32
    weights = {"copy": np.eye(dim), "previous": turn(dim, -1), "reverse": mirror @ turn(dim, n - 1)}
    return weights[task]
# %% query_weights: reverses by a turn alone
    weights = {"copy": turn(dim, 0), "previous": turn(dim, -1), "reverse": turn(dim, n - 1)}
    return weights[task]
# %% query_weights: turns first, then mirrors, which lands at p - n + 1 mirrored
    weights = {"copy": turn(dim, 0), "previous": turn(dim, -1), "reverse": turn(dim, n - 1) @ mirror}
    return weights[task]
# %% query_weights: off by one at the end
    weights = {"copy": turn(dim, 0), "previous": turn(dim, -1), "reverse": mirror @ turn(dim, n)}
    return weights[task]
# %% mha: forgets the output projection
        q, k, v = self.project(query, key, value)
        return merge_heads(self.attend(q, k, v, self.allowed(query.shape[-2], mask)))
# %% mha: only the mask of the caller, never the causal one
# rule: Both masks must act
        q, k, v = self.project(query, key, value)
        return self.out_proj(merge_heads(self.attend(q, k, v, mask)))
# %% mha: only the causal mask, never that of the caller
# rule: Both masks must act
        q, k, v = self.project(query, key, value)
        mask = causal_mask(query.shape[-2]) if self.causal else None
        return self.out_proj(merge_heads(self.attend(q, k, v, mask)))
# %% mha: merges by reshape alone, which deals positions out as features
        q, k, v = self.project(query, key, value)
        heads = self.attend(q, k, v, self.allowed(query.shape[-2], mask))
        return self.out_proj(heads.reshape(query.shape))
# %% mha: counts the batch for the tokens
        q, k, v = self.project(query, key, value)
        heads = self.attend(q, k, v, self.allowed(query.shape[0], mask))
        return self.out_proj(merge_heads(heads))
# %% mha: takes the second axis for the tokens, which needs a batch
        q, k, v = self.project(query, key, value)
        heads = self.attend(q, k, v, self.allowed(query.shape[1], mask))
        return self.out_proj(merge_heads(heads))
# %% mha: keys and values exchanged
        q, k, v = self.project(query, key, value)
        heads = self.attend(q, v, k, self.allowed(query.shape[-2], mask))
        return self.out_proj(merge_heads(heads))
# %% mha: one head over the whole width
        q, k, v = (merge_heads(part) for part in self.project(query, key, value))
        return self.out_proj(self.attend(q, k, v, self.allowed(query.shape[-2], mask)))
# %% mha: joins the causal mask into that of the caller
# rule: Inputs and the mask of the caller must not change
        q, k, v = self.project(query, key, value)
        if self.causal and mask is not None:
            mask &= causal_mask(query.shape[-2])
        heads = self.attend(q, k, v, self.allowed(query.shape[-2], mask))
        return self.out_proj(merge_heads(heads))
# %% mha: merges arrays, so only the last layer is remembered
# rule: The result must remember the parameters of all four linear layers
        q, k, v = self.project(query, key, value)
        heads = self.attend(q, k, v, self.allowed(query.shape[-2], mask))
        return self.out_proj(Tensor(merge_heads(heads).data))
# %% mha: computes the heads in float64
# rule: float32 stays float32
        q, k, v = (part.astype(np.float64) for part in self.project(query, key, value))
        heads = self.attend(q, k, v, self.allowed(query.shape[-2], mask))
        return self.out_proj(merge_heads(heads))
# %% mha: takes all from the queries
# rule: The layer must take keys and values from another sequence
        q, k, v = self.project(query)
        heads = self.attend(q, k, v, self.allowed(q.shape[-2], mask))
        return self.out_proj(merge_heads(heads))
# %% mha: takes the values from the keys
# rule: The layer must take keys and values from another sequence
        q, k, v = self.project(query, key)
        heads = self.attend(q, k, v, self.allowed(q.shape[-2], mask))
        return self.out_proj(merge_heads(heads))
# %% mha: attends without dropout
# rule: while the layer learns, a dropout acts on the weights
        q, k, v = self.project(query, key, value)
        heads = scaled_dot_product_attention(q, k, v, self.allowed(q.shape[-2], mask))
        return self.out_proj(merge_heads(heads))
# %% layer_norm: over the batch, as batch normalisation does
# rule: sets the scale of each *token* over its own numbers
        axes = (0,)
        d = x - x.mean(axes, keepdims=True)
        scale = 1 / ((d * d).mean(axes, keepdims=True) + self.eps).sqrt()
        y = d * scale
        if self.weight is not None:
            y = y * self.weight
        return y if self.bias is None else y + self.bias
# %% layer_norm: over the last axis only
# rule: (4, 16) means the last two
        axes = (-1,)
        d = x - x.mean(axes, keepdims=True)
        scale = 1 / ((d * d).mean(axes, keepdims=True) + self.eps).sqrt()
        y = d * scale
        if self.weight is not None:
            y = y * self.weight
        return y if self.bias is None else y + self.bias
# %% layer_norm: eps beside the root
        d = x - x.mean(axes, keepdims=True)
        scale = 1 / ((d * d).mean(axes, keepdims=True).sqrt() + self.eps)
        y = d * scale
        if self.weight is not None:
            y = y * self.weight
        return y if self.bias is None else y + self.bias
# %% layer_norm: forgets the root
        d = x - x.mean(axes, keepdims=True)
        scale = 1 / ((d * d).mean(axes, keepdims=True) + self.eps)
        y = d * scale
        if self.weight is not None:
            y = y * self.weight
        return y if self.bias is None else y + self.bias
# %% layer_norm: the unbiased variance
# rule: The variance is the mean of the squared deviations
        d = x - x.mean(axes, keepdims=True)
        scale = 1 / (x.var(axes, 1, True) + self.eps).sqrt()
        y = d * scale
        if self.weight is not None:
            y = y * self.weight
        return y if self.bias is None else y + self.bias
# %% layer_norm: the mean of the squares minus the square of the mean
# rule: Never subtract
        d = x - x.mean(axes, keepdims=True)
        mean = x.mean(axes, keepdims=True)
        scale = 1 / ((x * x).mean(axes, keepdims=True) - mean * mean + self.eps).sqrt()
        y = d * scale
        if self.weight is not None:
            y = y * self.weight
        return y if self.bias is None else y + self.bias
# %% layer_norm: there is always a weight
# rule: `weight` and `bias` may each be `None`
        d = x - x.mean(axes, keepdims=True)
        scale = 1 / ((d * d).mean(axes, keepdims=True) + self.eps).sqrt()
        y = d * scale
        y = y * self.weight
        return y if self.bias is None else y + self.bias
# %% layer_norm: where there is a weight there is a bias
# rule: `weight` and `bias` may each be `None`
        d = x - x.mean(axes, keepdims=True)
        scale = 1 / ((d * d).mean(axes, keepdims=True) + self.eps).sqrt()
        y = d * scale
        if self.weight is not None:
            y = y * self.weight
        return y if self.weight is None else y + self.bias
# %% layer_norm: forgets the bias
        d = x - x.mean(axes, keepdims=True)
        scale = 1 / ((d * d).mean(axes, keepdims=True) + self.eps).sqrt()
        y = d * scale
        if self.weight is not None:
            y = y * self.weight
        return y
# %% layer_norm: computes with arrays
# rule: The result must remember all parts
        d = x - x.mean(axes, keepdims=True)
        scale = 1 / ((d * d).mean(axes, keepdims=True) + self.eps).sqrt()
        y = d * scale
        if self.weight is not None:
            y = y * self.weight
        y = Tensor(y.data)
        return y if self.bias is None else y + self.bias
# %% layer_norm: a mean and a variance that remember nothing
# rule: The result must remember all parts
        d = x - Tensor(x.data.mean(axes, keepdims=True))
        scale = 1 / Tensor(d.data.var(axes, keepdims=True) + self.eps).sqrt()
        y = d * scale
        if self.weight is not None:
            y = y * self.weight
        return y if self.bias is None else y + self.bias
# %% layer_norm: takes the mean off, and forgets the scale
# rule: sets the scale of each *token* over its own numbers
        d = x - x.mean(axes, keepdims=True)
        scale = 1 / ((d * d).mean(axes, keepdims=True) + self.eps).sqrt()
        y = d
        if self.weight is not None:
            y = y * self.weight
        return y if self.bias is None else y + self.bias
