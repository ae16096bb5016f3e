# ---
# jupyter:
#   jupytext:
#     notebook_metadata_filter: kernelspec,tinytorch
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
#   tinytorch:
#     title: Introduction
#     part: Foundations
#     hours: 3
#     goals:
#     - work through a notebook of this course, from the first check to `tito complete`
#     - draw a formula, or a package, as a graph that shows what is built from what
#     - put the nodes of a graph in an order in which each comes after all that it needs
#     - predict what breaks when one part is missing, and test the prediction
#     - count what a walk over a graph costs, and say when a recursive walk fails
# ---

# %% [markdown]
# # Introduction
#
# > What is built from what: graphs, and the walk over them that training needs.

# %% nbgrader={"grade": false, "grade_id": "prefix", "locked": true, "schema_version": 3, "solution": false, "task": false}
# From here on `import tinytorch` means the package in your own workspace:
# the modules before this one, as you built them.
from tito.workspace import use_prefix

use_prefix(0)

# %% [markdown]
# In this course you build a deep-learning framework. Each module is a notebook. What
# you write in it becomes one file of a package, `tinytorch`, and the next modules
# import it.
#
# A framework is there to train networks. Your package is still empty. Ask it for a
# trainer all the same (Shift+Enter runs a cell):

# %% tags=["raises-exception"]
from tinytorch.core.training import Trainer

Trainer()

# %% [markdown]
# The error says that module 11 builds it. You are in module 00, so there is nothing to
# import yet. Module 11 is built from other modules, and those from others again. Which
# ones does it need, in which order, and what breaks if one of them is missing?
#
# A network raises the same questions. Its result is computed from other numbers, and
# those from others again. Modules and numbers both form a **graph**. In this notebook
# you write the functions that answer such questions. Module 09 trains networks with the
# function of section 3.

# %% [markdown]
# Every module has the next two cells. `#| default_exp` gives the name of the file that
# this notebook becomes in your package. `#| export` marks a cell that is copied into
# that file.

# %%
#| default_exp core.introduction

# %%
#| export
import ast
import importlib.util
from collections import namedtuple
from collections.abc import Callable, Hashable, Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np

# %% [markdown]
# ## 1. A formula is a graph
#
# Take $(a + b) \cdot b$. It needs two steps: first the sum, then the product. Each
# number in it, given or computed, is a **node** of a graph. The **parents** of a node
# are the numbers that it is computed from directly.
#
# A dict can hold this graph. Each key is a node, here a **string** (a piece of text),
# and beside it stands the list of its parents.

# %%
FORMULA = {
    "a": [], "b": [],
    "a + b": ["a", "b"],
    "(a + b) * b": ["a + b", "b"],
}
FORMULA["(a + b) * b"]

# %% [markdown]
# In a picture, an arrow runs from each parent to the node that is computed from it.
# Such an arrow is called an **edge**. How many edges will there be? The places are
# typed in here. By the end of section 4 your own functions compute them.

# %%
import matplotlib.pyplot as plt

place = {"a": (0, 1), "b": (0, 0), "a + b": (1, 1), "(a + b) * b": (2, 0)}
arrow = {"arrowstyle": "-|>", "color": "0.5", "shrinkA": 12, "shrinkB": 30}
box = {"boxstyle": "round", "fc": "white", "ec": "0.5"}
plt.figure(figsize=(6, 1.8))
for node, parents in FORMULA.items():
    for parent in parents:
        plt.annotate("", place[node], place[parent], arrowprops=arrow)
    plt.text(*place[node], node, ha="center", va="center", bbox=box)
plt.axis([-0.3, 2.4, -0.3, 1.3])
plt.axis("off");

# %% [markdown]
# The exercises use a formula of six numbers. Here it is, one step a line:
#
# ```text
# double  = 2 * x
# shifted = x + 1
# product = double * shifted
# root    = sqrt(x)
# result  = product - root
# ```
#
# The constants 2 and 1 are left out of the graph. The order of the keys does not
# matter, so the result may come first:

# %% nbgrader={"grade": false, "grade_id": "six", "locked": true, "schema_version": 3, "solution": false, "task": false}
SIX = {
    "result": ["product", "root"],
    "product": ["double", "shifted"],
    "double": ["x"],
    "shifted": ["x"],
    "root": ["x"],
    "x": [],
}

# %% [markdown]
# ### How a notebook of this course works
#
# | cell | what it is for |
# | --- | --- |
# | **solution** | A function with a gap, marked `# YOUR CODE HERE`. Fill it. |
# | **check** | It is silent when your function is right, else it says what is wrong. |
# | **hidden check** | It tests other data. You see one line, which says what data. |
# | **reflection** | A question that you answer in words. |

# %% [markdown]
# Add cells wherever you like, to try things: nothing that you do here can break the
# course. When you are done, save the notebook. Then, in a terminal:
#
# - `tito check 00` runs the checks in a fresh Python;
# - `tito complete 00` also copies the cells marked `#| export` into your `tinytorch`.

# %% [markdown]
# ### First exercise: turn the edges round
#
# `SIX` tells what each number is computed from. When `x` changes, we ask the opposite:
# which numbers are computed from it?
#
# Write `dependents`. It takes such a dict and returns a new dict with the same keys, in
# the same order. The value of a node is the list of the nodes that have it as a parent,
# in the order of the dict. A node that nobody uses has an empty list. Every parent is
# itself a key. The dict that comes in must not change. Five lines suffice.

# %% nbgrader={"grade": false, "grade_id": "dependents", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def dependents(graph: dict[str, list[str]]) -> dict[str, list[str]]:
    """The graph with every edge turned round: node -> the nodes built from it."""
    ### BEGIN SOLUTION
    turned = {node: [] for node in graph}
    for node, parents in graph.items():
        for parent in parents:
            turned[parent].append(node)
    return turned
    ### END SOLUTION


# %% [markdown]
# Which numbers are computed directly from `x`? Read them off the formula, then run.

# %%
dependents(SIX)["x"]

# %% nbgrader={"grade": true, "grade_id": "dependents_check", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}
"""Turned round, the same edges are there, each the other way, in a new dict."""
graph = {node: list(parents) for node, parents in SIX.items()}
turned = dependents(graph)
edges = {(node, parent) for node, parents in SIX.items() for parent in parents}

