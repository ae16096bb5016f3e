# %% mse_loss: lets shapes broadcast
    d = prediction - target
    return (d * d).mean()
# %% mse_loss: the sum in place of the mean
    if prediction.shape != np.shape(target):
        raise ValueError(f"{prediction.shape} and {np.shape(target)}")
    return ((prediction - target) ** 2).sum()
# %% mse_loss: a number, from which nobody can go backward
    if prediction.shape != np.shape(target):
        raise ValueError(f"{prediction.shape} and {np.shape(target)}")
    return float(((prediction.data - np.asarray(target)) ** 2).mean())
# %% mse_loss: the absolute difference
    if prediction.shape != np.shape(target):
        raise ValueError(f"{prediction.shape} and {np.shape(target)}")
    return (prediction - target).abs().mean()
# %% mse_loss: a target must have a shape of its own
    if prediction.shape != target.shape:
        raise ValueError(f"{prediction.shape} and {target.shape}")
    return ((prediction - target) ** 2).mean()
# %% mse_loss: compares how many there are, not the shapes
    if prediction.size != np.size(target):
        raise ValueError(f"{prediction.shape} and {np.shape(target)}")
    return ((prediction - target) ** 2).mean()
# %% mse_loss: refuses only what cannot be broadcast
    try:
        np.broadcast_shapes(prediction.shape, np.shape(target))
    except ValueError:
        raise ValueError(f"{prediction.shape} and {np.shape(target)}") from None
    return ((prediction - target) ** 2).mean()
# %% mse_loss: returns nothing
    if prediction.shape != np.shape(target):
        raise ValueError(f"{prediction.shape} and {np.shape(target)}")
    ((prediction - target) ** 2).mean()
# %% cross_entropy_op: by way of the probability, whose logarithm overflows
        p = np.exp(shifted)
        p /= p.sum(axis=1, keepdims=True)
        self.saved = (p,)
        with np.errstate(all="ignore"):
            log_p = np.log(p)
        return -((1 - e) * log_p[np.arange(n), targets] + (e * log_p.mean(axis=1) if e else 0)).mean()
# %% cross_entropy_op: without the maximum taken off
        p = np.exp(x)
        total = p.sum(axis=1, keepdims=True)
        p /= total
        self.saved = (p,)
        losses = np.log(total[:, 0]) - (1 - e) * x[np.arange(n), targets]
        if e:
            losses -= e * x.mean(axis=1)
        return losses.mean()
# %% cross_entropy_op: a table of all rows and all targets
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
        shifted = shifted.astype(np.float64)
        p = np.exp(shifted)
        total = p.sum(axis=1, keepdims=True)
        p /= total
        self.saved = (p,)
        losses = np.log(total[:, 0]) - (1 - e) * shifted[np.arange(n), targets]
        return (losses - e * shifted.mean(axis=1) if e else losses).mean()
# %% cross_entropy_op: 0 times minus infinity
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
        total = np.exp(shifted).sum(axis=1, keepdims=True)
        losses = np.log(total[:, 0]) - (1 - e) * shifted[np.arange(n), targets]
        return (losses - e * shifted.mean(axis=1) if e else losses).mean()
# %% cross_entropy_op: saves the softmax without a tuple
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
# %% cross_entropy_rule: forgets the mean over the rows
    g = p - e / classes
    g[np.arange(n), targets] -= 1 - e
    return (g * grad,)
# %% cross_entropy_rule: forgets what comes in
    g = p - e / classes
    g[np.arange(n), targets] -= 1 - e
    return (g / n,)
# %% cross_entropy_rule: writes into what was saved
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
    g = p - e / classes
    g[np.arange(n), targets] -= 1 - e
    return g * (grad / n)
# %% cross_entropy_rule: returns nothing
    g = p - e / classes
    g[np.arange(n), targets] -= 1 - e
    g *= grad / n
# %% bce_op: by way of the sigmoid
        self.saved = (x,)
        with np.errstate(all="ignore"):
            p = 1 / (1 + np.exp(-x))
            return -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean()
# %% bce_op: log of 1 plus something tiny
        self.saved = (x,)
        return (np.maximum(x, 0) - x * t + np.log(1 + np.exp(-np.abs(x)))).mean()
# %% bce_op: an exponent above 0
        self.saved = (x,)
        with np.errstate(over="ignore"):
            return (np.log1p(np.exp(x)) - x * t).mean()
# %% bce_op: saves the result
        y = (np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x)))).mean()
        self.saved = (y,)
        return y
# %% bce_op: one loss an element
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
    t, guess = class_numbers(logits, targets), predicted(logits)
    classes = max(t.max(), guess.max()) + 1
    m = np.zeros((classes, classes), np.int64)
    np.add.at(m, (t, guess), 1)
    return m
# %% confusion_matrix: shares
    t, classes = class_numbers(logits, targets), logits.shape[1]
    m = np.bincount(t * classes + predicted(logits), minlength=classes * classes).reshape(classes, classes)
    return m / m.sum(1, keepdims=True).clip(1)
