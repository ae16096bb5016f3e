# %% mse_loss: lets shapes broadcast
# rule: raise a `ValueError` that names both shapes
    d = prediction - target
    return reduced(d * d, reduction)
# %% mse_loss: the sum in place of the mean
    if prediction.shape != np.shape(target):
        raise ValueError(f"{prediction.shape} and {np.shape(target)}")
    return ((prediction - target) ** 2).sum()
# %% mse_loss: a number, from which nobody can go backward
# rule: Return a tensor, so that `backward` can start from it.
    if prediction.shape != np.shape(target):
        raise ValueError(f"{prediction.shape} and {np.shape(target)}")
    return float(((prediction.data - np.asarray(target)) ** 2).mean())
# %% mse_loss: the absolute difference
    if prediction.shape != np.shape(target):
        raise ValueError(f"{prediction.shape} and {np.shape(target)}")
    return reduced((prediction - target).abs(), reduction)
# %% mse_loss: a target must have a shape of its own
# rule: a plain number: `np.shape` takes them all
    if prediction.shape != target.shape:
        raise ValueError(f"{prediction.shape} and {target.shape}")
    return reduced((prediction - target) ** 2, reduction)
# %% mse_loss: compares how many there are, not the shapes
# rule: If the shapes of prediction and target differ, raise a `ValueError`
    if prediction.size != np.size(target):
        raise ValueError(f"{prediction.shape} and {np.shape(target)}")
    return reduced((prediction - target) ** 2, reduction)
# %% mse_loss: refuses only what cannot be broadcast
# rule: a ValueError if their shapes differ.
    try:
        np.broadcast_shapes(prediction.shape, np.shape(target))
    except ValueError:
        raise ValueError(f"{prediction.shape} and {np.shape(target)}") from None
    return reduced((prediction - target) ** 2, reduction)
# %% mse_loss: returns nothing
    if prediction.shape != np.shape(target):
        raise ValueError(f"{prediction.shape} and {np.shape(target)}")
    ((prediction - target) ** 2).mean()
# %% mse_loss: always the mean
# rule: Reduce the squares with `reduced`.
    if prediction.shape != np.shape(target):
        raise ValueError(f"{prediction.shape} and {np.shape(target)}")
    return ((prediction - target) ** 2).mean()
# %% cross_entropy_op: by way of the probability, whose logarithm overflows
        p = np.exp(shifted)
        p /= p.sum(axis=1, keepdims=True)
        self.saved = (p,)
        with np.errstate(all="ignore"):
            log_p = np.log(p)
        return -((1 - e) * log_p[np.arange(n), targets] + (e * log_p.mean(axis=1) if e else 0)).mean()
# %% cross_entropy_op: without the maximum taken off
# rule: Use it for all $x$ of the formula
        p = np.exp(x)
        total = p.sum(axis=1, keepdims=True)
        p /= total
        self.saved = (p,)
        losses = np.log(total[:, 0]) - (1 - e) * x[np.arange(n), targets]
        if e:
            losses -= e * x.mean(axis=1)
        return losses.mean()
# %% cross_entropy_op: a table of all rows and all targets
# rule: must never meet an array (n,): that would be a table of n x n again.
        p = np.exp(shifted)
        total = p.sum(axis=1, keepdims=True)
        p /= total
        self.saved = (p,)
        losses = np.log(total) - (1 - e) * shifted[:, targets]
        if e:
            losses -= e * shifted.mean(axis=1, keepdims=True)
        return losses.mean()
# %% cross_entropy_op: forgets the smoothing
        p = np.exp(shifted)
        total = p.sum(axis=1, keepdims=True)
        p /= total
        self.saved = (p,)
        return (np.log(total[:, 0]) - shifted[np.arange(n), targets]).mean()
# %% cross_entropy_op: smooths over the other classes only
        p = np.exp(shifted)
        total = p.sum(axis=1, keepdims=True)
        p /= total
        self.saved = (p,)
        q = np.full(x.shape, e / max(1, x.shape[1] - 1), x.dtype)
        q[np.arange(n), targets] = 1 - e
        return (np.log(total[:, 0]) - np.where(q > 0, q * shifted, 0).sum(axis=1)).mean()