assert isinstance(turned, dict), f"return a dict, not {type(turned).__name__}"
assert graph == SIX, f"the dict that came in has changed. Build a new one: {graph}"
said = "the keys must be those of the graph, in its order"
assert list(turned) == list(SIX), f"{said}: {list(SIX)}, not {list(turned)}"
assert turned != SIX, "these are the parents still: turn each edge round"
said = "nobody uses result, so its list is empty. Has each node a list of its own?"
assert turned["result"] == [], f"{said} You have {turned['result']}"
said = "double, shifted and root are computed from x"
assert turned["x"] == ["double", "shifted", "root"], f"{said}, not {turned['x']}"
back = {(user, node) for node, users in turned.items() for user in users}
assert back == edges, f"these edges (node, parent) are lost or invented: {edges ^ back}"

# %% [markdown]
# The check was silent: your function is right on this graph. Below is your first hidden
# check. Your copy holds only its first line.

# %% nbgrader={"grade": true, "grade_id": "dependents_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a graph without edges and on one in which two nodes have no users."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

drawn = {"sum": ["a", "b"], "a": [], "product": ["b", "a", "sum"], "b": []}
answer(dependents({"a": [], "b": []}), about="a graph without edges")
answer(dependents(drawn), about="a graph with two ends")
kept = [drawn["sum"], drawn["a"], drawn["product"], drawn["b"]]
answer(kept, about="the graph after the call")
### END HIDDEN TESTS

# %% [markdown]
# ## 2. All that it needs
#
# Parents are only the direct ones. A number also needs the parents of its parents, and
# theirs. The obvious way is to visit each parent in turn, and from there its parents.
# The function below does that and counts its visits.

# %%
def visits(node, graph):
    """How many nodes a walk visits if it never remembers where it has been."""
    return 1 + sum(visits(parent, graph) for parent in graph[node])


# %% [markdown]
# Take a number, multiply it by itself, multiply the result by itself, and so on: node
# `k` is node `k-1` times node `k-1`. That makes twenty products and 21 nodes. How many
# visits do you expect?

# %%
squares = {k: [k - 1, k - 1] if k else [] for k in range(21)}
visits(20, squares)

# %% [markdown]
# Each product doubles the work: $2^{21} - 1$ visits to 21 nodes. The walk needs a
# memory. Keep a set of the nodes that you have **seen** and a list of those that are
# **waiting**. Take a node from the list. If it is new, put it into the set and its
# parents on the list.

# %% [markdown]
# From here on a function gets a graph in two arguments:
#
# - `roots` are the nodes to start from. They come as an **iterable**: anything that a
#   `for` loop can go through, such as a list, a set, or the keys of a dict;
# - `parents` is a *function*. It takes a node and returns its parents, again as an
#   iterable. For a dict, `SIX.get` is such a function.
#
# The next line names the type of such a function, for the signatures below:

# %%
#| export
Parents = Callable[[Hashable], Iterable[Hashable]]  # node -> its parents

# %% [markdown]
# Write `reachable`: the set of the roots and all that they need. Seven lines suffice.
#
# - The roots belong to the caller, and must not change: copy them into your own list.
# - Ask `parents` once for each node, and go through its answer once: it may be an
#   iterator, which is used up after one loop.
# - Use a loop. A function that calls itself fails on a deep graph (section 3 shows it).

# %% nbgrader={"grade": false, "grade_id": "reachable", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def reachable(roots: Iterable[Hashable], parents: Parents) -> set:
    """The roots, their parents, the parents of those, and so on."""
    ### BEGIN SOLUTION
    seen, waiting = set(), list(roots)
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting.extend(parents(node))
    return seen
    ### END SOLUTION


# %% [markdown]
# Which of the six numbers does `product` not need?

# %%
set(SIX) - reachable(["product"], SIX.get)

# %% nbgrader={"grade": true, "grade_id": "reachable_check", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}
"""All that is needed, roots included, and no node asked for its parents twice."""
roots, asked = ["product"], []
# append returns None, so `or` gives what stands after it: the parents
found = reachable(roots, lambda node: asked.append(node) or iter(SIX[node]))
said = "product needs itself, double, shifted and x (parents come as iterators)"
assert found == {"product", "double", "shifted", "x"}, f"{said}, not {found}"
said = "you changed the caller's list of roots: copy it first, with list(roots)"
assert roots == ["product"], f"{said}. It is now {roots}"
said = "remember which nodes you have seen"
assert len(asked) == 4, f"{said}: parents was asked {len(asked)} times for 4 nodes"

found = reachable({"result", "root"}, SIX.get)  # roots may be any iterable, here a set
assert found == set(SIX), f"result and root need all six, not {found}"
found = reachable([], SIX.get)
assert found == set(), f"from no roots nothing is reached: set(), not {found}"
try:
    found = len(reachable([9_999], lambda k: [k - 1] if k else []))
except RecursionError:
    found = "a RecursionError: use a loop, and do not let the function call itself"
assert found == 10_000, f"a chain of 10,000 nodes gives {found}"

# %% nbgrader={"grade": true, "grade_id": "reachable_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again on two roots, a chain of 20,000 nodes, and a graph with a cycle."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

several = {"a": ["b"], "b": [], "c": ["d"], "d": ["b"], "e": ["a"]}
ring, asked = {"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"]}, []
start = ["c", "a"]
answer(sorted(reachable(start, several.get)), about="two roots")
answer(start, about="the list of roots after the call")
chain = reachable([19_999], lambda k: [k - 1] if k else [])
answer(len(chain), about="a chain of 20,000")
found = reachable(["a"], lambda k: asked.append(k) or ring[k][len(asked) > 99 :])
answer(sorted(found), about="a cycle")
answer(len(asked), about="how often parents was asked on the cycle")
### END HIDDEN TESTS

# %% [markdown]
# And the twenty products, with a memory:

# %%
len(reachable([20], squares.get))

# %% [markdown]
# Now put the two functions together. If `double` changes, which numbers change with it?
# Itself, all that is computed from it, and so on. These are the nodes that we reach
# along the edges turned round.

# %%
reachable(["double"], dependents(SIX).get)

# %% [markdown]
# ## 3. In what order
#
# A set has no order, but the numbers of a formula are computed one after another, each
# after all its parents. Such an order is called **topological**. The shortest way to
# write it uses recursion, a function that calls itself:

# %%
def recursive_order(node, graph, order):
    for parent in graph[node]:
        recursive_order(parent, graph, order)
    if node not in order:
        order.append(node)
    return order


# %%
recursive_order("result", SIX, [])

# %% [markdown]
# That is correct, but it has no memory, like `visits`. Now a chain: node `k` needs node
# `k-1`. A network that reads a text letter by letter computes such a chain, and ten
# thousand letters are only four pages. What happens?

# %%
letters = {k: [k - 1] if k else [] for k in range(10_000)}
try:
    recursive_order(9_999, letters, [])
except RecursionError as error:
    print("RecursionError:", error)

# %% [markdown]
# Every call waits for the call that it made, and Python lets only about a thousand or a
# few thousand calls wait. The graph is fine, the walk is not.
#
# The walk also fails on a graph with a **cycle**: `a` needs `b`, `b` needs `c`, and `c`
# needs `b`. No order exists there. The right answer is an error that names the cycle.

# %% [markdown]
# ### Name the cycle
#
# A walk went from `a` to its parent `b` and on to `c`. Now it meets `b` again. `path`
# holds the nodes of the walk so far, and `node` is the one that it meets again. Return
# the string `"b -> c -> b"`: the cycle begins where `node` was first met, and ends with
# `node`. The `a` before it is not part of the cycle.
#
# `path` is a list or a dict, and must not change. A node may be a number: `str(node)`
# makes a string of any node, and `" -> ".join` puts strings together. Two or three
# lines suffice.

# %% nbgrader={"grade": false, "grade_id": "describe_cycle", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def describe_cycle(path: Iterable[Hashable], node: Hashable) -> str:
    """`b -> c -> b` for the path a, b, c on which b is met again."""
    ### BEGIN SOLUTION
    names = [str(step) for step in [*path, node]]
    return " -> ".join(names[names.index(names[-1]) :])
    ### END SOLUTION


# %%
describe_cycle(["a", "b", "c"], "b")

# %% nbgrader={"grade": true, "grade_id": "describe_cycle_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""The cycle and nothing else, from its first name to the same name again."""
path = ["a", "b", "c"]
for node, wanted in [("b", "b -> c -> b"), ("a", "a -> b -> c -> a")]:
    said = describe_cycle(path, node)
    assert said == wanted, f"on a, b, c we meet {node} again: {wanted!r}, not {said!r}"
    assert path == ["a", "b", "c"], f"the path a, b, c has changed, to {path}"

said = describe_cycle([3, 1, 4], 1)  # nodes that are numbers
assert said == "1 -> 4 -> 1", f"nodes may be numbers: '1 -> 4 -> 1', not {said!r}"
said = describe_cycle({"x": None, "y": None}, "y")  # a path that is a dict
assert said == "y -> y", f"y needs itself, and path is a dict: 'y -> y', not {said!r}"

# %% nbgrader={"grade": true, "grade_id": "describe_cycle_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a longer path, and on a dict of numbers."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

answer(describe_cycle(["start", "left", "right", "up"], "left"), about="a path of four")
answer(describe_cycle(dict.fromkeys([3, 1, 4, 15]), 1), about="a dict of numbers")
### END HIDDEN TESTS

# %% [markdown]
# ### Two kinds of pair on the stack
#
# A loop can do what the recursion does. It uses a list as a **stack**: what was put on
# last is taken off first. A node comes on the stack in two kinds of pair:
#
# - `(node, False)` means: this node is to be opened;
# - `(node, True)` means: this node was opened, and now its parents are done.
#
# `path` holds the nodes that were opened and wait for their parents. `order` holds
# those that are done.

# %% [markdown]
# For each pair that comes off the stack there are four cases. Test for them in this
# order:
#
# | pair | meaning | what to do |
# | --- | --- | --- |
# | `(node, True)` | its parents are done | take it off `path`, put it into `order` |
# | else: node is in `path` | it needs itself | an error, see below |
# | else: node is in `order` | it is done already | nothing |
# | else | it is new | put it into `path` and on the stack, see below |

# %% [markdown]
# For a node that needs itself, raise a `ValueError`. Its message is `"cycle: "`,
# followed by the string from `describe_cycle`. A new node goes on the stack as
# `(node, True)`, and above it goes `(parent, False)` for each of its parents.

# %% [markdown]
# Follow it by hand. `product` needs `double` and `shifted`, and both need `x`. The top
# of the stack is on the right; a star stands for `True`:
#
# | comes off | stack after | path after | order after |
# | --- | --- | --- | --- |
# | product | product* shifted double | product | |
# | double | product* shifted double* x | product double | |
# | x | product* shifted double* x* | product double x | |
# | x* | product* shifted double* | product double | x |
# | double* | product* shifted | product | x double |
#
# Which row comes next? The first parent, `double`, has to come off before `shifted`, so
# the parents are put on in reverse.

# %% [markdown]
# ### The order
#
# Write the body of the loop, the four cases of the table: ten lines suffice. `path` and
# `order` are dicts, of which only the keys matter: `path[node] = None` puts a node in.
# A dict keeps its keys in order, `path.popitem()` takes the last one off, and
# `node in path` finds a node at once.
#
# - Do not compare nodes with `==`, and do not search them in a list, which compares
#   them. From module 02 on, nodes are tensors, which hold arrays, and there `==` gives
#   one answer for each number.
# - A node may name a parent twice, as `x * x` does: that is no cycle.
# - Parents may come as an iterator: `list` makes a list of them.

# %% nbgrader={"grade": false, "grade_id": "topological_order", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def topological_order(roots: Iterable[Hashable], parents: Parents) -> list:
    """The roots and all that they need, each once, each after all its parents.

    Depth first, roots and parents in the order given; a ValueError names a cycle.
    Asks once for each node's parents. A node is anything that can be a key of a dict.
    """
    order, path = {}, {}
    stack = [(root, False) for root in reversed(list(roots))]
    while stack:
        node, opened = stack.pop()
        ### BEGIN SOLUTION
        if opened:
            path.popitem()
            order[node] = None
        elif node in path:
            raise ValueError("cycle: " + describe_cycle(path, node))
        elif node not in order:
            path[node] = None
            stack.append((node, True))
            for parent in reversed(list(parents(node))):
                stack.append((parent, False))
        ### END SOLUTION
    return list(order)


