# %% readable: a loop over the scales
    rounded = float(f"{value:.3g}")
    if unit == "" or rounded == 0:
        return f"{rounded:.3g}" + (f" {unit}" if unit else "")
    for scale, prefix in _PREFIXES:
        if scale <= abs(rounded):
            break
    return f"{rounded / scale:.3g} {prefix}{unit}"
# %% compare: turns a list round after each round
    order = list(functions)
    numbers = {name: _calibrate(functions[name], args, min_time, clock) for name in order}
    samples = {name: () for name in order}
    names = order[:]
    for _ in range(rounds):
        for name in names:
            samples[name] += (_batch(functions[name], args, numbers[name], clock),)
        names.reverse()
    return Comparison({name: Measurement(samples[name]) for name in order})