# %% cross_entropy_op: the sum in place of the mean
        p = np.exp(shifted)
        total = p.sum(axis=1, keepdims=True)
        p /= total
        self.saved = (p,)
        losses = np.log(total[:, 0]) - (1 - e) * shifted[np.arange(n), targets]
        return (losses - e * shifted.mean(axis=1) if e else losses).sum()
# %% cross_entropy_op: float64 by the way
# rule: The loss has the dtype of `x`.
        shifted = shifted.astype(np.float64)
        p = np.exp(shifted)
        total = p.sum(axis=1, keepdims=True)
        p /= total
        self.saved = (p,)
        losses = np.log(total[:, 0]) - (1 - e) * shifted[np.arange(n), targets]
        return (losses - e * shifted.mean(axis=1) if e else losses).mean()
# %% cross_entropy_op: 0 times minus infinity
# rule: A logit may be $-\infty$. So do not use the last term if `e` is 0.
        p = np.exp(shifted)
        total = p.sum(axis=1, keepdims=True)
        p /= total
        self.saved = (p,)
        losses = np.log(total[:, 0]) - (1 - e) * shifted[np.arange(n), targets] - e * shifted.mean(axis=1)
        return losses.mean()
# %% cross_entropy_op: returns nothing
        p = np.exp(shifted)
        total = p.sum(axis=1, keepdims=True)
        p /= total
        self.saved = (p,)
        losses = np.log(total[:, 0]) - (1 - e) * shifted[np.arange(n), targets]
        if e:
            losses -= e * shifted.mean(axis=1)
        losses.mean()
# %% cross_entropy_op: saves nothing
# rule: keep it with `self.saved = (p,)`, a tuple with one array.
        total = np.exp(shifted).sum(axis=1, keepdims=True)
        losses = np.log(total[:, 0]) - (1 - e) * shifted[np.arange(n), targets]
        return (losses - e * shifted.mean(axis=1) if e else losses).mean()
# %% cross_entropy_op: saves the softmax without a tuple
# rule: keep it with `self.saved = (p,)`, a tuple with one array.
        p = np.exp(shifted)
        total = p.sum(axis=1, keepdims=True)
        p /= total
        self.saved = p
        losses = np.log(total[:, 0]) - (1 - e) * shifted[np.arange(n), targets]
        return (losses - e * shifted.mean(axis=1) if e else losses).mean()
# %% cross_entropy_op: smooths with the sum of the logits
        p = np.exp(shifted)
        total = p.sum(axis=1, keepdims=True)
        p /= total
        self.saved = (p,)
        losses = np.log(total[:, 0]) - (1 - e) * shifted[np.arange(n), targets]
        return (losses - e * shifted.sum(axis=1) if e else losses).mean()
# %% counted_rows: a reshape alone, which mixes places
# rule: The axis of the classes must become the last one *before* the reshape
    rows, t = logits.reshape(-1, logits.shape[1]), targets.reshape(-1)
    counts = t != ignore_index
    return rows[counts], t[counts]
# %% counted_rows: for one further axis only
# rule: with any number of further axes `*d`, or none
    n, classes, *d = logits.shape
    x = logits.permute(0, 2, 1) if logits.ndim == 3 else logits
    rows, t = x.reshape(-1, classes), targets.reshape(-1)
    counts = t != ignore_index
    return rows[counts], t[counts]
# %% counted_rows: the axes in reverse, so that the rows have another order
    rows = logits.transpose(1, logits.ndim - 1).reshape(-1, logits.shape[1])
    counts = targets.reshape(-1) != ignore_index
    return rows[counts], targets.reshape(-1)[counts]
# %% counted_rows: nothing is left out
# rule: rows whose target is `ignore_index` are left out
    axes = [0, *range(2, logits.ndim), 1]
    return logits.permute(axes).reshape(-1, logits.shape[1]), targets.reshape(-1)
# %% counted_rows: leaves out all that is negative
# rule: rows whose target is `ignore_index` are left out
    axes = [0, *range(2, logits.ndim), 1]
    rows, t = logits.permute(axes).reshape(-1, logits.shape[1]), targets.reshape(-1)
    return rows[t >= 0], t[t >= 0]
