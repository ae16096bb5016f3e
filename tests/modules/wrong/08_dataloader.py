# %% subset: takes the number for one of the dataset
        return self.dataset[index]
# %% subset: fetches all of its examples, then picks among the parts of the tuple
        return self.dataset[self.indices][index]
# %% subset: right for one number only
        return self.dataset[self.indices[int(index)]]
# %% subset: fetches all of its examples to return a few
        return tuple(part[index] for part in self.dataset[self.indices])
# %% random_split: consecutive pieces of the sorted order
    ends = np.cumsum(lengths)
    return [Subset(dataset, np.arange(end - n, end)) for n, end in zip(lengths, ends)]
# %% random_split: a new draw for each part, so that parts overlap
    return [Subset(dataset, generator.permutation(len(dataset))[:n]) for n in lengths]
# %% random_split: takes lengths for places, which is right for two parts only
    order = generator.permutation(len(dataset))
    return [Subset(dataset, piece) for piece in np.split(order, lengths[:-1])]
# %% random_split: a generator of its own
    order = np.random.default_rng(0).permutation(len(dataset))
    ends = np.cumsum(lengths)
    return [Subset(dataset, order[end - n : end]) for n, end in zip(lengths, ends)]
# %% random_split: sorts each part again
    order = generator.permutation(len(dataset))
    ends = np.cumsum(lengths)
    return [Subset(dataset, np.sort(order[end - n : end])) for n, end in zip(lengths, ends)]
# %% planes: takes the bytes for pixels with their colours together
    return rows.reshape(len(rows), height, width, -1).transpose(0, 3, 1, 2)
# %% planes: the width before the height
    return rows.reshape(len(rows), -1, width, height)
# %% planes: always three channels
    return rows.reshape(-1, 3, height, width)
# %% planes: column by column
    return rows.reshape(len(rows), -1, width, height).transpose(0, 1, 3, 2)
# %% pictures: a reshape, which moves nothing
    n, c, h, w = images.shape
    return images.reshape(n, h, w, c)
# %% pictures: exchanges two axes only
    return images.swapaxes(1, 3)
# %% pictures: lays the image on its side
    return images.transpose(0, 3, 2, 1)
# %% batch_indices: split leaves one empty batch where there is no example
    pieces = np.split(order, range(batch_size, len(order), batch_size))
    return pieces[:-1] if drop_last and len(pieces[-1]) < batch_size else pieces
