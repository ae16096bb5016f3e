# %% describe_cycle: by a list of nodes and an index
    steps = list(path)
    steps = steps[steps.index(node):] + [node]
    return " -> ".join(map(str, steps))
# %% longest_chain: climbs down a level at a time
    level = levels(roots, parents)
    if not level:
        return []
    node = max(level, key=lambda n: level[n])
    chain = [node]
    while level[node] > 0:
        node = next(p for p in parents(node) if level[p] == level[node] - 1)
        chain.insert(0, node)
    return chain
# %% positions: one level after the other
    at = {}
    for x in sorted(set(level.values())):
        column = [node for node in level if level[node] == x]
        for k, node in enumerate(column):
            at[node] = (float(x), (len(column) - 1) / 2 - k)
    return at