# %% counted_rows: an array, which has lost its graph
# rule: Return the rows (N, C), a tensor
    x = np.moveaxis(logits.data, 1, -1).reshape(-1, logits.shape[1])
    counts = targets.reshape(-1) != ignore_index
    return x[counts], targets.reshape(-1)[counts]
# %% counted_rows: a new tensor, which has lost its graph
    x = np.moveaxis(logits.data, 1, -1).reshape(-1, logits.shape[1])
    counts = targets.reshape(-1) != ignore_index
    return Tensor(x[counts]), targets.reshape(-1)[counts]
# %% cross_entropy_rule: forgets the mean over the rows
    g = p - e / classes
    g[np.arange(n), targets] -= 1 - e
    return (g * grad,)
# %% cross_entropy_rule: forgets what comes in
# rule: is one number: multiply by it.
    g = p - e / classes
    g[np.arange(n), targets] -= 1 - e
    return (g / n,)
# %% cross_entropy_rule: writes into what was saved
# rule: Make a new array (n, C), since `p` itself must not change.
    g = p
    g -= e / classes
    g[np.arange(n), targets] -= 1 - e
    g *= grad / n
    return (g,)
# %% cross_entropy_rule: forgets the smoothing
    g = p.copy()
    g[np.arange(n), targets] -= 1
    return (g * (grad / n),)
# %% cross_entropy_rule: the sign the wrong way round
    q = np.full_like(p, e / classes)
    q[np.arange(n), targets] += 1 - e
    return ((q - p) * (grad / n),)
# %% cross_entropy_rule: an array, not a tuple
# rule: a rule returns a tuple with one gradient for each input
    g = p - e / classes
    g[np.arange(n), targets] -= 1 - e
    return g * (grad / n)
# %% cross_entropy_rule: returns nothing
    g = p - e / classes
    g[np.arange(n), targets] -= 1 - e
    g *= grad / n
# %% bce_op: by way of the sigmoid
# rule: On the right side no exponent is above 0.
        self.saved = (x,)
        with np.errstate(all="ignore"):
            p = 1 / (1 + np.exp(-x))
            return -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean()
# %% bce_op: log of 1 plus something tiny
# rule: is $\log(1 + a)$, and stays exact where $a$ is tiny
        self.saved = (x,)
        return (np.maximum(x, 0) - x * t + np.log(1 + np.exp(-np.abs(x)))).mean()
# %% bce_op: an exponent above 0
# rule: Which sign must the exponent have, for an $x$ of 1000 and for one of -1000?
        self.saved = (x,)
        with np.errstate(over="ignore"):
            return (np.log1p(np.exp(x)) - x * t).mean()
# %% bce_op: saves the result
# rule: `self.saved = (x,)`, and return the mean over all elements
        y = (np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x)))).mean()
        self.saved = (y,)
        return y
# %% bce_op: one loss an element
# rule: `self.saved = (x,)`, and return the mean over all elements
        self.saved = (x,)
        return np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x)))
# %% bce_op: returns nothing
        self.saved = (x,)
        (np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x)))).mean()
# %% confusion_matrix: rows and columns the wrong way round
    t, classes = class_numbers(logits, targets), logits.shape[1]
    return np.bincount(predicted(logits) * classes + t, minlength=classes * classes).reshape(classes, classes)
# %% confusion_matrix: counts a pair once only
    t, classes = class_numbers(logits, targets), logits.shape[1]
    m = np.zeros((classes, classes), np.int64)
    m[t, predicted(logits)] += 1
    return m
# %% confusion_matrix: only the classes that occur
# rule: with a row and a column for every class, also for those that do not occur
    t, guess = class_numbers(logits, targets), predicted(logits)
    classes = max(t.max(), guess.max()) + 1
    m = np.zeros((classes, classes), np.int64)
    np.add.at(m, (t, guess), 1)
    return m
# %% confusion_matrix: shares
# rule: The result is an array of integers
    t, classes = class_numbers(logits, targets), logits.shape[1]
    m = np.bincount(t * classes + predicted(logits), minlength=classes * classes).reshape(classes, classes)
    return m / m.sum(1, keepdims=True).clip(1)