# %% [markdown]
# In which place will `root` stand?

# %%
topological_order(["result"], SIX.get)

# %% [markdown]
# And now what the recursive walk could not do, the chain of ten thousand and a cycle:

# %%
len(topological_order([9_999], letters.get))

# %% tags=["raises-exception"]
topological_order(["a"], {"a": ["b"], "b": ["c"], "c": ["b"]}.get)

# %% nbgrader={"grade": true, "grade_id": "topological_order_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""Each node once, after all its parents, first parents first, each asked once."""
asked = []
try:
    order = topological_order(["result"], lambda node: asked.append(node) or SIX[node])
except ValueError as error:
    order = error
said = f"SIX has no cycle, yet you raise {str(order)!r}. First test `opened`, the"
said += " second part of the pair. Take a node off `path` when its parents are done"
assert not isinstance(order, ValueError), said

assert isinstance(order, list), f"return a list, not {type(order).__name__}"
assert sorted(order) == sorted(SIX), f"each of the six must be there once: {order}"
for node in order:
    for parent in SIX[node]:
        said = f"{node} needs {parent}, which comes after it"
        assert order.index(parent) < order.index(node), f"{said}: {order}"
wanted = ["x", "double", "shifted", "product", "root", "result"]
said = "the first parent goes first, so put them on the stack in reverse"
assert order == wanted, f"{said}: {wanted}, not {order}"
assert len(asked) == 6, f"parents was asked {len(asked)} times for 6 nodes"

# %% nbgrader={"grade": true, "grade_id": "topological_order_nodes", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Nodes are never compared, and parents may come as an iterator."""


class Thing:
    """A node that can be a key of a dict, as a tensor can, and that refuses `==`."""

    def __init__(self, name, *built_from):
        self.name, self.built_from = name, built_from

    __hash__ = object.__hash__

    def __eq__(self, other):
        raise AssertionError(
            "two nodes were compared with ==. Does `in` search a list? Let `path` and"
            " `order` be dicts, as they were given: there `in` needs no =="
        )


x, w = Thing("x"), Thing("w")
product = Thing("product", x, w)
total = Thing("total", product, x, product)
order = topological_order([total], lambda node: iter(node.built_from))
order = [node.name for node in order]
assert order == ["x", "w", "product", "total"], f"x, w, product, total, not {order}"

# %% nbgrader={"grade": true, "grade_id": "topological_order_deep", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""Ten thousand nodes deep, the same parent twice, and a cycle that is named."""
circle, asked = {"a": ["b"], "b": ["c"], "c": ["b"]}, []


def parents_on_circle(node):
    asked.append(node)
    said = "a needs b, b needs c, c needs b: your loop never ends. Do you look for"
    assert len(asked) < 100, f"{said} the node in `path`?"
    return circle[node]


deep = topological_order([9_999], lambda k: [k - 1] if k else [])
said = f"{len(deep)} nodes, beginning with {deep[:3]}"
assert deep == list(range(10_000)), f"a chain of 10,000 gives 0, 1, 2, …, not {said}"
twice = topological_order([3], lambda k: [k - 1, k - 1] if k else [])
said = "a parent that is named twice is no cycle, and stands in the order once"
assert twice == [0, 1, 2, 3], f"{said}: [0, 1, 2, 3], not {twice}"
try:
    topological_order(["a"], parents_on_circle)
    said = "no error"
except ValueError as error:
    said = str(error)
wanted = "cycle: b -> c -> b"
assert said == wanted, f"a needs b, b needs c, c needs b: {wanted!r}, not {said!r}"

# %% nbgrader={"grade": true, "grade_id": "topological_order_hidden", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
"""Graded again on several roots, objects, other cycles, and a chain of 20,000."""
### BEGIN HIDDEN TESTS
from tito.grading import answer


class Prickly:
    """A node that is a key, as every object is, but cannot be compared."""

    def __init__(self, name, *built_from):
        self.name, self.built_from = name, built_from

    __hash__ = object.__hash__

    def __eq__(self, other):
        raise TypeError("two nodes were compared with ==")


def said_by(roots, parents, show=str, patience=300_000):
    def asked(node):
        nonlocal patience
        patience -= 1
        return parents(node) if patience > 0 else []

    try:
        return [show(node) for node in topological_order(roots, asked)]
    except Exception as error:
        return f"{type(error).__name__}: {error}"


x, w = Prickly("x"), Prickly("w")
product = Prickly("product", x, w)
total = Prickly("total", product, x, product)
objects = said_by([total, w], lambda node: node.built_from, lambda node: node.name)
mixed = {"a": ["b", "c"], "b": ["d"], "c": ["d", "b"], "d": []}
mixed |= {"e": ["c", "f"], "f": []}
entered = {0: [1, 2], 1: [], 2: [3, 1], 3: [4], 4: [2]}
second = {"a": ["b", "a"], "b": []}
answer(said_by(["e", "a"], mixed.get), about="two roots")
answer([said_by(mixed, mixed.get), said_by([], mixed.get)], about="all nodes, and none")
answer(objects, about="objects")
answer(said_by([0], entered.get), about="a cycle of three, entered from outside")
answer(said_by([1], {1: [1]}.get), about="a node that needs itself")
answer(said_by(["b", "a"], second.get), about="a cycle that only the second root meets")
far = said_by([19_999], lambda k: [k - 1] if k else [])
answer(far[::1_999], about="a chain of 20,000")
once = said_by([3], lambda k: iter([k - 1]) if k else iter([]))
answer(once, about="parents as an iterator")
### END HIDDEN TESTS

# %% [markdown]
# ## 4. Levels and a picture
#
# With an order, hard questions take one pass. How long is the longest chain of parents
# below a node $v$?
#
# $$\mathrm{level}(v) = 1 + \max_{p} \mathrm{level}(p)$$
#
# Here $p$ goes through the parents of $v$. A node without parents has level 0.
#
# In a topological order every $\mathrm{level}(p)$ is known before $v$ needs it. Write
# `levels`. It returns a dict from each node, in topological order, to its level. Five
# lines suffice. `max(…, default=…)` returns the default where there is nothing to
# compare.
#
# The graph may be deep, so do not use recursion. Parents may come as an iterator.

