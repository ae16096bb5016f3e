# %% sum: the dtype by an if
        self.saved = (a.shape,)
        if a.dtype.kind != "f":
            a = a.astype(np.int64)
        return np.sum(a, axis=axis, keepdims=keepdims)
# %% var: the mean square of the distances, scaled
        mean = self.mean(axis, keepdims=True)
        squares = (self - mean) ** 2
        n = self.size // max(squares.sum(axis).size, 1)
        return squares.sum(axis=axis, keepdims=keepdims) / max(n - correction, 0)
# %% stack: a list, then concat
    rows = []
    for x in tensors:
        rows.append(x.unsqueeze(dim))
    return concat(rows, dim=dim)