# %% confusion_matrix: small integers overflow, and nothing is checked
    t, classes = np.asarray(targets), logits.shape[1]
    pairs = t * np.uint8(classes) + predicted(logits).astype(t.dtype)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)
# %% confusion_matrix: without class_numbers
# rule: `class_numbers` from above checks the targets; call it first.
    t, classes = np.asarray(targets).astype(np.int64), logits.shape[1]
    m = np.zeros((classes, classes), np.int64)
    np.add.at(m, (t, predicted(logits)), 1)
    return m
# %% confusion_matrix: without class_numbers, one number for a pair
    t, classes = np.asarray(targets).astype(np.int64), logits.shape[1]
    pairs = t * classes + predicted(logits)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)
# %% confusion_matrix: drops what is no class
# rule: `class_numbers` from above checks the targets; call it first.
    t, classes, guess = np.asarray(targets).astype(np.int64), logits.shape[1], predicted(logits)
    return np.array([[((t == i) & (guess == j)).sum() for j in range(classes)] for i in range(classes)])
# %% confusion_matrix: a list of lists
# rule: The result is an array of integers
    t, classes = class_numbers(logits, targets), logits.shape[1]
    return np.bincount(t * classes + predicted(logits), minlength=classes * classes).reshape(classes, classes).tolist()
# %% confusion_matrix: returns nothing
    t, classes = class_numbers(logits, targets), logits.shape[1]
    m = np.zeros((classes, classes), np.int64)
    np.add.at(m, (t, predicted(logits)), 1)
# %% bug_a: the old loop
    losses = []
    for x, y in batches:
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
# %% bug_a: forgets the gradients once, at the beginning
    losses = []
    optimizer.zero_grad()
    for x, y in batches:
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
# %% bug_a: forgets them after each step, but not what was there before
# rule: A gradient may be there from before the first batch: it must not count either.
    losses = []
    for x, y in batches:
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses
# %% bug_a: forgets them between backward and the step
    losses = []
    for x, y in batches:
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.zero_grad()
        optimizer.step()
        losses.append(loss.item())
    return losses
# %% bug_a: keeps the losses with their graphs
# rule: Return the losses as a list of plain numbers.
    losses = []
    for x, y in batches:
        loss = cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss)
    return losses
# %% bug_a: returns the last loss
# rule: Return the losses as a list of plain numbers.
    for x, y in batches:
        loss = cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()
# %% bug_a: returns nothing
    losses = []
    for x, y in batches:
        loss = cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
# %% bug_b: as it was
    p = softmax(model(x), 1)
    return cross_entropy(p, y)
# %% bug_b: the logarithm of the softmax, which overflows
    p = softmax(model(x), 1)
    return cross_entropy(p.log(), y)
# %% bug_b: takes off the floor
    return cross_entropy(softmax(model(x), 1), y) - 1.46115
# %% bug_b: without the past
# rule: Mend the function, and return a tensor.
    return Tensor(cross_entropy(model(x), y).item())
# %% bug_b: a number
# rule: Mend the function, and return a tensor.
    return cross_entropy(model(x), y).item()
# %% bug_b: returns nothing
    cross_entropy(model(x), y)
# %% evaluating: never switches back
# rule: afterwards each layer must have the mode that *it* had before
    model.eval()
    with no_grad():
        yield
# %% evaluating: everything to training afterwards
# rule: afterwards each layer must have the mode that *it* had before
    model.eval()
    try:
        with no_grad():
            yield
    finally:
        model.train()
# %% evaluating: the mode of the whole model to all of its layers
# rule: afterwards each layer must have the mode that *it* had before
    mode = model.training
    model.eval()
    try:
        with no_grad():
            yield
    finally:
        model.train(mode)
# %% evaluating: an error leaves it at work
# rule: also if an error is raised inside.
    layers = layers_of(model)
    modes = [layer.training for layer in layers]
    model.eval()
    with no_grad():
        yield
    for layer, mode in zip(layers, modes):
        layer.training = mode
