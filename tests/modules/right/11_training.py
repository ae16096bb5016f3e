# %% mse_loss: by a power
    if np.shape(prediction) != np.shape(target):
        raise ValueError(f"{np.shape(prediction)} against {np.shape(target)}")
    return reduced((prediction - target) ** 2, reduction)
# %% cross_entropy_op: the mean of all logits, which is the mean of the rows' means
        p = np.exp(shifted)
        total = p.sum(axis=1, keepdims=True)
        p /= total
        self.saved = (p,)
        losses = np.log(total[:, 0]) - (1 - e) * shifted[np.arange(n), targets]
        return losses.mean() - e * shifted.mean() if e else losses.mean()
# %% confusion_matrix: counted in a loop
    t, classes = class_numbers(logits, targets), logits.shape[1]
    m = np.zeros((classes, classes), np.int64)
    for i, j in zip(t, predicted(logits)):
        m[i, j] += 1
    return m
# %% bug_a: zero_grad first
    losses = []
    for batch, labels in batches:
        optimizer.zero_grad()
        loss = cross_entropy(model(batch), labels)
        loss.backward()
        optimizer.step()
        losses += [loss.item()]
    return losses
# %% bug_b: in two steps
    logits = model(x)
    return cross_entropy(logits, y)
# %% step: scales the loss
        for batch in batches:
            share = len(batch[-1]) / n
            loss = self.loss(self.model(*batch[:-1]), batch[-1]) * share
            loss.backward()
            total += loss.item()
# %% counted_rows: places one by one
    places = [p for p in np.ndindex(targets.shape) if targets[p] != ignore_index]
    index = tuple(np.array(places).T.reshape(targets.ndim, -1))
    return logits[(index[0], slice(None), *index[1:])], targets[index]
# %% evaluating: the other models first
    mine = frozenset(layers_of(model))
    others, _evaluation.layers = _evaluation.layers, _evaluation.layers | mine
    with no_grad():
        try:
            yield
        finally:
            _evaluation.layers = others
