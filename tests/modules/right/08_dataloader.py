# %% subset: the numbers first
        numbers = self.indices[index]
        return self.dataset[numbers]
# %% random_split: cut by hand
    order, start, parts = generator.permutation(len(dataset)), 0, []
    for length in lengths:
        parts.append(Subset(dataset, order[start : start + length]))
        start += length
    return parts
# %% pictures: one axis moved
    return np.moveaxis(images, 1, -1)
# %% epoch_order: shuffled in place
    order = np.arange(n)
    np.random.default_rng((seed, epoch)).shuffle(order)
    return order
# %% flip: a copy, and an assignment
        y = x.data.copy()
        y[flipped] = y[flipped][..., ::-1]
        return Tensor(y)
# %% default_collate: field by field, by number
    if not fields:
        return Tensor(np.stack([np.asarray(x) for x in examples]))
    return tuple(default_collate([x[k] for x in examples]) for k in range(len(first)))