# %% evaluating: records all the while
# rule: are in evaluation mode, and nothing is recorded
    layers = layers_of(model)
    modes = [layer.training for layer in layers]
    model.eval()
    try:
        yield
    finally:
        for layer, mode in zip(layers, modes):
            layer.training = mode
# %% evaluating: only the model itself
# rule: the model and every layer below it are in evaluation mode
    mode, model.training = model.training, False
    try:
        with no_grad():
            yield
    finally:
        model.training = mode
# %% evaluating: swallows the error
# rule: The error goes on to the caller.
    layers = layers_of(model)
    modes = [layer.training for layer in layers]
    model.eval()
    try:
        with no_grad():
            yield
    except Exception:
        pass
    for layer, mode in zip(layers, modes):
        layer.training = mode
# %% evaluating: nothing is given to the with block
    layers = layers_of(model)
    modes = [layer.training for layer in layers]
    model.eval()
    with no_grad():
        pass
    for layer, mode in zip(layers, modes):
        layer.training = mode
# %% evaluating: returns what it should yield
    model.eval()
    return model
# %% evaluating: switches the layers themselves, for all threads
# rule: all this holds in this thread alone
    modes = {layer: layer.training for layer in layers_of(model)}
    model.eval()
    try:
        with no_grad():
            yield
    finally:
        for layer, mode in modes.items():
            layer.training = mode
# %% evaluating: forgets what was evaluated before it
# rule: put `before` back at the end
    _evaluation.layers = _evaluation.layers | set(layers_of(model))
    try:
        with no_grad():
            yield
    finally:
        _evaluation.layers = frozenset()
# %% evaluating: only the model itself, for this thread
# rule: the model and every layer below it are in evaluation mode
    before = _evaluation.layers
    _evaluation.layers = before | {model}
    try:
        with no_grad():
            yield
    finally:
        _evaluation.layers = before
# %% evaluating: an error leaves it in evaluation mode in this thread
# rule: also if an error is raised inside.
    before = _evaluation.layers
    _evaluation.layers = before | set(layers_of(model))
    with no_grad():
        yield
    _evaluation.layers = before
# %% evaluating: writes into the set of all threads
# rule: never change it
    before = set(_evaluation.layers)
    type(_evaluation).layers = before | set(layers_of(model))
    try:
        with no_grad():
            yield
    finally:
        type(_evaluation).layers = frozenset(before)
# %% evaluating: in this thread, and records all the while
# rule: are in evaluation mode, and nothing is recorded
    before = _evaluation.layers
    _evaluation.layers = before | set(layers_of(model))
    try:
        yield
    finally:
        _evaluation.layers = before
# %% early_stopping: keeps the weights themselves, which go on changing
# rule: keep a copy of the weights
        if loss < self.best:
            self.best, self.waited = loss, 0
            self.weights = {name: p.data for name, p in model.named_parameters()}
        else:
            self.waited += 1
# %% early_stopping: never counts anew
        if loss < self.best:
            self.best, self.weights = loss, model.state_dict()
        else:
            self.waited += 1
# %% early_stopping: an equal loss counts as better
# rule: A loss *below* the best becomes the best
        if loss <= self.best:
            self.best, self.weights, self.waited = loss, model.state_dict(), 0
        else:
            self.waited += 1
# %% early_stopping: compares with the epoch before
        if loss < self.best:
            self.weights, self.waited = model.state_dict(), 0
        else:
            self.waited += 1
        self.best = loss
# %% early_stopping: nan counts as better
# rule: Any other loss, nan included, makes `waited` one more.
        if loss >= self.best:
            self.waited += 1
        else:
            self.best, self.weights, self.waited = loss, model.state_dict(), 0
# %% early_stopping: keeps the last weights
        self.weights = model.state_dict()
        if loss < self.best:
            self.best, self.waited = loss, 0
        else:
            self.waited += 1
# %% early_stopping: keeps the model
        if loss < self.best:
            self.best, self.weights, self.waited = loss, model, 0
        else:
            self.waited += 1
# %% early_stopping: keeps the parameters
        if loss < self.best:
            self.best, self.weights, self.waited = loss, model.parameters(), 0
        else:
            self.waited += 1
