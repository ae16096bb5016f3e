"""Two exercises, solved by twelve people independently, and a disguised copy of one of them."""

GIVEN = {
    "shapes": '''#| export
def broadcast_shapes(a: tuple, b: tuple) -> tuple:
    """The shape of a + b; a ValueError that names both shapes where they do not fit."""
    # YOUR CODE HERE
    raise NotImplementedError()''',
    "order": '''#| export
def reachable(roots, parents) -> set:
    """The roots, their parents, the parents of those, and so on."""
    # YOUR CODE HERE
    raise NotImplementedError()''',
}
STUB = "    # YOUR CODE HERE\n    raise NotImplementedError()"

REFERENCE = (
    """
    shape = []
    for m, n in zip_longest(a[::-1], b[::-1], fillvalue=1):
        if m != n and 1 not in (m, n):
            raise ValueError(f"cannot broadcast {a} with {b}")
        shape.append(n if m == 1 else m)
    return tuple(shape[::-1])
""",
    """
    seen, waiting = set(), list(roots)
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting.extend(parents(node))
    return seen
""",
)
ALONE = {
    "ada": REFERENCE,
    "ben": (
        """
    n = max(len(a), len(b))
    left = (1,) * (n - len(a)) + tuple(a)
    right = (1,) * (n - len(b)) + tuple(b)
    out = []
    for i in range(n):
        if left[i] == right[i] or right[i] == 1:
            out.append(left[i])
        elif left[i] == 1:
            out.append(right[i])
        else:
            raise ValueError(f"{a} and {b} do not fit")
    return tuple(out)
""",
        """
    result = set(roots)
    todo = list(roots)
    for node in todo:
        for parent in parents(node):
            if parent not in result:
                result.add(parent)
                todo.append(parent)
    return result
""",
    ),
    "cleo": (
        """
    result = ()
    for i in range(1, max(len(a), len(b)) + 1):
        x = a[-i] if i <= len(a) else 1
        y = b[-i] if i <= len(b) else 1
        if x != y and x != 1 and y != 1:
            raise ValueError("cannot broadcast " + str(a) + " and " + str(b))
        result = (x * y if 1 in (x, y) else x,) + result
    return result
""",
        """
    found = set()
    queue = deque(roots)
    while len(queue) > 0:
        current = queue.popleft()
        if current in found:
            continue
        found |= {current}
        queue += parents(current)
    return found
""",
    ),
    "dan": (
        """
    if len(a) < len(b):
        a, b = b, a
    padded = [1] * (len(a) - len(b)) + list(b)
    for p, q in zip(a, padded):
        if p != q and p != 1 and q != 1:
            raise ValueError(f"shapes {a} and {b}")
    return tuple(q if p == 1 else p for p, q in zip(a, padded))
""",
        """
    done = set()
    def visit(node):
        if node in done:
            return
        done.add(node)
        for p in parents(node):
            visit(p)
    for r in roots:
        visit(r)
    return done
""",
    ),
    "eve": (
        """
    sizes = []
    for x, y in zip_longest(reversed(a), reversed(b), fillvalue=1):
        if x == y:
            sizes.append(x)
        elif x == 1:
            sizes.append(y)
        elif y == 1:
            sizes.append(x)
        else:
            raise ValueError(f"{a} {b}")
    sizes.reverse()
    return tuple(sizes)
""",
        """
    all_nodes = set()
    frontier = set(roots)
    while frontier:
        all_nodes |= frontier
        frontier = {p for node in frontier for p in parents(node)} - all_nodes
    return all_nodes
""",
    ),
    "finn": (
        """
    try:
        return np.broadcast(np.empty(a), np.empty(b)).shape
    except ValueError:
        raise ValueError(f"cannot broadcast {a} with {b}") from None
""",
        """
    stack = [*roots]
    seen = []
    while stack != []:
        top = stack[-1]
        del stack[-1]
        if top not in seen:
            seen.append(top)
            for parent in parents(top):
                stack.append(parent)
    return set(seen)
""",
    ),
    "gus": (
        """
    A, B = list(a), list(b)
    while len(A) < len(B):
        A.insert(0, 1)
    while len(B) < len(A):
        B.insert(0, 1)
    C = []
    for k in range(len(A)):
        if A[k] != B[k] and min(A[k], B[k]) != 1:
            raise ValueError(f"{a}, {b}")
        C.append(B[k] if A[k] == 1 else A[k])
    return tuple(C)
""",
        """
    visited = set()
    waiting = list(roots)
    while waiting:
        node = waiting.pop(0)
        visited.add(node)
        for parent in parents(node):
            if parent not in visited and parent not in waiting:
                waiting.append(parent)
    return visited
""",
    ),
    "hana": (
        """
    def fit(m, n):
        if m == 1 or m == n:
            return n
        if n == 1:
            return m
        raise ValueError(f"no: {a} with {b}")
    pairs = zip_longest(a[::-1], b[::-1], fillvalue=1)
    return tuple([fit(m, n) for m, n in pairs][::-1])
""",
        """
    nodes = set()
    pending = list(roots)
    while pending:
        n = pending.pop()
        if n in nodes:
            continue
        nodes.add(n)
        pending += list(parents(n))
    return nodes
""",
    ),
    "ivy": (
        """
    shape = []
    long = max(len(a), len(b))
    for d in range(long):
        i, j = len(a) - long + d, len(b) - long + d
        da = a[i] if i >= 0 else 1
        db = b[j] if j >= 0 else 1
        if not (da == db or da == 1 or db == 1):
            raise ValueError("cannot broadcast {} with {}".format(a, b))
        shape.append(db if da == 1 else da)
    return tuple(shape)
""",
        """
    seen = set()
    layer = list(roots)
    while layer:
        below = []
        for node in layer:
            if node not in seen:
                seen.add(node)
                below.extend(parents(node))
        layer = below
    return seen
""",
    ),
    "jon": (
        """
    out = []
    for m, n in zip_longest(a[::-1], b[::-1], fillvalue=1):
        if m == 1:
            out.append(n)
        elif n == 1 or n == m:
            out.append(m)
        else:
            raise ValueError(f"cannot broadcast {a} with {b}")
    return tuple(reversed(out))
""",
        """
    seen = set()
    todo = list(roots)
    while todo:
        node = todo.pop()
        if node not in seen:
            seen.add(node)
            todo.extend(parents(node))
    return seen
""",
    ),
}