# %% nbgrader={"grade": false, "grade_id": "levels", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def levels(roots: Iterable[Hashable], parents: Parents) -> dict[Hashable, int]:
    """0 for a node without parents, else 1 + the highest level among its parents."""
    ### BEGIN SOLUTION
    level = {}
    for node in topological_order(roots, parents):
        below = [level[parent] for parent in parents(node)]
        level[node] = 1 + max(below, default=-1)
    return level
    ### END SOLUTION


# %% [markdown]
# Module 09 computes derivatives by such a pass. Which number will stand beside
# `result`?

# %%
levels(["result"], SIX.get)

# %% nbgrader={"grade": true, "grade_id": "levels_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""The longest way counts, not the shortest and not the first."""
level = levels(["result"], SIX.get)
assert level["x"] == 0, f"x has no parents, so its level is 0, not {level['x']}"
said = "result stands on product, double, x: level 3"
assert level["result"] == 3, f"{said}, not {level['result']}"
order = topological_order(["result"], SIX.get)
assert list(level) == order, f"the keys come in the order {order}, not {list(level)}"

shortcut = {"end": ["a", "c"], "a": [], "b": ["a"], "c": ["b", "a"]}
end = levels(["end"], shortcut.get)["end"]
assert end == 3, f"end-a is short, but end-c-b-a is the longest way: level 3, not {end}"
end = levels(iter(["end"]), lambda node: iter(shortcut[node]))["end"]
assert end == 3, f"where roots and parents come as iterators, level 3 becomes {end}"
try:
    end = max(levels([9_999], lambda k: [k - 1] if k else []).values())
except RecursionError:
    end = "a RecursionError: look the parents' levels up in your dict"
assert end == 9_999, f"the highest level of a chain of 10,000 is 9,999, not {end}"

# %% nbgrader={"grade": true, "grade_id": "levels_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on several roots, and on a deep graph of three parents a node."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

forest = {"a": [], "b": ["a"], "c": ["b", "a"], "d": ["a", "c", "b"]}
forest |= {"e": [], "f": ["e", "b"]}
answer(levels(["f", "d"], forest.get), about="two roots")
answer(list(levels(["f", "d"], forest.get)), about="the order of the keys")
asked = []


def three(k):
    asked.append(k)
    return [j for j in (k - 3, k - 1, k - 2) if j >= 0 and len(asked) < 30_000]


answer(levels([3_000], three)[3_000], about="three parents each")
### END HIDDEN TESTS

# %% [markdown]
# ### The longest chain
#
# Suppose that a machine computes any number of nodes at once, one step each. Even then
# every node waits for its parents. So the nodes of the longest chain take one step
# after another, and no number of processors makes that shorter.
#
# Write `longest_chain`. Start from the node of the highest level. Go on to its parent
# of the highest level, and so on, until a node has no parents. Where several are
# highest, take the first. Return the nodes from the bottom up: every node after its
# parent. For no roots, return `[]`. Six lines suffice. `max(nodes, key=level.get)` is
# the first node of the highest level. As before, roots and parents may be iterators.

# %% nbgrader={"grade": false, "grade_id": "longest_chain", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def longest_chain(roots: Iterable[Hashable], parents: Parents) -> list:
    """As many nodes as possible, each a parent of the next."""
    ### BEGIN SOLUTION
    level = levels(roots, parents)
    above, chain = list(level), []
    while above:
        chain.append(max(above, key=level.get))
        above = list(parents(chain[-1]))
    return chain[::-1]
    ### END SOLUTION


# %%
longest_chain(["result"], SIX.get)

# %% nbgrader={"grade": true, "grade_id": "longest_chain_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""A chain of parents, from the bottom up to the highest level."""
chain = longest_chain(["result"], SIX.get)
wanted = ["x", "double", "product", "result"]
assert chain != wanted[::-1], f"from the bottom up, parents first: {wanted}"
assert chain == wanted, f"the longest chain of the six is {wanted}, not {chain}"
chain = longest_chain([], SIX.get)  # no roots
assert chain == [], f"with no nodes there is no chain: [], not {chain}"

graph = {"end": ["short", "b"], "short": [], "b": ["x"], "x": []}
roots = ["short", "end"]
for given, kind in [(roots, "a list"), (iter(roots), "an iterator")]:
    chain = longest_chain(given, lambda node: iter(graph[node]))
    assert roots == ["short", "end"], f"the caller's list of roots is now {roots}"
    said = f"roots are {kind}. Start from the highest node, go on to the highest parent"
    assert chain == ["x", "b", "end"], f"{said}: ['x', 'b', 'end'], not {chain}"

# %% nbgrader={"grade": true, "grade_id": "longest_chain_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on parents of which the highest comes last, and on equal chains."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

forest = {"a": [], "b": ["a"], "c": ["a", "b"], "d": ["a", "c", "b"]}
forest |= {"e": [], "f": ["e", "b"], "g": ["c"]}
start = ["f", "d"]
found = longest_chain(start, forest.get)
answer([found, start], about="the highest parent comes last; the roots afterwards")
answer(longest_chain(["f", "g", "d"], forest.get), about="two equally long")
deep = longest_chain([12_000], lambda k: [k - 1] if k else [])
answer(len(deep), about="a deep one")
### END HIDDEN TESTS

# %% [markdown]
# ### A place for every node
#
# In a picture let $x$ be the level. Then every edge runs from left to right. The $n$
# nodes of one level stand below one another, in the order in which they come, 1 apart,
# and centred on the height 0:
#
# $$y_k = \frac{n - 1}{2} - k, \qquad k = 0, \dots, n - 1$$
#
# Three nodes stand at 1, 0, -1. Write `positions`: from a dict of levels to a dict of
# pairs `(x, y)`. The dict that comes in must not change. Seven lines suffice. Begin
# with a list of the nodes of each level.

# %% nbgrader={"grade": false, "grade_id": "positions", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def positions(level: dict[Hashable, int]) -> dict[Hashable, tuple[float, float]]:
    """(x, y) of each node: x is its level; y runs down from the top, centred on 0."""
    ### BEGIN SOLUTION
    columns, at = {}, {}
    for node, x in level.items():
        columns.setdefault(x, []).append(node)
    for x, column in columns.items():
        for k, node in enumerate(column):
            at[node] = (x, (len(column) - 1) / 2 - k)
    return at
    ### END SOLUTION