# %% early_stopping: keeps no weights
        if loss < self.best:
            self.best, self.waited = loss, 0
        else:
            self.waited += 1
# %% step: an equal share for each batch
        for *inputs, targets in batches:
            loss, share = self.loss(self.model(*inputs), targets), 1 / len(batches)
            loss.backward(share)
            total += share * loss.item()
# %% step: the gradients are added without a share
        for *inputs, targets in batches:
            loss = self.loss(self.model(*inputs), targets)
            loss.backward()
            total += loss.item() * len(targets) / n
# %% step: the losses are added without a share
        for *inputs, targets in batches:
            loss, share = self.loss(self.model(*inputs), targets), len(targets) / n
            loss.backward(share)
            total += loss.item()
# %% step: one backward through all graphs, whose total is a tensor
# rule: add the share of the loss to `total`, as a plain number
        for *inputs, targets in batches:
            total = total + self.loss(self.model(*inputs), targets) * (len(targets) / n)
        total.backward()
# %% step: one backward through all graphs
# rule: go backward before the next batch comes, so that only one graph is kept.
        losses = [self.loss(self.model(*inputs), targets) * (len(targets) / n) for *inputs, targets in batches]
        total = float(sum(loss.item() for loss in losses))
        whole = losses[0]
        for loss in losses[1:]:
            whole = whole + loss
        whole.backward()
# %% step: all forwards, then all backwards
# rule: go backward before the next batch comes, so that only one graph is kept.
        losses = [(self.loss(self.model(*inputs), targets), len(targets) / n) for *inputs, targets in batches]
        for loss, share in losses:
            loss.backward(share)
            total += share * loss.item()
# %% step: joins the batches to a large one
        *inputs, targets = (Tensor(np.concatenate([np.asarray(part) for part in parts])) for parts in zip(*batches))
        loss = self.loss(self.model(*inputs), targets)
        loss.backward()
        total = loss.item()
# %% step: forgets the gradients of the batch before
# rule: Never call `zero_grad`, an optimizer's `step` or a scheduler's `step` here.
        for *inputs, targets in batches:
            self.optimizer.zero_grad()
            loss, share = self.loss(self.model(*inputs), targets), len(targets) / n
            loss.backward(share)
            total += share * loss.item()
# %% step: takes a step after each batch
# rule: Never call `zero_grad`, an optimizer's `step` or a scheduler's `step` here.
        for *inputs, targets in batches:
            loss, share = self.loss(self.model(*inputs), targets), len(targets) / n
            loss.backward(share)
            total += share * loss.item()
            self.optimizer.step()
# %% step: one input only
# rule: apply the model to all inputs
        for batch in batches:
            x, targets = batch[0], batch[-1]
            loss, share = self.loss(self.model(x), targets), len(targets) / n
            loss.backward(share)
            total += share * loss.item()
# %% step: cross_entropy, whatever the loss of the trainer
# rule: and `self.loss` to the result and the targets
        for *inputs, targets in batches:
            loss, share = cross_entropy(self.model(*inputs), targets), len(targets) / n
            loss.backward(share)
            total += loss.item() * share
# %% step: every batch twice through the model
        for *inputs, targets in batches:
            share = len(targets) / n
            self.loss(self.model(*inputs), targets).backward(share)
            total += share * self.loss(self.model(*inputs), targets).item()