# A copy of ben's solution with other names, reordered statements, comments, and another format.
DISGUISED = (
    '''
    """Pad, then compare."""
    longest = max(len(first), len(second))   # how many axes
    q = ((1,) * (longest - len(second))
         + tuple(second))
    p = (1,) * (longest - len(first)) + tuple(first)
    answer = [ ]
    for position in range( longest ):
        if (p[position] == q[position]) or (q[position] == 1):
            answer.append(p[position],)
        elif p[position] == 1:
            answer.append(q[position])
        else:
            # neither is 1
            raise ValueError(f'{first} will not go with {second}, {longest}')
    return (tuple(answer))
''',
    """
    queue = list(start)
    everything = set(start)
    for item in queue:
        # look at all parents
        for above in up(item):
            if above not in everything:
                queue.append(above); everything.add(above)
    return everything
""",
)


def texts(bodies: tuple[str, str]) -> dict[str, str]:
    """Return both cells, with these bodies."""
    return {name: GIVEN[name].replace(STUB, body.strip("\n")) for name, body in zip(GIVEN, bodies, strict=True)}


def disguised() -> dict[str, str]:
    """Return the cells of the copy of ben's solution, which has other names for parameters too."""
    cells = texts(DISGUISED)
    cells["shapes"] = cells["shapes"].replace("(a: tuple, b: tuple)", "(first, second)")
    cells["order"] = cells["order"].replace("(roots, parents)", "(start, up)")
    return cells