# %% batch_indices: pieces of nearly equal size
    return np.array_split(order, max(len(order) // batch_size, 1))
# %% batch_indices: loses the remainder always
    return [order[i * batch_size : (i + 1) * batch_size] for i in range(len(order) // batch_size)]
# %% batch_indices: drops the last one even if it is full
    pieces = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    return pieces[:-1] if drop_last else pieces
# %% batch_indices: an empty batch at the end where nothing is left over
    pieces = [order[i * batch_size : (i + 1) * batch_size] for i in range(len(order) // batch_size + 1)]
    return pieces[:-1] if drop_last else pieces
# %% batch_indices: the numbers of the places, not what stands there
    pieces = [np.arange(i, min(i + batch_size, len(order))) for i in range(0, len(order), batch_size)]
    return [p for p in pieces if len(p) == batch_size or not drop_last]
# %% epoch_order: the seed alone, so that every epoch is the same
    return np.random.default_rng(seed).permutation(n)
# %% epoch_order: the sum, so that seed 3, epoch 5 is seed 2, epoch 6
    return np.random.default_rng(seed + epoch).permutation(n)
# %% epoch_order: no seed at all
    return np.random.permutation(n)
# %% epoch_order: draws with replacement, so that some come twice
    return np.random.default_rng([seed, epoch]).integers(n, size=n)
# %% epoch_order: turns the order by the epoch, which is no shuffle
    return (np.random.default_rng(seed).permutation(n) + epoch) % n
# %% channel_statistics: averages the averages of batches
    means = [x.data.mean(axis=(0, 2, 3)) for x, *_ in loader]
    stds = [x.data.std(axis=(0, 2, 3)) for x, *_ in loader]
    return np.mean(means, axis=0), np.mean(stds, axis=0)
# %% channel_statistics: one number for all channels
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
    count, total, squares = 0, 0.0, 0.0
    for batch, *_ in loader:
        x = batch.data.astype(np.float64)
        count += x.size // x.shape[1]
        total = total + x.sum(axis=(0, 2, 3))
        squares = squares + (x**2).sum(axis=(0, 2, 3))
    mean = total / count
    return mean, np.sqrt(squares / count - mean**2)
# %% channel_statistics: float32 sums, which cancel
    count, total, squares = 0, np.float32(0), np.float32(0)
    for x, *_ in loader:
        count += x.size // x.shape[1]
        total = total + x.data.sum(axis=(0, 2, 3))
        squares = squares + (x.data**2).sum(axis=(0, 2, 3))
    mean = total / np.float32(count)
    return mean, np.sqrt(squares / np.float32(count) - mean**2)
# %% normalize: the three numbers meet the width, not the channels
        return (x - self.mean) / self.std
# %% normalize: in place, so that the batch that came in changes
        x.data[...] = (x.data - self.mean[:, None, None]) / self.std[:, None, None]
        return x
# %% normalize: divides only the mean
        return x - self.mean[:, None, None] / self.std[:, None, None]
# %% normalize: float64 by accident
        mean, std = (np.asarray(v, np.float64)[:, None, None] for v in (self.mean, self.std))
        return Tensor((x.data - mean) / std, dtype=np.float64)
# %% normalize: the statistics of the batch instead of those given
        mean, std = x.data.mean(axis=(0, 2, 3)), x.data.std(axis=(0, 2, 3))
        return Tensor((x.data - mean[:, None, None]) / std[:, None, None])
# %% flip: upside down
        return where(flipped[:, None, None, None], x[:, :, ::-1], x)
# %% flip: one coin for the whole batch
        return x[..., ::-1] if flipped[0] else x
# %% flip: the coin the wrong way round
        return where(flipped[:, None, None, None], x, x[..., ::-1])
# %% flip: in place, so that the batch that came in changes
        x.data[flipped] = x.data[flipped][..., ::-1].copy()
        return x
# %% flip: the order of the images instead of that of the columns
        return where(flipped[:, None, None, None], x[::-1], x)
# %% flip: a coin for each line, since the condition meets the wrong axis
        return where(np.resize(flipped, x.shape[2])[:, None], x[..., ::-1], x)
# %% crop: a border of float32 zeros, so that bytes become floats
        padded = np.zeros((n, x.shape[1], height + 2 * p, width + 2 * p), np.float32)
        padded[:, :, p : p + height, p : p + width] = x.data
        return Tensor(sliding_window_view(padded, (height, width), axis=(2, 3))[np.arange(n), :, top, left])
# %% crop: one corner for the whole batch
        padded = np.pad(x.data, ((0, 0), (0, 0), (p, p), (p, p)))
        return Tensor(padded[:, :, top[0] : top[0] + height, left[0] : left[0] + width])
# %% crop: the axes of the corner exchanged
        padded = np.pad(x.data, ((0, 0), (0, 0), (p, p), (p, p)))
        windows = sliding_window_view(padded, (height, width), axis=(2, 3))
        return Tensor(windows[np.arange(n), :, left, top])
# %% crop: rolls, so that what leaves on one side comes in on the other
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
        padded = np.pad(x.data, ((0, 0), (0, 0), (p, p), (p, p)), mode="edge")
        windows = sliding_window_view(padded, (height, width), axis=(2, 3))
        return Tensor(windows[np.arange(n), :, top, left])
# %% prefetched: passes the batches on, and nothing is made ahead
        yield from batches
# %% prefetched: makes everything at once
        yield from list(batches)
# %% prefetched: orders all batches at once, without a limit
        futures = deque()
        while not futures or futures[-1].result() is not end:
            futures.append(pool.submit(next, batches, end))
        while (batch := futures.popleft().result()) is not end:
            yield batch
# %% prefetched: orders the next one only after the batch was used
        futures = deque(pool.submit(next, batches, end) for _ in range(ahead))
        while (batch := futures.popleft().result()) is not end:
            yield batch
            futures.append(pool.submit(next, batches, end))
# %% prefetched: takes an error for the end
        futures = deque(pool.submit(next, batches, end) for _ in range(ahead))
        while (future := futures.popleft()).exception() is None and future.result() is not end:
            futures.append(pool.submit(next, batches, end))
            yield future.result()
# %% prefetched: stops at a batch that counts as false
        futures = deque(pool.submit(next, batches, None) for _ in range(ahead))
        while batch := futures.popleft().result():
            futures.append(pool.submit(next, batches, None))
            yield batch
# %% prefetched: takes the newest order first
        futures = deque(pool.submit(next, batches, end) for _ in range(ahead))
        while futures:
            batch = futures.pop().result()
            if batch is not end:
                futures.append(pool.submit(next, batches, end))
                yield batch
# %% prefetched: gives up the orders that are still open when the first comes back
        futures = deque(pool.submit(next, batches, end) for _ in range(ahead))
        for future in futures:
            if future.result() is not end:
                yield future.result()