# %%
positions(levels(["result"], SIX.get))

# %% nbgrader={"grade": true, "grade_id": "positions_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""x is the level; a level's nodes stand 1 apart, from the top down, centred on 0."""
level = {"a": 0, "b": 1, "c": 1, "d": 1, "e": 2, "f": 2}
at = positions(level)

kept = dict(zip("abcdef", [0, 1, 1, 1, 2, 2]))
assert level == kept, f"the dict that came in has changed, to {level}"
assert set(at) == set("abcdef"), f"each of the nodes a to f gets a place: {at}"
columns = [("a", 0, [0]), ("bcd", 1, [1, 0, -1]), ("ef", 2, [0.5, -0.5])]
for nodes, x, heights in columns:
    found = [at[node][0] for node in nodes]
    assert found == [x] * len(nodes), f"the level of {nodes} is {x}: x is not {found}"
    found = [at[node][1] for node in nodes]
    assert found == heights, f"{nodes} stand at the heights {heights}, not {found}"

# %% nbgrader={"grade": true, "grade_id": "positions_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again where the nodes of the levels come mixed."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

level = {"a": 2, "b": 0, "c": 1, "d": 2, "e": 1, "f": 1, "g": 1}
at = positions(level)
answer([list(map(float, at[node])) for node in "abcdefg"], about="the places")
answer(level, about="the levels after the call")
### END HIDDEN TESTS

# %% [markdown]
# ### The drawing is given
#
# You need not read the next two cells. They keep edges away from boxes: an edge that
# passes a level gets a **lane** there, a place without a box. Then each level is sorted
# so that fewer edges cross, and your `positions` gives every node and lane its place.

# %%
#| export
# Where, at level x, the edges from a node pass on their way to higher levels.
_Lane = namedtuple("_Lane", "node x")


def _lanes(level: dict[Hashable, int], parents: Parents) -> tuple[dict, dict]:
    """Levels of nodes and lanes; pieces of edges, (from, to) -> the edges it serves."""
    places, pieces = dict(level), {}
    for node, x in level.items():
        for parent in parents(node):
            lanes = [_Lane(parent, k) for k in range(level[parent] + 1, x)]
            places |= {lane: lane.x for lane in lanes}
            for piece in pairwise([parent, *lanes, node]):
                pieces.setdefault(piece, []).append((parent, node))
    return places, pieces


def _untangled(places: dict[Hashable, int], pieces: Iterable[tuple]) -> dict:
    """The same levels, each sorted by the mean height of its neighbours."""
    near = {place: ([], []) for place in places}
    for a, b in pieces:
        near[b][0].append(a)
        near[a][1].append(b)
    for side in (0, 1, 0):  # neighbours on the left, on the right, on the left again
        for x in sorted(set(places.values()), reverse=side == 1):
            at = positions(places)
            means = {}
            for p in places:
                if places[p] == x:
                    means[p] = np.mean([at[q][1] for q in near[p][side]] or [at[p][1]])
            order = sorted(places, key=lambda p: means.get(p, 0), reverse=True)
            places = {p: places[p] for p in order}
    return places


# %%
#| export
def draw_dependencies(
    roots: Iterable[Hashable],
    parents: Parents,
    label: Callable[[Hashable], str] = str,
    highlight: Iterable[Hashable] = (),
):
    """Draw what is built from what, from left to right; return matplotlib's Axes."""
    import matplotlib.pyplot as plt
    from matplotlib.patches import FancyArrowPatch
    level, marked = levels(roots, parents), set(highlight)
    places, pieces = _lanes(level, parents)
    at = positions(_untangled(places, pieces))
    columns = 1 + max(level.values(), default=0)
    top = max((y for _, y in at.values()), default=0)
    letters = max((len(label(node)) for node in level), default=0)
    size = (columns * (0.55 + 0.065 * letters), 0.8 * top + 0.6)  # inches
    _, ax = plt.subplots(figsize=size, layout="constrained")
    t = np.linspace(0, 1, 31)
    for (a, b), served in pieces.items():
        (x0, y0), (x1, y1) = at[a], at[b]
        red = any({*ends} <= marked for ends in served)
        color, order = ("C3", 2) if red else ("0.6", 1)
        x, y = x0 + (x1 - x0) * t, y0 + (y1 - y0) * t**2 * (3 - 2 * t)
        ax.plot(x, y, color=color, lw=1.2, zorder=order)
        if b in level:  # a node, not a lane
            ends = (x[15], y[15]), (x[17], y[17])
            head = {"arrowstyle": "-|>", "mutation_scale": 9, "shrinkA": 0}
            head |= {"shrinkB": 0, "color": color, "zorder": order}
            ax.add_patch(FancyArrowPatch(*ends, **head))
    for node in level:
        fill, border = ("#fbe4e4", "C3") if node in marked else ("white", "0.5")
        box = {"boxstyle": "round,pad=0.3", "fc": fill, "ec": border}
        text = {"ha": "center", "va": "center", "fontsize": 9, "bbox": box, "zorder": 3}
        ax.text(*at[node], label(node), **text)
    ax.set(xlim=(-0.5, columns - 0.5), ylim=(-top - 0.5, top + 0.5))
    ax.set(xticks=[], yticks=[], frame_on=False)
    return ax


# %% [markdown]
# `draw_dependencies` takes `roots` and `parents`, as all your functions do. `label`
# makes the text of a node. The nodes in `highlight`, and the edges between them, are
# drawn in colour.

# %%
draw_dependencies(["result"], SIX.get);

# %% [markdown]
# No place was typed in. The same picture with another question: what changes with
# `double`?

# %%
changed = reachable(["double"], dependents(SIX).get)
draw_dependencies(["result"], SIX.get, highlight=changed);

# %% [markdown]
# ### Nodes that are objects
#
# Nodes need not be strings, and no dict is needed. Here a node is an object that
# remembers what it was computed from. What will $(a + b) \cdot b$ look like?


# %%
class Number:
    def __init__(self, name, *built_from):
        self.name, self.built_from = name, built_from


# %%
a, b = Number("a"), Number("b")
total = Number("a + b", a, b)
product = Number("(a + b) * b", total, b)
draw_dependencies([product], lambda node: node.built_from, lambda node: node.name);