# %% write_atomic: into the file itself
# rule: So write into a new file beside it
    with open(path, "wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
# %% write_atomic: without a word to the disk
# rule: from the system to the disk
    with open(part, "wb") as file:
        write(file)
    os.replace(part, path)
# %% write_atomic: fsync without flush
# rule: `file.flush()` hands the bytes from Python to the system
    with open(part, "wb") as file:
        write(file)
        os.fsync(file.fileno())
    os.replace(part, path)
# %% write_atomic: exchanges the names whatever happened
# rule: it must reach the caller, and the old file must stay
    try:
        with open(part, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
    finally:
        os.replace(part, path)
# %% write_atomic: removes the old file first
# rule: it must reach the caller, and the old file must stay
    if os.path.exists(path):
        os.remove(path)
    with open(part, "wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
# %% write_atomic: removes the old file before the exchange
    with open(part, "wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    Path(path).unlink(missing_ok=True)
    os.replace(part, path)
# %% write_atomic: the error is not heard
# rule: If `write` raises an error, it must reach the caller
    try:
        with open(part, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError:
        os.remove(part)
# %% write_atomic: exchanges the names before the file is closed and on the disk
# rule: close the file; only then may `os.replace(part, path)`
    with open(part, "wb") as file:
        write(file)
        os.replace(part, path)
        file.flush()
        os.fsync(file.fileno())
# %% write_atomic: goes on after what a failed write left
# rule: the next write overwrites it
    with open(part, "ab") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
# %% load: forgets to unpack the dicts
                    return members[str(node["array"])] if "array" in node else node
# %% load: the pairs of a dict, not the dict
                    return members[str(node["array"])] if "array" in node else node["dict"]
# %% load: says nothing for the dicts
                    if "array" in node:
                        return members[str(node["array"])]
# %% load: no arrays
                    return dict(node["dict"])
# %% load: a number for a name
# rule: the names of members are strings
                    return members[node["array"]] if "array" in node else dict(node["dict"])
# %% load: always the first array
                    return members["0"] if "array" in node else dict(node["dict"])
# %% load: lists in place of arrays
                    return members[str(node["array"])].tolist() if "array" in node else dict(node["dict"])
# %% load: keys of another kind
# rule: whose keys keep their kinds
                    return members[str(node["array"])] if "array" in node else {str(key): value for key, value in node["dict"]}
# %% load: takes a dict for an array if its key is array
                    found = dict(node.get("dict", node))
                    return members[str(found["array"])] if found.keys() == {"array"} else found
# %% cross_entropy_op: sums kept as a column, taken from a row
# rule: must never meet an array (n,): that would be a table of n x n again.
        p = np.exp(shifted)
        total = p.sum(axis=1, keepdims=True)
        p /= total
        self.saved = (p,)
        losses = np.log(total) - (1 - e) * shifted[np.arange(n), targets]
        if e:
            losses -= e * shifted.mean(axis=1)
        return losses.mean()
# %% cross_entropy_op: a table only where there is smoothing
# rule: must never meet an array (n,): that would be a table of n x n again.
        p = np.exp(shifted)
        total = p.sum(axis=1, keepdims=True)
        p /= total
        self.saved = (p,)
        losses = np.log(total[:, 0]) - (1 - e) * shifted[np.arange(n), targets]
        if e:
            losses = losses - e * shifted.mean(axis=1, keepdims=True)
        return losses.mean()
# %% cross_entropy_op: takes the maximum off the logits themselves
# rule: the logits themselves must not change
        x -= x.max(axis=1, keepdims=True)
        p = np.exp(x)
        total = p.sum(axis=1, keepdims=True)
        p /= total
        self.saved = (p,)
        losses = np.log(total[:, 0]) - (1 - e) * x[np.arange(n), targets]
        if e:
            losses -= e * x.mean(axis=1)
        return losses.mean()
# %% step: steps the schedule after each batch
# rule: Never call `zero_grad`, an optimizer's `step` or a scheduler's `step` here.
        for *inputs, targets in batches:
            loss, share = self.loss(self.model(*inputs), targets), len(targets) / n
            loss.backward(share)
            total += share * loss.item()
            if self.scheduler is not None:
                self.scheduler.step()
# %% write_atomic: copies, and leaves the part
# rule: After a success only `path` is there.
    import shutil
    with open(part, "wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    shutil.copyfile(part, path)
# %% step: zeroes the gradients once more
# rule: Never call `zero_grad`, an optimizer's `step` or a scheduler's `step` here.
        self.optimizer.zero_grad()
        for *inputs, targets in batches:
            loss = self.loss(self.model(*inputs), targets)
            share = len(targets) / n
            loss.backward(share)
            total += share * loss.item()
# %% mse_loss: an assertion in place of the error
# rule: If the shapes of prediction and target differ, raise a `ValueError`
    assert prediction.shape == np.shape(target), f"{prediction.shape} {np.shape(target)}"
    d = prediction - target
    return (d * d).mean()
