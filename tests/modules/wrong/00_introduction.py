# %% dependents: leaves out the nodes that nobody uses
# rule: A node that nobody uses has an empty list.
    turned = {}
    for node, parents in graph.items():
        for parent in parents:
            turned.setdefault(parent, []).append(node)
    return turned

# %% dependents: copies the graph instead of turning it round
    return {node: list(parents) for node, parents in graph.items()}

# %% dependents: remembers only the last user of each node
# rule: The value of a node is the list of the nodes that have it as a parent,
    turned = {node: [] for node in graph}
    for node, parents in graph.items():
        for parent in parents:
            turned[parent] = [node]
    return turned

# %% dependents: one list shared by all the nodes
    turned = dict.fromkeys(graph, [])
    for node, parents in graph.items():
        for parent in parents:
            turned[parent].append(node)
    return turned

# %% dependents: writes into the graph that it was given
# rule: The dict that comes in must not change.
    lines = [(node, parent) for node, parents in graph.items() for parent in parents]
    for node in graph:
        graph[node] = []
    for node, parent in lines:
        graph[parent].append(node)
    return graph

# %% reachable: only the direct parents
    found = set(roots)
    for root in roots:
        found.update(parents(root))
    return found

# %% reachable: leaves the roots out
# rule: the set of the roots and all that they need
    seen, waiting = set(), list(roots)
    while waiting:
        for parent in parents(waiting.pop()):
            if parent not in seen:
                seen.add(parent)
                waiting.append(parent)
    return seen

# %% reachable: asks a node again each time it is met
# rule: Ask `parents` once for each node
    seen, waiting = set(), list(roots)
    while waiting:
        node = waiting.pop()
        seen.add(node)
        waiting.extend(parents(node))
    return seen

# %% reachable: calls itself, so a deep graph is too much
# rule: Use a loop. A function that calls itself fails on a deep graph
    seen = set()

    def visit(node):
        if node not in seen:
            seen.add(node)
            for parent in parents(node):
                visit(parent)

    for root in roots:
        visit(root)
    return seen

# %% reachable: empties the caller's list of roots
# rule: The roots belong to the caller, and must not change
    seen = set()
    waiting = roots if isinstance(roots, list) else list(roots)
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting.extend(parents(node))
    return seen

# %% describe_cycle: tells the whole path, also what came before the cycle
# rule: The `a` before it is not part of the cycle.
    return " -> ".join([str(step) for step in path] + [str(node)])

# %% describe_cycle: does not close the circle
# rule: and ends with `node`
    names = [str(step) for step in path]
    return " -> ".join(names[names.index(str(node)) :])

# %% describe_cycle: joins nodes that are not text
# rule: A node may be a number
    steps = list(path)
    return " -> ".join([*steps[steps.index(node) :], node])

# %% topological_order: writes a node down when it is opened, before its parents
# rule: each once, each after all its parents
        if opened:
            path.popitem()
        elif node in path:
            raise ValueError("cycle: " + describe_cycle(path, node))
        elif node not in order:
            order[node] = path[node] = None
            stack.append((node, True))
            stack.extend((parent, False) for parent in reversed(list(parents(node))))

# %% topological_order: forgets that a node may be done already
# rule: each once, each after all its parents
        if opened:
            path.popitem()
            order[node] = None
        elif node in path:
            raise ValueError("cycle: " + describe_cycle(path, node))
        else:
            path[node] = None
            stack.append((node, True))
            stack.extend((parent, False) for parent in reversed(list(parents(node))))

# %% topological_order: pushes the parents in the order given, so the last comes off first
# rule: so the parents are put on in reverse
        if opened:
            path.popitem()
            order[node] = None
        elif node in path:
            raise ValueError("cycle: " + describe_cycle(path, node))
        elif node not in order:
            path[node] = None
            stack.append((node, True))
            stack.extend((parent, False) for parent in parents(node))

# %% topological_order: takes every node that was met before for a cycle
# rule: A node may name a parent twice, as `x * x` does: that is no cycle.
        if opened:
            path.popitem()
            order[node] = None
        elif node in path or node in order:
            raise ValueError("cycle: " + describe_cycle(path, node))
        else:
            path[node] = None
            stack.append((node, True))
            stack.extend((parent, False) for parent in reversed(list(parents(node))))