# %% confusion_matrix: small integers overflow, and nothing is checked
    t, classes = np.asarray(targets), logits.shape[1]
    pairs = t * np.uint8(classes) + predicted(logits).astype(t.dtype)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)
# %% confusion_matrix: without class_numbers
    t, classes = np.asarray(targets).astype(np.int64), logits.shape[1]
    m = np.zeros((classes, classes), np.int64)
    np.add.at(m, (t, predicted(logits)), 1)
    return m
# %% confusion_matrix: without class_numbers, one number for a pair
    t, classes = np.asarray(targets).astype(np.int64), logits.shape[1]
    pairs = t * classes + predicted(logits)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)
# %% confusion_matrix: drops what is no class
    t, classes, guess = np.asarray(targets).astype(np.int64), logits.shape[1], predicted(logits)
    return np.array([[((t == i) & (guess == j)).sum() for j in range(classes)] for i in range(classes)])
# %% confusion_matrix: a list of lists
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
    losses = []
    for x, y in batches:
        loss = cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss)
    return losses
# %% bug_a: returns the last loss
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
    return Tensor(cross_entropy(model(x), y).item())
# %% bug_b: a number
    return cross_entropy(model(x), y).item()
# %% bug_b: returns nothing
    cross_entropy(model(x), y)
# %% evaluating: never switches back
    model.eval()
    with no_grad():
        yield
# %% evaluating: everything to training afterwards
    model.eval()
    try:
        with no_grad():
            yield
    finally:
        model.train()
# %% evaluating: the mode of the whole model to all of its layers
    mode = model.training
    model.eval()
    try:
        with no_grad():
            yield
    finally:
        model.train(mode)
# %% evaluating: an error leaves it at work
    layers = layers_of(model)
    modes = [layer.training for layer in layers]
    model.eval()
    with no_grad():
        yield
    for layer, mode in zip(layers, modes):
        layer.training = mode
# %% evaluating: records all the while
    layers = layers_of(model)
    modes = [layer.training for layer in layers]
    model.eval()
    try:
        yield
    finally:
        for layer, mode in zip(layers, modes):
            layer.training = mode
# %% evaluating: only the model itself
    mode, model.training = model.training, False
    try:
        with no_grad():
            yield
    finally:
        model.training = mode
# %% evaluating: swallows the error
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
# %% early_stopping: keeps the weights themselves, which go on changing
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
        for *inputs, targets in batches:
            total = total + self.loss(self.model(*inputs), targets) * (len(targets) / n)
        total.backward()
# %% step: one backward through all graphs
        losses = [self.loss(self.model(*inputs), targets) * (len(targets) / n) for *inputs, targets in batches]
        total = float(sum(loss.item() for loss in losses))
        whole = losses[0]
        for loss in losses[1:]:
            whole = whole + loss
        whole.backward()
# %% step: all forwards, then all backwards
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
        for *inputs, targets in batches:
            self.optimizer.zero_grad()
            loss, share = self.loss(self.model(*inputs), targets), len(targets) / n
            loss.backward(share)
            total += share * loss.item()
# %% step: takes a step after each batch
        for *inputs, targets in batches:
            loss, share = self.loss(self.model(*inputs), targets), len(targets) / n
            loss.backward(share)
            total += share * loss.item()
            self.optimizer.step()
# %% step: one input only
        for batch in batches:
            x, targets = batch[0], batch[-1]
            loss, share = self.loss(self.model(x), targets), len(targets) / n
            loss.backward(share)
            total += share * loss.item()
# %% step: cross_entropy, whatever the loss of the trainer
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
    with open(path, "wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
# %% write_atomic: without a word to the disk
    with open(part, "wb") as file:
        write(file)
    os.replace(part, path)
# %% write_atomic: fsync without flush
    with open(part, "wb") as file:
        write(file)
        os.fsync(file.fileno())
    os.replace(part, path)
# %% write_atomic: exchanges the names whatever happened
    try:
        with open(part, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
    finally:
        os.replace(part, path)
# %% write_atomic: removes the old file first
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
    try:
        with open(part, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError:
        part.unlink(missing_ok=True)
# %% write_atomic: exchanges the names before the file is closed and on the disk
    with open(part, "wb") as file:
        write(file)
        os.replace(part, path)
        file.flush()
        os.fsync(file.fileno())
# %% write_atomic: goes on after what a failed write left
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
                    return members[node["array"]] if "array" in node else dict(node["dict"])
# %% load: always the first array
                    return members["0"] if "array" in node else dict(node["dict"])
# %% load: lists in place of arrays
                    return members[str(node["array"])].tolist() if "array" in node else dict(node["dict"])
# %% load: keys of another kind
                    return members[str(node["array"])] if "array" in node else {str(key): value for key, value in node["dict"]}
# %% load: takes a dict for an array if its key is array
                    found = dict(node.get("dict", node))
                    return members[str(found["array"])] if found.keys() == {"array"} else found
