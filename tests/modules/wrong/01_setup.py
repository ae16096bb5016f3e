# %% blas: takes the first library, whatever it is
    if not pools:
        return None, None
    return pools[0]["internal_api"], pools[0]["num_threads"]

# %% blas: forgets the machine on which there is no BLAS to be seen
# rule: Where there is none, return `(None, None)`.
    blas = [pool for pool in pools if pool["user_api"] == "blas"][0]
    return blas["internal_api"], blas["num_threads"]

# %% blas: takes the last BLAS of the list
# rule: From the first dictionary whose `user_api` is `"blas"`
    found = None, None
    for pool in pools:
        if pool["user_api"] == "blas":
            found = pool["internal_api"], pool["num_threads"]
    return found

# %% system_info: believes that cores and logical cores are one thing
# rule: A *logical core* is what the operating system counts, often two for each core.
    blas, blas_threads = _blas(threadpool_info())
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": psutil.cpu_count(),
        "logical_cores": psutil.cpu_count(),
        "memory": psutil.virtual_memory().total,
        "numpy": np.__version__,
        "blas": blas,
        "blas_threads": blas_threads,
    }

# %% system_info: reports the memory that is free, not what is built in
# rule: bytes built in: `psutil.virtual_memory().total`
    blas, blas_threads = _blas(threadpool_info())
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": psutil.cpu_count(logical=False),
        "logical_cores": psutil.cpu_count(),
        "memory": psutil.virtual_memory().available,
        "numpy": np.__version__,
        "blas": blas,
        "blas_threads": blas_threads,
    }

# %% system_info: assumes that BLAS has a thread for every logical core
# rule: the number of threads that it finds now
    blas, _ = _blas(threadpool_info())
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": psutil.cpu_count(logical=False),
        "logical_cores": psutil.cpu_count(),
        "memory": psutil.virtual_memory().total,
        "numpy": np.__version__,
        "blas": blas,
        "blas_threads": psutil.cpu_count(),
    }

# %% readable: chooses the prefix before rounding
# rule: Rounding comes first
    if value == 0 or unit == "":
        return f"{value:.3g} {unit}".rstrip()
    scale, prefix = next((pair for pair in _PREFIXES if abs(value) >= pair[0]), _PREFIXES[-1])
    return f"{value / scale:.3g} {prefix}{unit}"

# %% readable: forgets that a time may be negative
# rule: (without its sign)
    value = float(f"{value:.3g}")
    if value == 0 or unit == "":
        return f"{value:.3g} {unit}".rstrip()
    scale, prefix = next((pair for pair in _PREFIXES if value >= pair[0]), _PREFIXES[-1])
    return f"{value / scale:.3g} {prefix}{unit}"

# %% readable: gives pure numbers a prefix too
# rule: a pure number, whose unit is `""`
    value = float(f"{value:.3g}")
    if value == 0:
        return f"0 {unit}"
    scale, prefix = next((pair for pair in _PREFIXES if abs(value) >= pair[0]), _PREFIXES[-1])
    return f"{value / scale:.3g} {prefix}{unit}"

# %% readable: has nothing left for what is smaller than the smallest prefix
# rule: if all are above, take the smallest
    value = float(f"{value:.3g}")
    if value == 0 or unit == "":
        return f"{value:.3g} {unit}".rstrip()
    for scale, prefix in _PREFIXES:
        if abs(value) >= scale:
            return f"{value / scale:.3g} {prefix}{unit}"
    return f"0 {unit}"

# %% measurement: does not sort
# rule: Sort the $n$ samples
        position = q * (len(self.samples) - 1)
        k = int(position)
        above = self.samples[min(k + 1, len(self.samples) - 1)]
        return float(self.samples[k] + (position - k) * (above - self.samples[k]))

# %% measurement: takes the nearest sample below instead of the line between two
# rule: Between two samples, take the straight line
        s = sorted(self.samples)
        return float(s[int(q * (len(s) - 1))])

# %% measurement: places the quantile at q * n
        s = sorted(self.samples)
        position = min(q * len(s), len(s) - 1)
        k = int(position)
        above = s[min(k + 1, len(s) - 1)]
        return float(s[k] + (position - k) * (above - s[k]))

# %% measurement: runs over the end at q = 1
# rule: At $q = 1$ there is no $s_{k+1}$, and none is needed.
        s = sorted(self.samples)
        position = q * (len(s) - 1)
        k = int(position)
        return float(s[k] + (position - k) * (s[k + 1] - s[k]))

# %% measurement: sorts the samples where they lie and loses their order
# rule: Sort a copy: the samples must keep the order in which they were measured.
        self.samples.sort() if isinstance(self.samples, list) else None
        return float(np.quantile(self.samples, q))

