# %% subset: takes the number for one of the dataset
# rule: Example 0 of the subset is the example of the dataset with the first of these numbers
        return self.dataset[index]
# %% subset: fetches all of its examples, then picks among the parts of the tuple
        return self.dataset[self.indices][index]
# %% subset: right for one number only
# rule: `index` may again be a number, a slice or an array
        return self.dataset[self.indices[int(index)]]
# %% subset: fetches all of its examples to return a few
# rule: Fetch only the wanted examples: the dataset could be large
        return tuple(part[index] for part in self.dataset[self.indices])
# %% random_split: consecutive pieces of the sorted order
# rule: The parts must be random
    ends = np.cumsum(lengths)
    return [Subset(dataset, np.arange(end - n, end)) for n, end in zip(lengths, ends)]
# %% random_split: a new draw for each part, so that parts overlap
# rule: Draw *one* `generator.permutation(n)`
    return [Subset(dataset, generator.permutation(len(dataset))[:n]) for n in lengths]
# %% random_split: takes lengths for places, which is right for two parts only
    order = generator.permutation(len(dataset))
    return [Subset(dataset, piece) for piece in np.split(order, lengths[:-1])]
# %% random_split: a generator of its own
# rule: Draw *one* `generator.permutation(n)`
    order = np.random.default_rng(0).permutation(len(dataset))
    ends = np.cumsum(lengths)
    return [Subset(dataset, order[end - n : end]) for n, end in zip(lengths, ends)]
# %% random_split: sorts each part again
# rule: in random order, and cut it into consecutive pieces
    order = generator.permutation(len(dataset))
    ends = np.cumsum(lengths)
    return [Subset(dataset, np.sort(order[end - n : end])) for n, end in zip(lengths, ends)]
# %% planes: takes the bytes for pixels with their colours together
# rule: first all 1,024 red values
    return rows.reshape(len(rows), height, width, -1).transpose(0, 3, 1, 2)
# %% planes: the width before the height
    return rows.reshape(len(rows), -1, width, height)
# %% planes: always three channels
# rule: and for any number of channels
    return rows.reshape(-1, 3, height, width)
# %% planes: column by column
# rule: pixel row by pixel row from the top left
    return rows.reshape(len(rows), -1, width, height).transpose(0, 1, 3, 2)
# %% pictures: a reshape, which moves nothing
# rule: Here the *axes* have to change places
    n, c, h, w = images.shape
    return images.reshape(n, h, w, c)
# %% pictures: exchanges two axes only
    return images.swapaxes(1, 3)
# %% pictures: lays the image on its side
    return images.transpose(0, 3, 2, 1)
# %% batch_indices: split leaves one empty batch where there is no example
# rule: an empty `order` makes no batch, not even an empty one
    pieces = np.split(order, range(batch_size, len(order), batch_size))
    return pieces[:-1] if drop_last and len(pieces[-1]) < batch_size else pieces
