# %% kaiming_uniform: by the standard deviation
    std = math.sqrt(2 / (1 + a**2)) / math.sqrt(fans(shape)[0])
    return uniform(shape, math.sqrt(3) * std, generator)
# %% xavier_uniform: by the standard deviation
    fan_in, fan_out = fans(shape)
    return uniform(shape, math.sqrt(3.0) * gain * math.sqrt(2.0 / (fan_in + fan_out)), generator)
# %% load_state_dict: sets of names
        problems = [f"{n}: missing" for n in sorted(set(own) - set(state))] + [f"{n}: unexpected" for n in sorted(set(state) - set(own))]
        for n in set(own) & set(state):
            if np.shape(state[n]) != own[n].shape:
                problems.append(f"{n}: {np.shape(state[n])} for {own[n].shape}")
        if problems:
            raise ValueError(", ".join(problems))
        for n in own:
            own[n].assign(state[n])