# %% [markdown]
# In module 02 every number remembers its parents by itself, as these do. In module 09
# your walk over these memories trains a network.

# %% [markdown]
# ## 5. Use: a package that you already have
#
# A package is a folder of files, and each file is a **part** of it. The imports of a
# part tell what it is built from. The next two cells are given, and you need not read
# them. They read the imports of an installed package and return a graph like `SIX`:
# beside each part, the other parts that it imports. An import inside a function does
# not count. It runs only when the function is called.

# %%
#| export
def package_sources(package: str) -> dict[str, str]:
    """Part -> text, for each Python file directly in an installed package's folder."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations or not spec.origin:
        raise ModuleNotFoundError(f"{package!r} is no installed package in a folder")
    folder = Path(spec.origin).parent
    paths = {f"{package}.{path.stem}": path for path in sorted(folder.glob("*.py"))}
    paths[package] = paths.pop(f"{package}.__init__")
    return {name: path.read_text(encoding="utf-8") for name, path in paths.items()}


def imported_names(source: str, package: str = "") -> list[str]:
    """The dotted names that a text imports when it is loaded as a file of `package`."""
    names, stack = [], [ast.parse(source)]
    while stack:
        statement = stack.pop()
        if isinstance(statement, ast.Import):
            names += [entry.name for entry in statement.names]
        elif isinstance(statement, ast.ImportFrom):
            dotted = "." * statement.level + (statement.module or "")
            home = importlib.util.resolve_name(dotted, package)
            names += [f"{home}.{entry.name}" for entry in statement.names]
        elif not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            stack.extend(reversed(list(ast.iter_child_nodes(statement))))
    return names


# %%
#| export
def dependencies(sources: dict[str, str]) -> dict[str, list[str]]:
    """Part -> the other parts that its text imports, each once, for part -> text."""
    graph = {}
    for name, source in sources.items():
        holds_parts = any(other.startswith(name + ".") for other in sources)
        package = name if holds_parts else name.rpartition(".")[0]
        found = {}
        for imported in imported_names(source, package):
            outer = imported.rpartition(".")[0]  # json.scanner, for json.scanner.scan
            part = imported if imported in sources else outer
            if part in sources and part != name:
                found[part] = None
        graph[name] = list(found)
    return graph


# %% [markdown]
# `json` reads and writes data as text. Which of its parts need no other part?

# %%
dependencies(package_sources("json"))

# %% [markdown]
# Python reads and writes electronic mail with the package `email`: some twenty parts,
# written by many people in more than twenty years. Nobody drew this picture. It comes
# from the files.

# %%
def short(part):
    return part.removeprefix("email.")


# %%
mail = dependencies(package_sources("email"))
draw_dependencies(mail, mail.get, label=short);

# %% [markdown]
# Choose a part, here `email.charset`. Which parts break if its file is missing?

# %%
broken = reachable(["email.charset"], dependents(mail).get)
draw_dependencies(mail, mail.get, label=short, highlight=broken);

# %% [markdown]
# ### Is it true?
#
# A picture is a claim, so test it by an experiment. We start a second Python in which
# one part does not exist. It imports every part, each time from a fresh start, and
# prints the parts that fail. We remove each part in turn and compare with the
# prediction of `reachable`. Only `email` itself is left out; a question at the end asks
# why.

# %%
import subprocess
import sys

EXPERIMENT = """
import importlib, sys
package, missing, *names = sys.argv[1:]
for name in names:
    for loaded in [key for key in sys.modules if key.partition(".")[0] == package]:
        del sys.modules[loaded]
    sys.modules[missing] = None  # from now on, importing it is an ImportError
    try:
        importlib.import_module(name)
    except ImportError:
        print(name)