# %% batch: forgets to divide
# rule: the seconds of *one* call, found from `number` calls
    start = clock()
    for _ in range(number):
        f(*args)
    return clock() - start

# %% batch: reads the clock round every single call
# rule: between exactly two readings of the clock
    total = 0.0
    for _ in range(number):
        start = clock()
        f(*args)
        total += clock() - start
    return total / number

# %% batch: makes a call to warm up, which a batch is not there for
    f(*args)
    start = clock()
    for _ in range(number):
        f(*args)
    return (clock() - start) / number

# %% batch: takes the clock to start at zero
    for _ in range(number):
        f(*args)
    clock()
    return clock() / number

# %% calibrate: compares the time of one call instead of the batch
# rule: remember that it returns the seconds of *one* call
    number = 1
    while _batch(f, args, number, clock) < min_time and number < 2**20:
        number *= 2
    return number

# %% calibrate: times one call and divides
# rule: Do not time one call and divide: a coarse clock may say 0.
    return max(1, int(min_time / _batch(f, args, 1, clock)))

# %% calibrate: goes on until the batch is longer, not at least as long
# rule: until a batch lasts at least `min_time` seconds
    number = 1
    while number * _batch(f, args, number, clock) <= min_time:
        number *= 2
    return number

# %% calibrate: goes up by one call at a time
    number = 1
    while number * _batch(f, args, number, clock) < min_time:
        number += 1
    return number

# %% time_call: lets the slow first call in
# rule: the first call must not be a sample
    samples = [_batch(f, args, 1, clock) for _ in range(repeat)]
    return Measurement(tuple(samples))

# %% time_call: gives the seconds of a batch, not of a call
    number = _calibrate(f, args, min_time, clock)
    return Measurement(tuple(number * _batch(f, args, number, clock) for _ in range(repeat)))

# %% time_call: calibrates before every sample
# rule: calibrate once, then take `repeat` samples
    return Measurement(tuple(_batch(f, args, _calibrate(f, args, min_time, clock), clock) for _ in range(repeat)))

# %% time_call: returns the best one only
    number = _calibrate(f, args, min_time, clock)
    return Measurement((min(_batch(f, args, number, clock) for _ in range(repeat)),))

# %% time_call: drops the arguments while it calibrates
    number = _calibrate(lambda *ignored: f(), (), min_time, clock)
    return Measurement(tuple(_batch(f, args, number, clock) for _ in range(repeat)))

# %% time_call: sorts the samples
# rule: in the order in which they were taken
    number = _calibrate(f, args, min_time, clock)
    return Measurement(tuple(sorted(_batch(f, args, number, clock) for _ in range(repeat))))

# %% peak_memory: takes what is alive afterwards for the peak
    tracemalloc.start()
    try:
        result = f(*args)
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()

# %% peak_memory: leaves the watching on when the call raises
# rule: the watching must end all the same
    tracemalloc.start()
    f(*args)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak

# %% peak_memory: never stops watching
    tracemalloc.start()
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    f(*args)
    return tracemalloc.get_traced_memory()[1] - before

# %% peak_memory: measures the size of the result
    return int(getattr(f(*args), "nbytes", 0))

# %% verdict: looks at the median only
# rule: if the whole middle half lies below 1
    if ratio.median < 1:
        return "faster"
    if ratio.median > 1:
        return "slower"
    return "no difference"

# %% verdict: takes a ratio above 1 for faster
    low, high = ratio.spread
    if low > 1:
        return "faster"
    if high < 1:
        return "slower"
    return "no difference"

# %% verdict: wants every single ratio on one side
    if max(ratio.samples) < 1:
        return "faster"
    if min(ratio.samples) > 1:
        return "slower"
    return "no difference"

# %% verdict: calls a few per cent no difference, whatever the spread
# rule: if the whole middle half lies below 1
    if ratio.median < 0.95:
        return "faster"
    if ratio.median > 1.05:
        return "slower"
    return "no difference"

# %% comparison: divides the minima, not the rounds
# rule: the other's ratio in that round is $b_r / a_r$
        (_, first), *others = self.times.items()
        return {name: Measurement((m.min / first.min,) * len(m.samples), unit="") for name, m in others}

# %% comparison: has the ratio upside down
        (_, first), *others = self.times.items()
        return {
            name: Measurement(tuple(a / b for a, b in zip(first.samples, m.samples)), unit="") for name, m in others
        }

# %% comparison: compares the first function with itself too
# rule: the name of every function except the first
        first = next(iter(self.times.values()))
        return {
            name: Measurement(tuple(b / a for a, b in zip(first.samples, m.samples)), unit="")
            for name, m in self.times.items()
        }

# %% comparison: divides by the fastest instead of the first
        first = min(self.times.values(), key=lambda m: m.min)
        return {
            name: Measurement(tuple(b / a for a, b in zip(first.samples, m.samples)), unit="")
            for name, m in self.times.items() if m is not first
        }

