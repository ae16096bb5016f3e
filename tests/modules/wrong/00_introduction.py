# %% dependents: leaves out the nodes that nobody uses
    turned = {}
    for node, parents in graph.items():
        for parent in parents:
            turned.setdefault(parent, []).append(node)
    return turned

# %% dependents: copies the graph instead of turning it round
    return {node: list(parents) for node, parents in graph.items()}

# %% dependents: remembers only the last user of each node
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
    seen, waiting = set(), list(roots)
    while waiting:
        for parent in parents(waiting.pop()):
            if parent not in seen:
                seen.add(parent)
                waiting.append(parent)
    return seen

# %% reachable: asks a node again each time it is met
    seen, waiting = set(), list(roots)
    while waiting:
        node = waiting.pop()
        seen.add(node)
        waiting.extend(parents(node))
    return seen

# %% reachable: calls itself, so a deep graph is too much
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
    seen = set()
    waiting = roots if isinstance(roots, list) else list(roots)
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting.extend(parents(node))
    return seen

# %% describe_cycle: tells the whole path, also what came before the cycle
    return " -> ".join([str(step) for step in path] + [str(node)])

# %% describe_cycle: does not close the circle
    names = [str(step) for step in path]
    return " -> ".join(names[names.index(str(node)) :])

# %% describe_cycle: joins nodes that are not text
    steps = list(path)
    return " -> ".join([*steps[steps.index(node) :], node])

# %% topological_order: writes a node down when it is opened, before its parents
        if opened:
            path.popitem()
        elif node in path:
            raise ValueError("cycle: " + describe_cycle(path, node))
        elif node not in order:
            order[node] = path[node] = None
            stack.append((node, True))
            stack.extend((parent, False) for parent in reversed(list(parents(node))))

# %% topological_order: forgets that a node may be done already
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
        if opened:
            path.popitem()
            order[node] = None
        elif node not in order and node not in path:
            path[node] = None
            stack.append((node, True))
            stack.extend((parent, False) for parent in reversed(list(parents(node))))

# %% topological_order: never looks for a cycle and walks round it for ever
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
    level = {}
    for node in topological_order(roots, parents):
        level[node] = 1 + min((level[parent] for parent in parents(node)), default=-1)
    return level

# %% levels: begins to count at one
    level = {}
    for node in topological_order(roots, parents):
        level[node] = 1 + max((level[parent] for parent in parents(node)), default=0)
    return level

# %% levels: counts the parents
    return {node: len(list(parents(node))) for node in topological_order(roots, parents)}

# %% levels: the place in the order is not the level
    return {node: place for place, node in enumerate(topological_order(roots, parents))}

# %% longest_chain: follows the first parent
    level = levels(roots, parents)
    above, chain = [max(level, key=level.get)] if level else [], []
    while above:
        chain.append(above[0])
        above = list(parents(chain[-1]))
    return chain[::-1]

# %% longest_chain: from the top down
    level = levels(roots, parents)
    above, chain = list(level), []
    while above:
        chain.append(max(above, key=level.get))
        above = list(parents(chain[-1]))
    return chain

# %% longest_chain: starts from the first root
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
    columns, at = {}, {}
    for node, x in level.items():
        at[node] = (x, -columns.get(x, 0))
        columns[x] = columns.get(x, 0) + 1
    return at

# %% positions: from the bottom up
    columns = {}
    for node, x in level.items():
        columns.setdefault(x, []).append(node)
    return {node: (x, k - (len(column) - 1) / 2) for x, column in columns.items() for k, node in enumerate(column)}

# %% positions: the level is the height
    columns = {}
    for node, x in level.items():
        columns.setdefault(x, []).append(node)
    return {node: ((len(column) - 1) / 2 - k, x) for x, column in columns.items() for k, node in enumerate(column)}

# %% imported_names: forgets the entries of a from-import
    names = []
    for statement in _statements(source):
        if isinstance(statement, ast.Import):
            names += [entry.name for entry in statement.names]
        elif isinstance(statement, ast.ImportFrom):
            names.append(_home(statement, package))
    return names

# %% imported_names: counts what functions import when they are called
    names = []
    for statement in ast.walk(ast.parse(source)):
        if isinstance(statement, ast.Import):
            names += [entry.name for entry in statement.names]
        elif isinstance(statement, ast.ImportFrom):
            names += [f"{_home(statement, package)}.{entry.name}" for entry in statement.names]
    return names

# %% imported_names: looks at the outermost statements only
    names = []
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Import):
            names += [entry.name for entry in statement.names]
        elif isinstance(statement, ast.ImportFrom):
            names += [f"{_home(statement, package)}.{entry.name}" for entry in statement.names]
    return names

# %% imported_names: takes the name after `as`
    names = []
    for statement in _statements(source):
        if isinstance(statement, ast.Import):
            names += [entry.asname or entry.name for entry in statement.names]
        elif isinstance(statement, ast.ImportFrom):
            names += [f"{_home(statement, package)}.{entry.asname or entry.name}" for entry in statement.names]
    return names

# %% imported_names: takes only the first entry
    names = []
    for statement in _statements(source):
        if isinstance(statement, ast.Import):
            names.append(statement.names[0].name)
        elif isinstance(statement, ast.ImportFrom):
            names.append(f"{_home(statement, package)}.{statement.names[0].name}")
    return names

# %% imported_names: does not resolve the dots
    names = []
    for statement in _statements(source):
        if isinstance(statement, ast.Import):
            names += [entry.name for entry in statement.names]
        elif isinstance(statement, ast.ImportFrom):
            names += [f"{statement.module}.{entry.name}" for entry in statement.names]
    return names

# %% dependencies: keeps names that are no part
    return {name: list(dict.fromkeys(imported_names(text, _package(name, sources)))) for name, text in sources.items()}

# %% dependencies: a part may be named twice
    graph = {}
    for name, source in sources.items():
        found = [_part(each, sources) for each in imported_names(source, _package(name, sources))]
        graph[name] = [part for part in found if part not in (None, name)]
    return graph

# %% dependencies: a part is its own parent
    graph = {}
    for name, source in sources.items():
        found = dict.fromkeys(_part(each, sources) for each in imported_names(source, _package(name, sources)))
        graph[name] = [part for part in found if part is not None]
    return graph

# %% dependencies: takes a part for the package its own text stands in
    graph = {}
    for name, source in sources.items():
        found = dict.fromkeys(_part(each, sources) for each in imported_names(source, name))
        graph[name] = [part for part in found if part not in (None, name)]
    return graph

# %% dependencies: sorts the parents
    graph = {}
    for name, source in sources.items():
        found = {_part(each, sources) for each in imported_names(source, _package(name, sources))}
        graph[name] = sorted(found - {None, name})
    return graph