"""


def break_it(package, missing, names):
    """The names that a fresh Python cannot import while `missing` does not exist."""
    command = [sys.executable, "-c", EXPERIMENT, package, missing, *names]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


# %%
for missing in mail:
    if missing != "email":
        broken = reachable([missing], dependents(mail).get)
        found = break_it("email", missing, mail)
        assert found == broken, f"without {missing}, the experiment finds {found}"
        print(f"without {short(missing):22} {len(broken):2} of {len(mail)} break")

# %% [markdown]
# ## 6. Use: this course
#
# The plan of the whole course. Beside each module stand the modules that its file
# imports.

# %% nbgrader={"grade": false, "grade_id": "course", "locked": true, "schema_version": 3, "solution": false, "task": false}
COURSE = {
    "introduction": [],
    "setup": [],
    "tensor": ["introduction"],
    "activations": ["tensor"],
    "layers": ["tensor", "activations"],
    "dense": ["setup", "tensor", "activations", "layers"],
    "spatial": ["tensor", "layers"],
    "attention": ["tensor", "layers", "dense"],
    "dataloader": ["tensor"],
    "autograd": ["tensor", "activations", "layers", "spatial", "attention"],
    "optimizers": ["autograd", "tensor"],
    "training": [
        "activations", "autograd", "dataloader", "layers", "optimizers", "tensor",
    ],
    "compression": ["tensor", "layers", "dense", "training"],
    "kernels": ["setup", "tensor", "spatial", "compression"],
    "benchmarking": ["setup", "tensor", "training"],
    "mlops": ["dense", "dataloader", "training", "benchmarking"],
    "capstone": [
        "spatial", "attention", "training", "compression", "kernels", "benchmarking",
        "mlops",
    ],
}

# %% [markdown]
# At the beginning you asked for `tinytorch.core.training`. In colour: the modules that
# it needs.

# %%
needed = reachable(["training"], COURSE.get)
draw_dependencies(COURSE, COURSE.get, highlight=needed);

# %% [markdown]
# In which order can they be built? And is the course itself, module by module, in a
# topological order?

# %%
print(" ".join(topological_order(["training"], COURSE.get)))
number = {name: k for k, name in enumerate(COURSE)}
early = [(node, p) for node in COURSE for p in COURSE[node] if number[node] < number[p]]
assert early == [], f"these come before what they need: {early}"

# %% [markdown]
# Seventeen people build the course together, one module each, and each module takes a
# week. A module can begin when all modules that it imports are done. How many weeks
# do they need at least? Guess from the picture, then run. The number of modules divided
# by the number of weeks tells how many people are busy on average.

# %%
chain = longest_chain(COURSE, COURSE.get)
busy = len(COURSE) / len(chain)
print(f"{len(COURSE)} modules, {len(chain)} weeks, {busy:.1f} people busy on average")
print(" -> ".join(chain))
assert len(chain) == 1 + max(levels(COURSE, COURSE.get).values())

# %% [markdown]
# For a formula, divide the number of operations by the length of the longest chain:
# many cores can make it faster by this factor at most. A network of a few wide layers
# gains much. A network that reads letter by letter gains little.

# %% [markdown]
# ## 7. Systems: what a walk costs
#
# Count first. `topological_order` opens each node once and asks for its parents once.
# Each edge puts one pair on the stack. With $n$ nodes, all of them roots, and $m$ edges
# that makes $n$ questions and $n + m$ pairs to open, whatever the graph looks like. The
# walk without a memory made $2^{21} - 1$ visits where $n = 21$ and $m = 40$.
#
# Check the count on graphs that nobody made for it.

# %%
def cost(graph):
    """(questions asked, parents received) by topological_order over the whole graph."""
    asked = []
    topological_order(graph, lambda node: asked.append(len(graph[node])) or graph[node])
    return len(asked), sum(asked)


for name in ["json", "email", "asyncio"]:
    graph = dependencies(package_sources(name))
    asked, received = cost(graph)
    assert (asked, received) == (len(graph), sum(map(len, graph.values())))
    print(f"{name:8} {asked:3} questions {received:4} parents")

# %% [markdown]
# If the count tells everything, the time for one node or edge is the same in a chain of
# a hundred and in one of a hundred thousand. The recursive walk stops at Python's limit
# of calls within calls, which is printed above the table. In which rows will it fail?

# %%
import timeit

print("calls within calls allowed:", sys.getrecursionlimit())
print("  nodes   recursive   topological_order")
for n in [100, 1_000, 10_000, 100_000]:
    letters = {k: [k - 1] if k else [] for k in range(n)}
    walk = "topological_order([n - 1], letters.get)"
    seconds = min(timeit.repeat(walk, globals=globals(), number=1, repeat=3))
    try:
        recursive_order(n - 1, letters, [])
        outcome = "works"
    except RecursionError:
        outcome = "fails"
    each = 1e6 * seconds / (2 * n - 1)  # n nodes and n - 1 edges
    print(f"{n:7,}   {outcome:9}   {each:6.2f} µs for each node or edge")

# %% [markdown]
# The last rows may be slower than the first, although the count is the same for each
# node. The count does not know where the data lie. The processor has a **cache**, a
# small memory close to it. A small dict fits into the cache, a large dict does not.
# Counting says how a cost grows. Only a measurement says what one step costs.

# %% [markdown]
# ## Reflect
#
# **1.** A network reads a text of 20,000 letters. For each letter it makes 50
# operations. Each operation is computed from two earlier results, and at least one of
# the 50 from a result of the letter before. About how long does `topological_order`
# take for the whole graph, and does a recursive walk get through it? Give the count of
# nodes and edges, the time from the *last* row of your table, and the result. At most
# five sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "cost_reflect", "locked": false, "points": 8, "schema_version": 3, "solution": true, "task": false}
# There are 20,000 * 50 = 1 million nodes and 2 million edges, 3 million together. My
# last row says 0.5 µs, which makes 1.5 seconds. The letters alone make a chain of at
# least 20,000 nodes, and my limit is 3,000 calls, so the recursive walk fails. The time
# plays no part in that.
#
# Rubric: 3 points for 3 million (1 for 1 million nodes alone); 3 for multiplying it by
# the time in their own table, with units, whatever the time; 2 for comparing the depth,
# at least 20,000, not the number of nodes, with the printed limit.

# %% [markdown]
# **2.** The experiment left out one part: `email` itself. What does `reachable` predict
# for it, and what does `break_it("email", "email", mail)` find? Run both. Which edges
# does the graph lack, and why does no import statement show them? At most four
# sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "email_reflect", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# Predicted is one part, `email` itself, since no part imports it. The experiment finds
# all of them, 20 in Python 3.11. To import `email.charset`, Python first loads the
# package `email` that it lies in. So `email` is a parent of each other part, and the
# graph lacks these edges. No import statement shows them, because it is a rule of
# Python's import, which acts on the dot in the name.
#
# Rubric: 2 points for the two numbers, 1 and all of them (20 on Python 3.11 to 3.13); 2
# for "loading a part loads its package first"; 2 for saying that the rule is not in the
# text of any file.

# %% [markdown]
# **3.** Two friends order nodes without `topological_order`. One sorts the nodes by
# their level, lowest first. The other sorts them by the number of their parents, fewest
# first. Which of the two always gets a topological order? Give the reason, and for the
# other friend a counter-example of at most four nodes. At most four sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "sorting_reflect", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# By level: always, because a node's level is at least one more than that of each of its
# parents, so every parent stands before it. By the number of parents: not always. With
# `a: []`, `b: []`, `c: [a, b]`, `d: [c]`, node `d` has one parent and `c` has two, so
# `d` comes before `c`, which it needs.
#
# Rubric: 2 points for the right choice; 2 for the reason, that the level of a parent is
# strictly lower; 2 for a counter-example in which a node with fewer parents needs one
# with more.

# %% [markdown]
# ## Here and in PyTorch
#
# | here | in PyTorch |
# | --- | --- |
# | a node, and its parents | an operation `y.grad_fn`, and its `.next_functions` |
# | `topological_order` | a part of `y.backward()`, which counts users instead |
# | the order of a formula | `torch.fx.symbolic_trace(model).graph.nodes` |
# | the check of the order | `graph.lint()` of such a graph |
# | the error for a cycle | not needed: a formula that was computed has no cycle |
# | `draw_dependencies` | no drawing; the package torchviz makes one |
# | `dependencies` | `torch.package.PackageExporter` reads imports with `ast` too |

# %% [markdown]
# ## Summary
#
# You now have `reachable`, `dependents`, `levels` and `longest_chain`, which answer
# questions about a graph; `topological_order`, which orders it at any depth or names
# the cycle; and `draw_dependencies`, which shows it. Module 02 draws the recipe of a
# number with them, and module 09 walks it backwards.
#
# They only count. Module 01 measures how fast this machine is. Save the notebook, then
# run `tito check 00` and `tito complete 00`.