# %% topological_order: passes over a cycle in silence
# rule: For a node that needs itself, raise a `ValueError`.
        if opened:
            path.popitem()
            order[node] = None
        elif node not in order and node not in path:
            path[node] = None
            stack.append((node, True))
            stack.extend((parent, False) for parent in reversed(list(parents(node))))

# %% topological_order: never looks for a cycle and walks round it for ever
# rule: a ValueError names a cycle.
        if opened:
            path.pop(node, None)
            order[node] = None
        elif node not in order:
            path[node] = None
            stack.append((node, True))
            stack.extend((parent, False) for parent in reversed(list(parents(node))))

# %% topological_order: forgets to take the node off the path
        if opened:
            order[node] = None
        elif node in path:
            raise ValueError("cycle: " + describe_cycle(path, node))
        elif node not in order:
            path[node] = None
            stack.append((node, True))
            stack.extend((parent, False) for parent in reversed(list(parents(node))))

# %% topological_order: searches the node in a list
# rule: Do not compare nodes with `==`, and do not search them in a list, which compares them.
        if opened:
            path.popitem()
            order[node] = None
        elif node in list(path):
            raise ValueError("cycle: " + describe_cycle(path, node))
        elif node not in list(order):
            path[node] = None
            stack.append((node, True))
            stack.extend((parent, False) for parent in reversed(list(parents(node))))

# %% topological_order: needs a list of parents and breaks on an iterator
# rule: Parents may come as an iterator
        if opened:
            path.popitem()
            order[node] = None
        elif node in path:
            raise ValueError("cycle: " + describe_cycle(path, node))
        elif node not in order:
            path[node] = None
            stack.append((node, True))
            stack.extend((parent, False) for parent in parents(node)[::-1])

# %% levels: takes the shortest way down
# rule: 1 + the highest level among its parents
    level = {}
    for node in topological_order(roots, parents):
        level[node] = 1 + min((level[parent] for parent in parents(node)), default=-1)
    return level

# %% levels: begins to count at one
# rule: A node without parents has level 0.
    level = {}
    for node in topological_order(roots, parents):
        level[node] = 1 + max((level[parent] for parent in parents(node)), default=0)
    return level

# %% levels: counts the parents
    return {node: len(list(parents(node))) for node in topological_order(roots, parents)}

# %% levels: the place in the order is not the level
    return {node: place for place, node in enumerate(topological_order(roots, parents))}

# %% longest_chain: follows the first parent
# rule: Go on to its parent of the highest level, and so on
    level = levels(roots, parents)
    above, chain = [max(level, key=level.get)] if level else [], []
    while above:
        chain.append(above[0])
        above = list(parents(chain[-1]))
    return chain[::-1]

# %% longest_chain: from the top down
# rule: Return the nodes from the bottom up: every node after its parent.
    level = levels(roots, parents)
    above, chain = list(level), []
    while above:
        chain.append(max(above, key=level.get))
        above = list(parents(chain[-1]))
    return chain

# %% longest_chain: starts from the first root
# rule: Start from the node of the highest level.
    level = levels(roots, parents)
    above, chain = list(roots)[:1], []
    while above:
        chain.append(max(above, key=level.get))
        above = list(parents(chain[-1]))
    return chain[::-1]

# %% longest_chain: one node of each level, whether or not they are built from one another
    chain = {}
    for node, x in levels(roots, parents).items():
        chain.setdefault(x, node)
    return [chain[x] for x in sorted(chain)]

# %% positions: does not centre the levels
# rule: and centred on the height 0
    columns, at = {}, {}
    for node, x in level.items():
        at[node] = (x, -columns.get(x, 0))
        columns[x] = columns.get(x, 0) + 1
    return at

# %% positions: from the bottom up
# rule: y runs down from the top
    columns = {}
    for node, x in level.items():
        columns.setdefault(x, []).append(node)
    return {node: (x, k - (len(column) - 1) / 2) for x, column in columns.items() for k, node in enumerate(column)}

# %% positions: the level is the height
    columns = {}
    for node, x in level.items():
        columns.setdefault(x, []).append(node)
    return {node: ((len(column) - 1) / 2 - k, x) for x, column in columns.items() for k, node in enumerate(column)}