# %% comparison: forgets that a ratio has no unit
# rule: its ratios, with unit `""`
        (_, first), *others = self.times.items()
        return {name: Measurement(tuple(b / a for a, b in zip(first.samples, m.samples))) for name, m in others}

# %% compare: times one function after the other
    return Comparison(
        {name: time_call(f, *args, repeat=rounds, min_time=min_time, clock=clock) for name, f in functions.items()}
    )

# %% compare: runs every round in the same order
# rule: in rounds 1, 3, 5, … in the opposite order
    numbers = {name: _calibrate(f, args, min_time, clock) for name, f in functions.items()}
    samples = {name: [] for name in functions}
    for _ in range(rounds):
        for name, f in functions.items():
            samples[name].append(_batch(f, args, numbers[name], clock))
    return Comparison({name: Measurement(tuple(s)) for name, s in samples.items()})

# %% compare: gives all functions the number of calls of the first
# rule: so that each has a number of its own
    number = _calibrate(next(iter(functions.values())), args, min_time, clock)
    samples = {name: [] for name in functions}
    for r in range(rounds):
        for name in list(functions) if r % 2 == 0 else list(functions)[::-1]:
            samples[name].append(_batch(functions[name], args, number, clock))
    return Comparison({name: Measurement(tuple(s)) for name, s in samples.items()})

# %% compare: starts with the opposite order
    numbers = {name: _calibrate(f, args, min_time, clock) for name, f in functions.items()}
    samples = {name: [] for name in functions}
    for r in range(rounds):
        for name in list(functions) if r % 2 == 1 else list(functions)[::-1]:
            samples[name].append(_batch(functions[name], args, numbers[name], clock))
    return Comparison({name: Measurement(tuple(s)) for name, s in samples.items()})

# %% measurement: gives back integers for integers
# rule: It returns a plain `float`, also for integers.
        s = sorted(self.samples)
        position = q * (len(s) - 1)
        k = int(position)
        return s[k] if position == k else s[k] + (position - k) * (s[k + 1] - s[k])

# %% calibrate: makes no call where no time is asked for
# rule: Always try at least one call.
    number = 1
    while min_time > 0 and number * _batch(f, args, number, clock) < min_time:
        number *= 2
    return number

# %% calibrate: compares the time of one call and never ends
# rule: remember that it returns the seconds of *one* call
    number = 1
    while _batch(f, args, number, clock) < min_time:
        number *= 2
    return number

# %% peak_memory: keeps the error to itself
# rule: Then the error must come out of `peak_memory`
    tracemalloc.start()
    try:
        f(*args)
    except Exception:
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak

# %% peak_memory: thinks only of the calls that succeed
# rule: `f` may raise an error.
    tracemalloc.start()
    f(*args)
    now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak

# %% verdict: takes an end of the middle half for outside
# rule: if 1 lies in the middle half, or is one of its ends
    low, high = ratio.spread
    if high <= 1:
        return "faster"
    return "slower" if low > 1 else "no difference"

# %% compare: takes the functions out of the caller's dictionary
# rule: The dictionary must not change.
    numbers, samples, jobs = {}, {name: [] for name in functions}, {}
    while functions:
        name = next(iter(functions))
        jobs[name] = functions.pop(name)
        numbers[name] = _calibrate(jobs[name], args, min_time, clock)
    for r in range(rounds):
        for name in list(jobs) if r % 2 == 0 else list(jobs)[::-1]:
            samples[name].append(_batch(jobs[name], args, numbers[name], clock))
    return Comparison({name: Measurement(tuple(s)) for name, s in samples.items()})

# %% system_info: puts the pair of both values beside one key
# rule: the name that `_blas(threadpool_info())` finds now
    pair = _blas(threadpool_info())
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": psutil.cpu_count(logical=False),
        "logical_cores": psutil.cpu_count(),
        "memory": psutil.virtual_memory().total,
        "numpy": np.__version__,
        "blas": pair,
        "blas_threads": pair[1],
    }

# %% system_info: names the operating system only
# rule: `platform.platform()`
    blas, blas_threads = _blas(threadpool_info())
    return {
        "python": platform.python_version(),
        "platform": platform.system(),
        "cores": psutil.cpu_count(logical=False),
        "logical_cores": psutil.cpu_count(),
        "memory": psutil.virtual_memory().total,
        "numpy": np.__version__,
        "blas": blas,
        "blas_threads": blas_threads,
    }

# %% time_call: calibrates with the real clock, whatever clock it is given
    number = _calibrate(f, args, min_time, time.perf_counter)
    return Measurement(tuple(_batch(f, args, number, clock) for _ in range(repeat)))
