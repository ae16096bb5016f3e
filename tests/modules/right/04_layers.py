# %% kaiming_uniform: by the standard deviation
    std = math.sqrt(2 / (1 + a**2)) / math.sqrt(fans(shape)[0])
    return uniform(shape, math.sqrt(3) * std, generator)
# %% xavier_uniform: by the standard deviation
    fan_in, fan_out = fans(shape)
    return uniform(shape, math.sqrt(3.0) * gain * math.sqrt(2.0 / (fan_in + fan_out)), generator)
# %% load_state_dict: sets of names
        problems = [f"{n}: missing" for n in sorted(set(own) - set(state))] + [f"{n}: unexpected" for n in sorted(set(state) - set(own))]
        new = {n: _numbers(state[n]) for n in set(own) & set(state)}
        for n, a in new.items():
            if a is None:
                problems.append(f"{n}: {state[n]!r}")
            elif a.shape != own[n].shape:
                problems.append(f"{n}: {a.shape} for {own[n].shape}")
        if problems:
            raise ValueError(", ".join(problems))
        for n in own:
            own[n].assign(new[n])
# %% state_dict: parameters, then buffers, sorted by the walk
        found = {}
        for name, member in self.named_members():
            if isinstance(member, (Parameter, Buffer)):
                found[name] = np.array(member.data)
        return found