# %% batch_indices: pieces of nearly equal size
    return np.array_split(order, max(len(order) // batch_size, 1))
# %% batch_indices: loses the remainder always
# rule: A shorter last piece is kept
    return [order[i * batch_size : (i + 1) * batch_size] for i in range(len(order) // batch_size)]
# %% batch_indices: drops the last one even if it is full
# rule: A full last batch is never dropped
    pieces = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    return pieces[:-1] if drop_last else pieces
# %% batch_indices: an empty batch at the end where nothing is left over
# rule: not even an empty one
    pieces = [order[i * batch_size : (i + 1) * batch_size] for i in range(len(order) // batch_size + 1)]
    return pieces[:-1] if drop_last else pieces
# %% batch_indices: the numbers of the places, not what stands there
# rule: `order` is an array of numbers; cut it into pieces
    pieces = [np.arange(i, min(i + batch_size, len(order))) for i in range(0, len(order), batch_size)]
    return [p for p in pieces if len(p) == batch_size or not drop_last]
# %% epoch_order: the seed alone, so that every epoch is the same
# rule: every epoch needs a new order
    return np.random.default_rng(seed).permutation(n)
# %% epoch_order: the sum, so that seed 3, epoch 5 is seed 2, epoch 6
# rule: The sum of both would not do
    return np.random.default_rng(seed + epoch).permutation(n)
# %% epoch_order: no seed at all
# rule: the order depends on the seed and the number of the epoch, and on nothing else
    return np.random.permutation(n)
# %% epoch_order: draws with replacement, so that some come twice
    return np.random.default_rng([seed, epoch]).integers(n, size=n)
# %% epoch_order: turns the order by the epoch, which is no shuffle
# rule: Every pair of seed and epoch has an order of its own
    return (np.random.default_rng(seed).permutation(n) + epoch) % n
# %% channel_statistics: averages the averages of batches
# rule: the mean of the batches' means is not the mean of all images
    means = [x.data.mean(axis=(0, 2, 3)) for x, *_ in loader]
    stds = [x.data.std(axis=(0, 2, 3)) for x, *_ in loader]
    return np.mean(means, axis=0), np.mean(stds, axis=0)
# %% channel_statistics: one number for all channels
# rule: the standard deviation of each channel over *all* images
    everything = np.concatenate([x.data.ravel() for x, *_ in loader])
    return everything.mean(), everything.std()
# %% channel_statistics: counts images, not numbers
    count, total, squares = 0, 0.0, 0.0
    for x, *_ in loader:
        count += len(x)
        total += x.data.sum(axis=(0, 2, 3), dtype=np.float64)
        squares += np.square(x.data, dtype=np.float64).sum(axis=(0, 2, 3))
    mean = total / count
    return mean, np.sqrt(squares / count - mean**2)
# %% channel_statistics: forgets the root
    count, total, squares = 0, 0.0, 0.0
    for x, *_ in loader:
        count += x.size // x.shape[1]
        total += x.data.sum(axis=(0, 2, 3), dtype=np.float64)
        squares += np.square(x.data, dtype=np.float64).sum(axis=(0, 2, 3))
    return total / count, squares / count - (total / count) ** 2
# %% channel_statistics: the root of what rounding left below zero
# rule: count it as 0 (`np.maximum`)
    count, total, squares = 0, 0.0, 0.0
    for batch, *_ in loader:
        x = batch.data.astype(np.float64)
        count += x.size // x.shape[1]
        total = total + x.sum(axis=(0, 2, 3))
        squares = squares + (x**2).sum(axis=(0, 2, 3))
    mean = total / count
    return mean, np.sqrt(squares / count - mean**2)
# %% channel_statistics: float32 sums, which cancel
# rule: convert each batch to float64 first
    count, total, squares = 0, np.float32(0), np.float32(0)
    for x, *_ in loader:
        count += x.size // x.shape[1]
        total = total + x.data.sum(axis=(0, 2, 3))
        squares = squares + (x.data**2).sum(axis=(0, 2, 3))
    mean = total / np.float32(count)
    return mean, np.sqrt(squares / np.float32(count) - mean**2)
# %% normalize: the three numbers meet the width, not the channels
# rule: so that each number meets its own channel
        return (x - self.mean) / self.std
# %% normalize: in place, so that the batch that came in changes
# rule: It returns the new batch, and the old one must not change
        x.data[...] = (x.data - self.mean[:, None, None]) / self.std[:, None, None]
        return x
# %% normalize: divides only the mean
        return x - self.mean[:, None, None] / self.std[:, None, None]
# %% normalize: float64 by accident
# rule: The result is float32
        mean, std = (np.asarray(v, np.float64)[:, None, None] for v in (self.mean, self.std))
        return Tensor((x.data - mean) / std, dtype=np.float64)
# %% normalize: the statistics of the batch instead of those given
        mean, std = x.data.mean(axis=(0, 2, 3)), x.data.std(axis=(0, 2, 3))
        return Tensor((x.data - mean[:, None, None]) / std[:, None, None])
# %% flip: upside down
# rule: exchanges left and right
        return where(flipped[:, None, None, None], x[:, :, ::-1], x)
# %% flip: one coin for the whole batch
# rule: with probability `p` for each image of the batch
        return x[..., ::-1] if flipped[0] else x
# %% flip: the coin the wrong way round
        return where(flipped[:, None, None, None], x, x[..., ::-1])
# %% flip: in place, so that the batch that came in changes
# rule: `x` must not change, and the dtype stays
        x.data[flipped] = x.data[flipped][..., ::-1].copy()
        return x
# %% flip: the order of the images instead of that of the columns
        return where(flipped[:, None, None, None], x[::-1], x)
# %% flip: a coin for each line, since the condition meets the wrong axis
# rule: Give the condition a shape that broadcasts against the batch
        return where(np.resize(flipped, x.shape[2])[:, None], x[..., ::-1], x)
# %% crop: a border of float32 zeros, so that bytes become floats
# rule: and bytes stay bytes
        padded = np.zeros((n, x.shape[1], height + 2 * p, width + 2 * p), np.float32)
        padded[:, :, p : p + height, p : p + width] = x.data
        return Tensor(sliding_window_view(padded, (height, width), axis=(2, 3))[np.arange(n), :, top, left])
# %% crop: one corner for the whole batch
# rule: pick the window `[i, :, top[i], left[i]]` for image `i`
        padded = np.pad(x.data, ((0, 0), (0, 0), (p, p), (p, p)))
        return Tensor(padded[:, :, top[0] : top[0] + height, left[0] : left[0] + width])
# %% crop: the axes of the corner exchanged
# rule: pick the window `[i, :, top[i], left[i]]` for image `i`
        padded = np.pad(x.data, ((0, 0), (0, 0), (p, p), (p, p)))
        windows = sliding_window_view(padded, (height, width), axis=(2, 3))
        return Tensor(windows[np.arange(n), :, left, top])
# %% crop: rolls, so that what leaves on one side comes in on the other
# rule: Pad `x.data` with zeros
        moved = [np.roll(image, (p - i, p - j), axis=(1, 2)) for image, i, j in zip(x.data, top, left)]
        return Tensor(np.stack(moved))
# %% crop: a border round the channels, too
        padded = np.pad(x.data, ((0, 0), (p, p), (p, p), (p, p)))
        windows = sliding_window_view(padded, (height, width), axis=(2, 3))
        return Tensor(windows[np.arange(n), :, top, left])
# %% crop: every image with every corner
        padded = np.pad(x.data, ((0, 0), (0, 0), (p, p), (p, p)))
        windows = sliding_window_view(padded, (height, width), axis=(2, 3))
        return Tensor(windows[:, :, top, left])
# %% crop: repeats the edge where it should be black
# rule: Pad `x.data` with zeros
        padded = np.pad(x.data, ((0, 0), (0, 0), (p, p), (p, p)), mode="edge")
        windows = sliding_window_view(padded, (height, width), axis=(2, 3))
        return Tensor(windows[np.arange(n), :, top, left])
# %% prefetched: passes the batches on, and nothing is made ahead
# rule: request `ahead` batches
        yield from batches
# %% prefetched: makes everything at once
# rule: there are never more than `ahead` batches
        yield from list(batches)
# %% prefetched: requests all batches at once, without a limit
# rule: there are never more than `ahead` batches
        futures = deque()
        while not futures or futures[-1].result() is not end:
            futures.append(pool.submit(next, batches, end))
        while (batch := futures.popleft().result()) is not end:
            yield batch
# %% prefetched: requests the next one only after the batch was used
# rule: request one more, *then* `yield` the result
        futures = deque(pool.submit(next, batches, end) for _ in range(ahead))
        while (batch := futures.popleft().result()) is not end:
            yield batch
            futures.append(pool.submit(next, batches, end))
# %% prefetched: takes an error for the end
# rule: So no error is lost
        futures = deque(pool.submit(next, batches, end) for _ in range(ahead))
        while (future := futures.popleft()).exception() is None and future.result() is not end:
            futures.append(pool.submit(next, batches, end))
            yield future.result()
# %% prefetched: stops at a batch that counts as false
# rule: is not `end` (compare with `is`
        futures = deque(pool.submit(next, batches, None) for _ in range(ahead))
        while batch := futures.popleft().result():
            futures.append(pool.submit(next, batches, None))
            yield batch
# %% prefetched: takes the newest request first
# rule: `popleft` on the left
        futures = deque(pool.submit(next, batches, end) for _ in range(ahead))
        while futures:
            batch = futures.pop().result()
            if batch is not end:
                futures.append(pool.submit(next, batches, end))
                yield batch
# %% prefetched: gives up the requests that are still open when the first comes back
        futures = deque(pool.submit(next, batches, end) for _ in range(ahead))
        for future in futures:
            if future.result() is not end:
                yield future.result()
# %% subset: makes the numbers positive, in the caller's array
# rule: and it must not change. The dataset may itself be a subset
        if isinstance(index, np.ndarray):
            index %= len(self.indices)
            index.sort()
        return self.dataset[self.indices[index]]
# %% subset: a new tensor of floats
        return tuple(Tensor(part.data.astype(np.float32)) for part in self.dataset[self.indices[index]])
# %% random_split: takes the lengths out of the caller's list
# rule: `lengths` must not change
    order, parts = generator.permutation(len(dataset)), []
    while lengths:
        n = lengths.pop(0)
        parts.append(Subset(dataset, order[:n]))
        order = order[n:]
    return parts
# %% random_split: the numbers, not subsets
# rule: returns a list of three subsets
    order = generator.permutation(len(dataset))
    return np.split(order, np.cumsum(lengths)[:-1])
# %% random_split: draws with replacement
# rule: each goes to exactly *one* part
    order = generator.integers(len(dataset), size=len(dataset))
    return [Subset(dataset, piece) for piece in np.split(order, np.cumsum(lengths)[:-1])]
# %% planes: copies
# rule: The result is a view
    return rows.reshape(len(rows), -1, height, width).copy()
# %% planes: floats at once
# rule: So nothing has to move
    return rows.reshape(len(rows), -1, height, width) / np.float32(255)
# %% planes: sorts the bytes
# rule: and `rows` must not change
    rows.sort()
    rows //= 2
    return rows.reshape(len(rows), -1, height, width)
# %% pictures: overwrites what came in
# rule: `images` must not change
    y = images.transpose(0, 2, 3, 1).copy()
    images[...] = 0
    return y
# %% pictures: to float on the way
    return images.transpose(0, 2, 3, 1) / 255
# %% epoch_order: sets the seed of NumPy's global generator, and adds
# rule: The sum of both would not do
    np.random.seed(1000 * seed + 1000 * epoch)
    return np.random.permutation(n)
# %% epoch_order: one generator that goes on, so that nothing can be repeated
# rule: and on nothing else
    epoch_order.generator = getattr(epoch_order, "generator", np.random.default_rng(seed))
    return epoch_order.generator.permutation(n)
# %% channel_statistics: the square of the mean in float32
# rule: convert each batch to float64 first
    count, total, squares = 0, 0.0, 0.0
    for batch, *_ in loader:
        x = batch.data
        count += x.size // x.shape[1]
        total = total + x.sum(axis=(0, 2, 3))
        squares = squares + (x * x).sum(axis=(0, 2, 3))
    mean = total / count
    return mean, np.sqrt(np.maximum(squares / count - mean**2, 0))
# %% normalize: an array
# rule: a batch of images, a tensor (n, channels, height, width)
        return (x.data - self.mean[:, None, None]) / self.std[:, None, None]
# %% flip: an array of float32
# rule: bytes stay bytes. One line
        return Tensor(np.where(flipped[:, None, None, None], x.data[..., ::-1], x.data).astype(np.float32))
# %% crop: writes the border into the images
# rule: `x` must not change, and bytes stay bytes
        x.data[:, :, 0] = 0
        padded = np.pad(x.data, ((0, 0), (0, 0), (p, p), (p, p)))
        windows = sliding_window_view(padded, (height, width), axis=(2, 3))
        return Tensor(windows[np.arange(n), :, top, left])
# %% crop: corners of its own
# rule: are the corners that were drawn
        top, left = np.random.default_rng().integers(2 * p + 1, size=(2, n))
        padded = np.pad(x.data, ((0, 0), (0, 0), (p, p), (p, p)))
        windows = sliding_window_view(padded, (height, width), axis=(2, 3))
        return Tensor(windows[np.arange(n), :, top, left])
# %% prefetched: compares a batch with the end by ==
# rule: (compare with `is`: a batch may be an array)
        futures = deque(pool.submit(next, batches, end) for _ in range(ahead))
        while (batch := futures.popleft().result()) != end:
            futures.append(pool.submit(next, batches, end))
            yield batch
# %% prefetched: stops at an error without a word
# rule: So no error is lost
        futures = deque(pool.submit(next, batches, end) for _ in range(ahead))
        try:
            while (batch := futures.popleft().result()) is not end:
                futures.append(pool.submit(next, batches, end))
                yield batch
        except OSError:
            return
# %% prefetched: requests one too many
# rule: Beside the batch in use there are never more than `ahead` batches
        futures = deque(pool.submit(next, batches, end) for _ in range(ahead + 1))
        while (batch := futures.popleft().result()) is not end:
            futures.append(pool.submit(next, batches, end))
            yield batch
# %% prefetched: waits for all requests before it hands one on, so that an error swallows what came before
        futures = deque(pool.submit(next, batches, end) for _ in range(ahead))
        while True:
            for future in futures:
                future.result()
            if (batch := futures.popleft().result()) is end:
                return
            futures.append(pool.submit(next, batches, end))
            yield batch
# %% batch_indices: looks at the last piece of an empty order
# rule: an empty `order` makes no batch, not even an empty one
    pieces = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    if drop_last and len(pieces[-1]) < batch_size:
        pieces.pop()
    return pieces
# %% epoch_order: a sum in disguise, so epoch 1000 of seed 0 is epoch 0 of seed 1
# rule: Every pair of seed and epoch has an order of its own
    return np.random.default_rng(1000 * seed + epoch).permutation(n)
# %% epoch_order: the digits one after the other: 1 and 12, 11 and 2 are one number
# rule: Every pair of seed and epoch has an order of its own
    return np.random.default_rng(int(f"{seed}{epoch}")).permutation(n)
# %% epoch_order: one order, which begins at another place in each epoch
# rule: so every epoch needs a new order
    return np.roll(np.random.default_rng(seed).permutation(n), epoch)
# %% channel_statistics: all images at once
# rule: without having all of them as floats at once
    x = np.concatenate([batch.data for batch, *_ in loader]).astype(np.float64)
    return x.mean(axis=(0, 2, 3)), x.std(axis=(0, 2, 3))
# %% channel_statistics: expects labels
# rule: Collect the sums with `for batch, *_ in loader:`
    count, total, squares = 0, 0.0, 0.0
    for batch, _ in loader:
        x = batch.data.astype(np.float64)
        count += x.size // x.shape[1]
        total += x.sum(axis=(0, 2, 3))
        squares += (x * x).sum(axis=(0, 2, 3))
    mean = total / count
    return mean, np.sqrt(np.maximum(squares / count - mean**2, 0))
# %% normalize: knows images of three colours only
# rule: Which shape do they need, so that each number meets its own channel
    return (x - self.mean.reshape(3, 1, 1)) / self.std.reshape(3, 1, 1)
# %% default_collate: one long row in place of a new axis
# rule: along a new first axis
    if fields:
        return tuple(default_collate(field) for field in zip(*examples))
    return Tensor(np.concatenate([np.atleast_1d(np.asarray(x)) for x in examples]))
# %% default_collate: takes every example for a pair
# rule: for any number of parts
    if fields:
        return tuple(default_collate([x[k] for x in examples]) for k in (0, 1))
    return stack([x if isinstance(x, Tensor) else Tensor(x) for x in examples])
# %% default_collate: stacks the fields, and no fields of fields
# rule: A field may again consist of tuples.
    stacked = lambda xs: stack([x if isinstance(x, Tensor) else Tensor(x) for x in xs])
    return tuple(map(stacked, zip(*examples))) if fields else stacked(examples)
# %% default_collate: a list of batches of one
    return [default_collate([x]) for x in examples] if len(examples) > 1 else Tensor(first)
# %% default_collate: arrays, which are no tensors
# rule: All else becomes a tensor
    if fields:
        return tuple(default_collate(field) for field in zip(*examples))
    return np.stack([np.asarray(x) for x in examples])
# %% default_collate: a tuple of one around lone examples
    if not fields:
        return (stack([x if isinstance(x, Tensor) else Tensor(x) for x in examples]),)
    return tuple(stack([x if isinstance(x, Tensor) else Tensor(x) for x in f]) for f in zip(*examples))
# %% default_collate: takes the examples out of their list
# rule: `examples` must not change.
    taken = [examples.pop(0) for _ in examples[:]] if isinstance(examples, list) else examples
    if fields:
        return tuple(default_collate(field) for field in zip(*taken))
    return stack([x if isinstance(x, Tensor) else Tensor(x) for x in taken])