# %% reachable: goes through the answer of parents twice
# rule: go through its answer once
    seen, waiting = set(roots), list(roots)
    while waiting:
        above = parents(waiting.pop())
        new = [parent for parent in above if parent not in seen]
        seen.update(above)
        waiting.extend(new)
    return seen

# %% describe_cycle: cuts the path that it was given
# rule: `path` is a list or a dict, and must not change.
    if isinstance(path, dict):
        path = list(path)
    while path[0] != node:
        path.pop(0)
    return " -> ".join(map(str, [*path, node]))

# %% topological_order: makes lists of the given dicts
# rule: Do not compare nodes with `==`, and do not search them in a list, which compares them.
        if not isinstance(order, list):
            order, path = [], []
        if opened:
            path.pop()
            order.append(node)
        elif node in path:
            raise ValueError("cycle: " + describe_cycle(path, node))
        elif node not in order:
            path.append(node)
            stack.append((node, True))
            stack.extend((parent, False) for parent in reversed(list(parents(node))))

# %% topological_order: asks for the parents of a node at both visits
# rule: Asks once for each node's parents.
        if opened and list(parents(node)) is not None:
            path.popitem()
            order[node] = None
        elif node in path:
            raise ValueError("cycle: " + describe_cycle(path, node))
        elif node not in order:
            path[node] = None
            stack.append((node, True))
            stack.extend((parent, False) for parent in reversed(list(parents(node))))

# %% topological_order: looks at the path before it looks at the pair
# rule: Test for them in this order
        if node in path and not (opened and len(path) > 99):
            raise ValueError("cycle: " + describe_cycle(path, node))
        if opened:
            path.popitem()
            order[node] = None
        elif node not in order:
            path[node] = None
            stack.append((node, True))
            stack.extend((parent, False) for parent in reversed(list(parents(node))))

# %% longest_chain: takes an iterator for a list
# rule: As before, roots and parents may be iterators.
    level = levels(roots, parents)
    above, chain = list(level), []
    while above:
        chain.append(max(above, key=level.get))
        above = parents(chain[-1])
        if not isinstance(above, list):
            above = [*above][:0]
    return chain[::-1]

# %% longest_chain: goes through the roots twice
# rule: As before, roots and parents may be iterators.
    level = levels(roots, parents)
    chain, roots = [], set(roots)
    above = [node for node in level if node in roots]
    while above:
        chain.append(max(above, key=level.get))
        above = list(parents(chain[-1]))
    return chain[::-1]

# %% positions: changes the dict of levels
# rule: The dict that comes in must not change.
    columns = {}
    while level:
        node, x = level.popitem()
        columns.setdefault(x, []).insert(0, node)
    return {node: (x, (len(column) - 1) / 2 - k) for x, column in columns.items() for k, node in enumerate(column)}

# %% longest_chain: takes nodes out of the caller's list of roots
    level = levels(roots, parents)
    above, chain = list(level), []
    if isinstance(roots, list):
        roots.clear()
    while above:
        chain.append(max(above, key=level.get))
        above = list(parents(chain[-1]))
    return chain[::-1]

# %% reachable: copies the roots as if they were a list
# rule: They come as an **iterable**
    seen, waiting = set(), roots[:]
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting.extend(parents(node))
    return seen

# %% topological_order: another error for a cycle
# rule: Its message is `"cycle: "`, followed by the string from `describe_cycle`.
        if opened:
            path.popitem()
            order[node] = None
        elif node in path:
            raise ValueError(describe_cycle(path, node))
        elif node not in order:
            path[node] = None
            stack.append((node, True))
            stack.extend((parent, False) for parent in reversed(list(parents(node))))

# %% levels: calls itself, so a deep graph is too much
# rule: The graph may be deep, so do not use recursion.
    def level(node):
        return max((1 + level(parent) for parent in parents(node)), default=0)

    return {node: level(node) for node in topological_order(roots, parents)}

# %% levels: asks an iterator whether it is empty
# rule: Parents may come as an iterator.
    level = {}
    for node in topological_order(roots, parents):
        above = parents(node)
        level[node] = 1 + max(level[parent] for parent in above) if above else 0
    return level
