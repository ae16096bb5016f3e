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
#     - read from source text what a package is built from, and draw it
#     - put parts in an order in which each comes after all it needs
#     - tell what breaks when one part is missing, and prove it by an experiment
#     - count what a walk over a graph costs, and say when a recursive one fails
# ---

# %% [markdown]
# # Introduction
#
# > What is built from what: the course as a graph, and the walk over graphs that training will run on.

# %% nbgrader={"grade": false, "grade_id": "prefix", "locked": true, "schema_version": 3, "solution": false, "task": false}
# From here on `import tinytorch` means the package in your own workspace: the modules before this one, as you built them.
from tito.workspace import use_prefix

use_prefix(0)

# %% [markdown]
# In this course you build a deep-learning framework. Each module is a notebook; what you write in
# it becomes one file of a package, `tinytorch`, and the next module imports it. Your package is
# empty now. Ask it for the last thing that a framework does, training a network (Shift+Enter runs a
# cell):

# %% tags=["raises-exception"]
from tinytorch.core.training import Trainer

Trainer()

# %% [markdown]
# The error names one module. That module is built from others, and those from others again. Which
# do you need, in what order, and what breaks if one of them is missing? These are questions about a
# **graph**, and in this notebook you write the functions that answer them.
#
# They are not a toy. A network's result is also built from other numbers, and those from others
# again: module 09 trains with the function that you write in section 3.

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

Parents = Callable[[Hashable], Iterable[Hashable]]

# %% [markdown]
# ## 1. A graph is a dict
#
# Here is a small course of only six modules. Each is a **node**, and the list beside it names its
# **parents**: the nodes that it is built from, directly.

# %% nbgrader={"grade": false, "grade_id": "six", "locked": true, "schema_version": 3, "solution": false, "task": false}
SIX = {
    "training": ["dense", "dataloader"],
    "dense": ["activations", "layers"],
    "activations": ["tensor"],
    "layers": ["tensor"],
    "dataloader": ["tensor"],
    "tensor": [],
}

# %%
SIX["dense"]

# %% [markdown]
# A picture tells more than the dict. Lines run from left to right: what stands left is built into
# what stands right. For now the places are typed in by hand; by the end of section 4 your own
# functions compute them.

# %%
import matplotlib.pyplot as plt

place = {"tensor": (0, 0), "activations": (1, 1), "layers": (1, 0), "dataloader": (1, -1)}
place |= {"dense": (2, 0.5), "training": (3, 0)}
plt.figure(figsize=(7, 2.4))
for node, parents in SIX.items():
    for parent in parents:
        plt.plot(*zip(place[parent], place[node], strict=True), color="0.7", zorder=1)
    plt.text(*place[node], node, ha="center", va="center", bbox={"boxstyle": "round", "fc": "white", "ec": "0.5"})
plt.axis("off");

# %% [markdown]
# ### How a notebook of this course works
#
# | cell | what it is for |
# | --- | --- |
# | **solution** | A function with a gap. Write in place of `raise NotImplementedError()`; keep the lines above. |
# | **check** | Stands below it. Silent when your function is right; else it says what is wrong. |
# | **hidden check** | One line, which says what it looks at. When your work is graded, it tries other data. |
# | **reflection** | A question to answer in words, read by a person. |

# %% [markdown]
# Add cells wherever you like, to try things: nothing that you do here can break the course. When
# you are done, save, and in a terminal:
#
# - `tito check 00` runs the checks in a fresh Python;
# - `tito complete 00` also writes the cells marked `#| export` into your own `tinytorch`.

# %% [markdown]
# ### First exercise: turn the lines round
#
# `SIX` says what each node is built from. If `tensor` changes, we ask the opposite: who is built
# from it? Write `dependents`: it takes such a dict and returns a new one with the same keys, in the
# same order; beside each node stands the list of those that have it as a parent, in the order in
# which they stand in the dict. A node that nobody uses has an empty list. Every parent is itself a
# key. Five lines suffice.

# %% nbgrader={"grade": false, "grade_id": "dependents", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def dependents(graph: dict[str, list[str]]) -> dict[str, list[str]]:
    """The graph with every line turned round: node -> the nodes that have it as a parent."""
    ### BEGIN SOLUTION
    turned = {node: [] for node in graph}
    for node, parents in graph.items():
        for parent in parents:
            turned[parent].append(node)
    return turned
    ### END SOLUTION


# %% [markdown]
# Which modules are built directly from `tensor`? Read them off the picture, then run.

# %%
dependents(SIX)["tensor"]

# %% nbgrader={"grade": true, "grade_id": "dependents_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""Turned round, the same lines are there, each the other way; turned twice, they are as before."""
turned = dependents(SIX)
lines = {(node, parent) for node, parents in SIX.items() for parent in parents}
back = {(user, node) for node, users in turned.items() for user in users}

assert isinstance(turned, dict), f"return a dict, not {type(turned).__name__}"
assert list(turned) == list(SIX), f"the keys must be those of the graph, in its order: {list(turned)}"
assert turned["training"] == [], f"nobody uses training, yet {turned['training']}: has each node its own list?"
assert turned["tensor"] == ["activations", "layers", "dataloader"], f"tensor is used by {turned['tensor']}?"
assert back == lines, f"these lines were lost or invented: {lines ^ back}"

# %% [markdown]
# The check was silent: your function is right on this graph. Below is your first hidden check; all
# but its first line stays away from your copy.

# %% nbgrader={"grade": true, "grade_id": "dependents_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a graph without lines and on one with several ends; the graph that goes in must not change."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

drawn = {"sum": ["a", "b"], "a": [], "product": ["b", "a", "sum"], "b": []}
answer(dependents({"a": [], "b": []}), about="a graph without lines")
answer(dependents(drawn), about="a graph with two ends")
answer([drawn["sum"], drawn["a"], drawn["product"], drawn["b"]], about="the graph after the call")
### END HIDDEN TESTS

# %% [markdown]
# ## 2. All that it needs
#
# Parents are only the direct ones. To train, you also need the parents of the parents, and theirs.
# The obvious way is to ask each node in turn, and to let it ask its parents. The function below
# does that and counts how often it stands on a node.

# %%
def visits(node, graph):
    """How many nodes a walk stands on if it never remembers where it has been."""
    return 1 + sum(visits(parent, graph) for parent in graph[node])


# %% [markdown]
# Take a number, multiply it by itself, multiply the result by itself, and so on: node `k` is node
# `k-1` times node `k-1`. Twenty products, 21 nodes. How many visits do you expect?

# %%
squares = {k: [k - 1, k - 1] if k else [] for k in range(21)}
visits(20, squares)

# %% [markdown]
# Each product doubles the work: $2^{21} - 1$ visits to 21 nodes. The remedy is a memory. Keep a set
# of the nodes already **seen** and a list of those still **waiting**; take one from the list, and
# if it is new, remember it and let its parents wait.

# %% [markdown]
# Write `reachable` this way. From here on a graph is given by two things:
#
# - `roots`: the nodes to start from. A list, a set, a dict's keys: whatever a `for` can go through.
#   It belongs to the caller, so copy it before you take something out;
# - `parents`: a *function* from a node to its parents, again whatever a `for` can go through,
#   perhaps only once, as a generator. For a dict that is `SIX.get`; any other function will do.
#
# Ask `parents` once for each node. Seven lines suffice.

# %% nbgrader={"grade": false, "grade_id": "reachable", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def reachable(roots: Iterable[Hashable], parents: Parents) -> set:
    """The roots, their parents, the parents of those, and so on; `parents` is asked once for each node."""
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
# Which of the six modules can `dense` do without?

# %%
set(SIX) - reachable(["dense"], SIX.get)

# %% nbgrader={"grade": true, "grade_id": "reachable_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""All that is needed, roots included, and no node asked for its parents twice."""
products, asked = {k: [k - 1, k - 1] if k else [] for k in range(21)}, []
found = reachable([20], lambda node: asked.append(node) or products[node])

assert reachable(["dense"], SIX.get) == set(SIX) - {"training", "dataloader"}, "dense needs four, itself included"
assert reachable([], SIX.get) == set(), "from no roots, nothing is reached"
assert reachable(SIX.keys(), SIX.get) == set(SIX), "from all nodes as roots, all are reached"
assert found == set(range(21)), f"of the 21 products you found {len(found)}"
assert len(asked) == 21, f"parents was asked {len(asked)} times for 21 nodes: remember which you have seen"

# %% nbgrader={"grade": true, "grade_id": "reachable_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again on two roots, a chain of 10,000 nodes, a graph that runs in a circle; the roots must not change."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

several = {"a": ["b"], "b": [], "c": ["d"], "d": ["b"], "e": ["a"]}
ring, asked = {"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"]}, []
start = ["c", "a"]
answer(sorted(reachable(start, several.get)), about="two roots")
answer(start, about="the list of roots after the call")
answer(len(reachable([9_999], lambda k: [k - 1] if k else [])), about="a chain of 10,000")
answer(sorted(reachable(["a"], lambda node: asked.append(node) or ring[node][len(asked) > 99 :])), about="a circle")
answer(len(asked), about="how often parents was asked on the circle")
### END HIDDEN TESTS

# %% [markdown]
# And the twenty products, with a memory:

# %%
len(reachable([20], squares.get))

# %% [markdown]
# Put the two together. What breaks if a part is missing? Itself, all that is built from it, and so
# on: that is reachability along the lines turned round.

# %%
reachable(["layers"], dependents(SIX).get)

# %% [markdown]
# ## 3. In what order
#
# A set has no order, but you can only build one module after another, each after all its parents.
# Such an order is called **topological**. The shortest way to write it lets each node wait for its
# parents:

# %%
def recursive_order(node, graph, order):
    """Append the node to `order`, after all that it needs."""
    for parent in graph[node]:
        recursive_order(parent, graph, order)
    if node not in order:
        order.append(node)
    return order


# %%
recursive_order("training", SIX, [])

# %% [markdown]
# Correct and short, if as forgetful as `visits`. Now a chain: node `k` needs node `k-1`. A sentence
# that a network reads letter by letter makes such a chain, and ten thousand letters are four pages.
# What happens?

# %%
letters = {k: [k - 1] if k else [] for k in range(10_000)}
try:
    recursive_order(9_999, letters, [])
except RecursionError as error:
    print("RecursionError:", error)

# %% [markdown]
# A function that calls itself leaves a half-finished call at every step, and Python allows about a
# thousand or a few thousand of them. The graph is fine; the walk is not.
#
# The same happens in a graph that runs in a circle, where no order exists: `a` needs `b`, `b` needs
# `c`, `c` needs `b`. There the right answer is an error that says where the circle is.

# %% [markdown]
# ### Name the cycle
#
# Suppose that a walk went from parent to parent, `a`, `b`, `c`, and now meets `b` again. `path` is
# what it went through, `node` the one it meets again. The text wanted is `b -> c -> b`: from the
# first meeting on, to the same node again. What came before, here `a`, is not part of the cycle.
#
# `path` may be a list or a dict's keys, and the nodes may be numbers: use `str` to turn each into
# text first, and search among the texts. Two or three lines suffice.

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

# %% nbgrader={"grade": true, "grade_id": "describe_cycle_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""The cycle and nothing else, closed: its first name is also its last."""
said = describe_cycle(["a", "b", "c"], "b")

assert said == "b -> c -> b", f"on the path a, b, c, meeting b again is the cycle b -> c -> b, not {said}"
assert describe_cycle(["a", "b"], "a") == "a -> b -> a", "the whole path may be the cycle"
assert describe_cycle({"x": None, "y": None}, "y") == "y -> y", "path may be a dict, and a cycle may have one node"

# %% nbgrader={"grade": true, "grade_id": "describe_cycle_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a longer path, which must not change, and on nodes that are numbers."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

path = ["start", "left", "right", "up", "down"]
answer([describe_cycle(path, "right"), path], about="a path of five, and the path after the call")
answer(describe_cycle([3, 1, 4, 15], 1), about="numbers")
### END HIDDEN TESTS

# %% [markdown]
# ### Every node twice on the stack
#
# The remedy for deep graphs is the list of section 2, used as a **stack**: what went on last comes
# off first. `path` holds the nodes that were opened and wait for their parents, `order` those that
# are done. A node goes on the stack as a pair `(node, False)`, "to be opened".

# %% [markdown]
# When a pair comes off, it is one of four:
#
# | pair | meaning | what to do |
# | --- | --- | --- |
# | `(node, True)` | its parents are done | take it off the `path`, put it into `order` |
# | node on the `path` | it needs itself | raise `ValueError`: "cycle: " and what `describe_cycle` says |
# | node in `order` | done already | nothing |
# | any other | new | put it on the `path`; on the stack `(node, True)` and, above that, each parent, to be opened |

# %% [markdown]
# Follow it by hand. `dense` needs `activations` and `layers`, both need `tensor`. The top of the
# stack is on the right; a star stands for `True`:
#
# | comes off | stack after | path after | order after |
# | --- | --- | --- | --- |
# | dense | dense* layers activations | dense | |
# | activations | dense* layers activations* tensor | dense activations | |
# | tensor | dense* layers activations* tensor* | dense activations tensor | |
# | tensor* | dense* layers activations* | dense activations | tensor |
# | activations* | dense* layers | dense | tensor activations |
#
# Which row comes next? The first parent comes off first, so parents go on in reverse.

# %% [markdown]
# ### The order
#
# A node is anything that can be a key: a string, a number, an object. Do not compare nodes with
# `==`, nor search them in a list: from module 02 on they may be arrays, where `==` compares number
# by number. And a node may name a parent twice, as `x * x` does: that is no cycle.
#
# So `path` and `order` are dicts of which only the keys matter, as in `path[node] = None`. A dict
# keeps its keys in the order in which they came, and `node in path` finds one at once.
# `path.popitem()` takes the last one off.
#
# Write the body of the loop, the table's four cases: eight or nine lines. Start and end are given.

# %% nbgrader={"grade": false, "grade_id": "topological_order", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def topological_order(roots: Iterable[Hashable], parents: Parents) -> list:
    """The roots and all they are built from, each once, each after all its parents; a ValueError names a cycle.

    Depth first, roots and parents in the order given. A node is whatever can be a key of a dict; any depth will do.
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
            stack.extend((parent, False) for parent in reversed(list(parents(node))))
        ### END SOLUTION
    return list(order)


# %% [markdown]
# In which place will `dataloader` stand?

# %%
topological_order(["training"], SIX.get)

# %% [markdown]
# And now what the recursive walk could not do: the chain of ten thousand, and a circle.

# %%
len(topological_order([9_999], letters.get))

# %% tags=["raises-exception"]
topological_order(["a"], {"a": ["b"], "b": ["c"], "c": ["b"]}.get)

# %% nbgrader={"grade": true, "grade_id": "topological_order_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""Each node once, after all its parents, in a fixed order, and each is asked for its parents once."""
asked = []
order = topological_order(["training"], lambda node: asked.append(node) or SIX[node])

assert isinstance(order, list), f"return a list, not {type(order).__name__}"
assert sorted(order) == sorted(SIX), f"each of the six once: {order}"
for node in order:
    for parent in SIX[node]:
        assert order.index(parent) < order.index(node), f"{node} needs {parent}, which comes after it: {order}"
assert " ".join(order) == "tensor activations layers dense dataloader training", f"first parents go first: {order}"
assert len(asked) == 6, f"parents was asked {len(asked)} times for 6 nodes"

# %% nbgrader={"grade": true, "grade_id": "topological_order_deep", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Ten thousand nodes deep, the same parent twice, and a cycle that is named."""
circle, asked = {"a": ["b"], "b": ["c"], "c": ["b"]}, []


def parents_on_circle(node):
    asked.append(node)
    assert len(asked) < 100, "on a -> b -> c -> b your loop never ends: does it notice a node that is on the path?"
    return circle[node]


deep = topological_order([9_999], lambda k: [k - 1] if k else [])
twice = topological_order([3], lambda k: [k - 1, k - 1] if k else [])
try:
    topological_order(["a"], parents_on_circle)
    said = "no error"
except ValueError as error:
    said = str(error)

assert deep == list(range(10_000)), f"a chain of 10,000 gave {len(deep)} nodes, beginning with {deep[:3]}"
assert twice == [0, 1, 2, 3], f"a parent that is named twice is no cycle and counts once: {twice}"
assert said == "cycle: b -> c -> b", f"the error for a -> b -> c -> b says: {said}"

# %% nbgrader={"grade": true, "grade_id": "topological_order_hidden", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
"""Graded again on several roots, on objects whose `==` must not be used, on cycles, and on a chain of 20,000."""
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
mixed = {"a": ["b", "c"], "b": ["d"], "c": ["d", "b"], "d": [], "e": ["c", "f"], "f": []}
answer(said_by(["e", "a"], mixed.get), about="two roots")
answer([said_by(mixed, mixed.get), said_by([], mixed.get)], about="all nodes as roots, and none")
answer(said_by([total, w], lambda node: node.built_from, lambda node: node.name), about="objects")
answer(said_by([0], {0: [1, 2], 1: [], 2: [3, 1], 3: [4], 4: [2]}.get), about="a cycle of three, entered from outside")
answer(said_by([1], {1: [1]}.get), about="a node that needs itself")
answer(said_by(["b", "a"], {"a": ["b", "a"], "b": []}.get), about="a cycle that only the second root meets")
answer(said_by([19_999], lambda k: [k - 1] if k else [])[::1_999], about="a chain of 20,000")
answer(said_by([3], lambda k: iter([k - 1]) if k else iter([])), about="parents as an iterator")
### END HIDDEN TESTS

# %% [markdown]
# ## 4. Levels and a picture
#
# An order turns hard questions into one pass. How long is the longest chain of parents below a node
# $v$?
#
# $$\mathrm{level}(v) = 1 + \max_{p} \mathrm{level}(p) \;\text{ over its parents } p, \qquad 0 \text{ if there are none}$$
#
# In a topological order every $\mathrm{level}(p)$ is known before $v$ needs it. Write `levels`: a
# dict from each node, in topological order, to its level. Four lines suffice; `max` takes a
# `default=` for when there is nothing to take the maximum of.

# %% nbgrader={"grade": false, "grade_id": "levels", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def levels(roots: Iterable[Hashable], parents: Parents) -> dict[Hashable, int]:
    """0 for a node without parents, else 1 + the highest level of its parents; in topological order."""
    ### BEGIN SOLUTION
    level = {}
    for node in topological_order(roots, parents):
        level[node] = 1 + max((level[parent] for parent in parents(node)), default=-1)
    return level
    ### END SOLUTION


# %% [markdown]
# Module 09 computes derivatives by such a pass. Which number will stand beside `training`?

# %%
levels(["training"], SIX.get)

# %% nbgrader={"grade": true, "grade_id": "levels_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""The longest way counts, not the shortest and not the first."""
level = levels(["training"], SIX.get)
shortcut = {"end": ["a", "c"], "a": [], "b": ["a"], "c": ["b", "a"]}

assert level["tensor"] == 0, f"tensor has no parents, so its level is 0, not {level['tensor']}"
assert level["training"] == 3, f"training stands on dense, activations, tensor: level 3, not {level['training']}"
assert list(level) == topological_order(["training"], SIX.get), "the keys come in topological order"
assert levels(["end"], shortcut.get)["end"] == 3, "end - a is short, end - c - b - a is the longest: level 3"

# %% nbgrader={"grade": true, "grade_id": "levels_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on several roots, and on a deep graph in which every node has three parents."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

forest = {"a": [], "b": ["a"], "c": ["b", "a"], "d": ["a", "c", "b"], "e": [], "f": ["e", "b"]}
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
# Suppose that a class of thirty builds the six modules together. More hands do not shorten a chain:
# each of its nodes waits for the one before. Write `longest_chain`: start from the node of the
# highest level, the first such in topological order; go on to the parent of the highest level, the
# first such among the parents, until there are none. Return the nodes from the bottom up. For no
# roots, return `[]`. Six lines suffice; `max(nodes, key=level.get)` gives the first node of the
# highest level.

# %% nbgrader={"grade": false, "grade_id": "longest_chain", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def longest_chain(roots: Iterable[Hashable], parents: Parents) -> list:
    """Nodes, each a parent of the next, as many as there can be: what no number of helpers can shorten."""
    ### BEGIN SOLUTION
    level = levels(roots, parents)
    above, chain = list(level), []
    while above:
        chain.append(max(above, key=level.get))
        above = list(parents(chain[-1]))
    return chain[::-1]
    ### END SOLUTION


# %%
longest_chain(["training"], SIX.get)

# %% nbgrader={"grade": true, "grade_id": "longest_chain_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""A chain of parents, from the bottom to the highest level."""
chain = longest_chain(SIX, SIX.get)

assert chain == ["tensor", "activations", "dense", "training"], f"the longest chain of the six is not {chain}"
assert longest_chain([], SIX.get) == [], "with no nodes there is no chain: return []"
two = {"short": [], "end": ["b"], "b": []}
assert longest_chain(["short", "end"], two.get) == ["b", "end"], "start from the highest of all, not the first root"

# %% nbgrader={"grade": true, "grade_id": "longest_chain_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again where the first parent is not the deepest, and where two chains are equally long; the roots must not change."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

forest = {"a": [], "b": ["a"], "c": ["a", "b"], "d": ["a", "c", "b"], "e": [], "f": ["e", "b"], "g": ["c"]}
start = ["f", "d"]
answer([longest_chain(start, forest.get), start], about="the first parent is not the deepest; the roots after the call")
answer(longest_chain(["f", "g", "d"], forest.get), about="two equally long")
answer(len(longest_chain([12_000], lambda k: [k - 1] if k else [])), about="a deep one")
### END HIDDEN TESTS

# %% [markdown]
# ### A place for every node
#
# In a picture, let $x$ be the level: then every line runs from left to right. The $n$ nodes of one
# level stand below one another at distance 1, in the order in which they come, centred on the
# height 0:
#
# $$y_k = \frac{n - 1}{2} - k, \qquad k = 0, \dots, n - 1$$
#
# Three nodes stand at 1, 0, -1. Write `positions`, from a dict of levels to a dict of pairs `(x,
# y)`, node by node in any order. Six lines suffice: gather each level's nodes in a list first.

# %% nbgrader={"grade": false, "grade_id": "positions", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def positions(level: dict[Hashable, int]) -> dict[Hashable, tuple[float, float]]:
    """(x, y) of each node: x its level, y the places of one level from the top down, 1 apart, centred on 0."""
    ### BEGIN SOLUTION
    columns = {}
    for node, x in level.items():
        columns.setdefault(x, []).append(node)
    return {node: (x, (len(column) - 1) / 2 - k) for x, column in columns.items() for k, node in enumerate(column)}
    ### END SOLUTION


# %%
positions(levels(["training"], SIX.get))

# %% nbgrader={"grade": true, "grade_id": "positions_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""x is the level; the places of a level are 1 apart, from the top down, and average 0."""
at = positions({"a": 0, "b": 1, "c": 1, "d": 1, "e": 2, "f": 2})

assert set(at) == set("abcdef"), f"every node gets a place: {at}"
assert [at[node][0] for node in "abcdef"] == [0, 1, 1, 1, 2, 2], f"x is the level: {at}"
assert [at[node][1] for node in "bcd"] == [1, 0, -1], f"three nodes stand at 1, 0, -1: {at}"
assert [at[node][1] for node in "aef"] == [0, 0.5, -0.5], f"one node stands at 0, two at 0.5 and -0.5: {at}"

# %% nbgrader={"grade": true, "grade_id": "positions_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again where the nodes of the levels come mixed; the dict that goes in must not change."""
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
# It stands on your functions. A line that passes a level gets a **lane** there, as if it were a
# node without a box: then no line runs behind a box. Lanes that come from the same node run
# together. Then each level is sorted by the mean height of its neighbours, so that fewer lines
# cross, and your `positions` does the rest.

# %%
#| export
_Lane = namedtuple("_Lane", "node x")  # where, at level x, the lines from a node pass on their way to higher levels


def _lanes(level: dict[Hashable, int], parents: Parents) -> tuple[dict, dict]:
    """The levels of nodes and lanes, and the pieces of line: (from, to) -> the (parent, node) pairs it serves."""
    places, lines = dict(level), {}
    for node, x in level.items():
        for parent in parents(node):
            steps = [parent, *(_Lane(parent, k) for k in range(level[parent] + 1, x)), node]
            places |= {lane: lane.x for lane in steps[1:-1]}
            for piece in pairwise(steps):
                lines.setdefault(piece, []).append((parent, node))
    return places, lines


def _untangled(places: dict[Hashable, int], lines: Iterable[tuple]) -> dict[Hashable, int]:
    """The same levels, each sorted by the mean height of its neighbours: on the left, the right, the left again."""
    near = {place: ([], []) for place in places}
    for a, b in lines:
        near[b][0].append(a)
        near[a][1].append(b)
    for side in (0, 1, 0):
        for x in sorted(set(places.values()), reverse=side == 1):
            at = positions(places)
            means = {p: np.mean([at[q][1] for q in near[p][side]] or [at[p][1]]) for p in places if places[p] == x}
            places = {p: places[p] for p in sorted(places, key=lambda p: means.get(p, 0), reverse=True)}
    return places


# %% [markdown]
# `draw_dependencies` takes the same two things as all your functions, `roots` and `parents`.
# `label` makes a node's text. The nodes in `highlight`, and the lines between them, are drawn in
# colour.
#
# Note where it imports matplotlib: inside the function. Such an import runs when the function is
# called, so whoever only wants an order does not wait for a plotting library. Section 5 comes back
# to this.

# %%
#| export
def draw_dependencies(roots: Iterable[Hashable], parents: Parents, label=str, highlight: Iterable[Hashable] = ()):
    """Draw what is built from what, from left to right, and return matplotlib's Axes."""
    import matplotlib.pyplot as plt
    level, marked = levels(roots, parents), set(highlight)
    places, lines = _lanes(level, parents)
    at = positions(_untangled(places, lines))
    columns, top = 1 + max(level.values(), default=0), max((y for _, y in at.values()), default=0)
    column_width = 0.5 + 0.065 * max((len(label(node)) for node in level), default=0)  # inches
    _, ax = plt.subplots(figsize=(column_width * columns, 0.8 * top + 0.6), layout="constrained")
    t = np.linspace(0, 1, 30)
    for (a, b), served in lines.items():
        (x0, y0), (x1, y1) = at[a], at[b]
        color, order = ("C3", 2) if any({*ends} <= marked for ends in served) else ("0.7", 1)
        ax.plot(x0 + (x1 - x0) * t, y0 + (y1 - y0) * t**2 * (3 - 2 * t), color=color, lw=1.2, zorder=order)
    for node in level:
        fill, edge = ("#fbe4e4", "C3") if node in marked else ("white", "0.5")
        box = {"boxstyle": "round,pad=0.3", "fc": fill, "ec": edge}
        ax.text(*at[node], label(node), ha="center", va="center", fontsize=9, bbox=box, zorder=3)
    ax.set(xlim=(-0.5, columns - 0.5), ylim=(-top - 0.5, top + 0.5), xticks=[], yticks=[], frame_on=False)
    return ax


# %%
draw_dependencies(["training"], SIX.get);

# %% [markdown]
# No place was typed in. The same picture, asked another question: what breaks without `layers`?

# %%
draw_dependencies(["training"], SIX.get, highlight=reachable(["layers"], dependents(SIX).get));

# %% [markdown]
# ### Nodes that are objects
#
# Nodes need not be names, nor need there be a dict. Here a node is a number that remembers what it
# was computed from. What will the recipe of `(a + b) * b` look like?


# %%
class Number:
    def __init__(self, name, *built_from):
        self.name, self.built_from = name, built_from


# %%
a, b = Number("a"), Number("b")
total = Number("a + b", a, b)
product = Number("(a + b) * b", total, b)
draw_dependencies([product], lambda number: number.built_from, label=lambda number: number.name);

# %% [markdown]
# The same picture as for modules, from the same functions. In module 02 every number remembers its
# recipe like this by itself.

# %% [markdown]
# ## 5. The graph that is in the files
#
# `SIX` was typed by a person, and persons forget. What a file is really built from stands in the
# file: its imports. Python can read its own language; `ast` turns text into a tree of statements,
# and runs nothing of it.

# %%
text = """
import math, os.path
from .scanner import scan
from json import decoder

def late():
    import pdb
"""
for statement in ast.parse(text).body:
    print(type(statement).__name__, "|", ast.unparse(statement).splitlines()[0])

# %% [markdown]
# What does such a statement know of itself? (`level` counts the leading dots.)

# %%
print(ast.dump(ast.parse("from .scanner import scan").body[0]))

# %% [markdown]
# Which of these imports does the file need in order to be loaded? Not `pdb`: a function's body runs
# when it is called. An import inside `if`, `try` or a class does run. The function below collects
# the statements that run. It is your `reachable` again, on a tree; a tree has one way to each node,
# so nothing needs to be remembered.

# %%
#| export
def _statements(source: str) -> list[ast.AST]:
    """All that runs when the text is loaded, from top to bottom: the bodies of functions are left out."""
    found, stack = [], [ast.parse(source)]
    while stack:
        node = stack.pop()
        found.append(node)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            stack.extend(reversed(list(ast.iter_child_nodes(node))))
    return found


def _home(statement: ast.ImportFrom, package: str) -> str:
    """What stands between `from` and `import`, with leading dots resolved: `.scanner` in `json` is `json.scanner`."""
    return importlib.util.resolve_name("." * statement.level + (statement.module or ""), package)


# %%
_home(ast.parse("from .scanner import scan").body[0], "json")

# %% [markdown]
# ### The names that a text imports
#
# An `ast.Import` or `ast.ImportFrom` has a list `names`; each entry's `.name` is a text.
#
# | in package `json` | kind | names wanted |
# | --- | --- | --- |
# | `import math, os.path` | `ast.Import` | `math`, `os.path` |
# | `from .scanner import scan` | `ast.ImportFrom` | `json.scanner.scan` |
# | `from json import decoder as d` | `ast.ImportFrom` | `json.decoder` |
#
# So for `from`, a name is the home, a dot, and the entry's name. Write `imported_names`: go through
# `_statements(source)`, tell the two kinds apart with `isinstance`, use `_home` for the second. The
# names come in the order of the text. Seven lines suffice.

# %% nbgrader={"grade": false, "grade_id": "imported_names", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def imported_names(source: str, package: str = "") -> list[str]:
    """The dotted names that a text imports when it is loaded as a file of `package`, in the order of the text."""
    ### BEGIN SOLUTION
    names = []
    for statement in _statements(source):
        if isinstance(statement, ast.Import):
            names += [entry.name for entry in statement.names]
        elif isinstance(statement, ast.ImportFrom):
            names += [f"{_home(statement, package)}.{entry.name}" for entry in statement.names]
    return names
    ### END SOLUTION


# %%
imported_names(text, "json")

# %% nbgrader={"grade": true, "grade_id": "imported_names_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""Both kinds of import, in the order of the text, with what runs later left out."""
plain = imported_names("import numpy as np, os.path\nfrom json.decoder import JSONDecoder as D")
dots = imported_names("from .scanner import a, b\nfrom . import decoder", "json")
late = imported_names("def f():\n    import pdb\nif True:\n    import math")

assert imported_names("x = 1") == [], "a text without imports imports nothing"
assert plain == ["numpy", "os.path", "json.decoder.JSONDecoder"], f"the names as they are, before any `as`: {plain}"
assert dots == ["json.scanner.a", "json.scanner.b", "json.decoder"], f"every entry counts, and a dot is json: {dots}"
assert late == ["math"], f"pdb is imported only when f is called, math at once: {late}"

# %% nbgrader={"grade": true, "grade_id": "imported_names_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on two dots, on a star, inside `try` and inside a class, and on a text that does not compile."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

answer(imported_names("from ..b import c\nimport a.d as e\nfrom .f import *", "a.g"), about="two dots and a star")
guarded = "try:\n    import a\nexcept ImportError:\n    from b import c\nelse:\n    import d"
in_class = "class A:\n    import a\n    def f(self):\n        import b\nasync def g():\n    import c"
answer(imported_names(guarded), about="inside try")
answer(imported_names(in_class), about="inside a class")
answer(raised(lambda: imported_names("import = 3")), about="a text that does not compile")
### END HIDDEN TESTS

# %% [markdown]
# ### From texts to a graph
#
# A package is a folder. Each file in it is a **part**; `__init__.py` is the one that bears the
# package's own name. `json.scanner.scan` is a name in the part `json.scanner`; `json.decoder` is a
# part itself. The text does not tell which is which; the list of all parts does, and `_part` looks
# there. `_package` says in which package a part's text stands.

# %%
#| export
def _part(imported: str, parts: Iterable[str]) -> str | None:
    """The part that an imported name is, or else the part that it lies in; None if it is neither."""
    return next((name for name in (imported, imported.rpartition(".")[0]) if name in parts), None)


def _package(part: str, parts: Iterable[str]) -> str:
    """The package in which a part's text stands: itself, if other parts lie in it."""
    return part if any(other.startswith(part + ".") for other in parts) else part.rpartition(".")[0]


# %%
parts = ["json", "json.scanner"]
_part("json.scanner.scan", parts), _part("math", parts), _package("json.scanner", parts)

# %% [markdown]
# Write `dependencies`. It takes a dict from the name of each part to its text, `sources`. It
# returns a graph like `SIX`: the same keys in the same order, and beside each the parts that its
# text imports, in the order of the text, each once. What is no part, such as `math`, is left out;
# so is the part itself. Six lines suffice; `list(dict.fromkeys(names))` drops repetitions and keeps
# the order.

# %% nbgrader={"grade": false, "grade_id": "dependencies", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def dependencies(sources: dict[str, str]) -> dict[str, list[str]]:
    """Part -> the other parts that its text imports when it is loaded, each once, for a dict of part -> text."""
    ### BEGIN SOLUTION
    graph = {}
    for name, source in sources.items():
        found = dict.fromkeys(_part(each, sources) for each in imported_names(source, _package(name, sources)))
        graph[name] = [part for part in found if part not in (None, name)]
    return graph
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "dependencies_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""Parts only, each once, in the order of the text, and never the part itself."""
shop = {
    "shop": "from .till import Till\nfrom . import stock",
    "shop.till": "import math\nfrom .money import Euro, Cent\nimport shop.stock",
    "shop.stock": "def count():\n    import shop.till",
    "shop.money": "import shop.money, decimal",
}
graph = dependencies(shop)

assert list(graph) == list(shop), f"one key for each part, in the same order: {list(graph)}"
assert graph["shop"] == ["shop.till", "shop.stock"], f"shop imports its till and its stock, not {graph['shop']}"
assert graph["shop.till"] == ["shop.money", "shop.stock"], f"till: money once, then stock, not {graph['shop.till']}"
assert graph["shop.stock"] == [], f"the stock imports the till only inside a function, so not {graph['shop.stock']}"
assert graph["shop.money"] == [], f"a part is not its own parent: {graph['shop.money']}"

# %% nbgrader={"grade": true, "grade_id": "dependencies_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again on other texts: a package in a package, and two parts that import each other."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

deeper = {
    "a.b.c": "from ..b import d\nfrom .d import x, y\nimport a.b.e, a.b.d",
    "a.b": "from .c import *\nfrom .. import b\nimport z",
    "a.b.d": "import a.bb\nfrom a.b.e import f as g",
    "a.b.e": "try:\n    from . import d\nexcept ImportError:\n    d = None",
}
graph = dependencies(deeper)
answer(list(graph), about="the keys")
answer(graph, about="the parents")
answer(dependencies({}), about="no parts")
### END HIDDEN TESTS

# %% [markdown]
# ## 6. Use: a package you already have
#
# This given function reads an installed package: the text of every Python file in its folder.

# %%
#| export
def package_sources(package: str) -> dict[str, str]:
    """Part -> text, for each Python file in the folder of an installed package; the folders inside it are left out."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations or not spec.origin:
        raise ModuleNotFoundError(f"{package!r} is not an installed package: a folder with an __init__.py")
    names = {path: f"{package}.{path.stem}" for path in sorted(Path(spec.origin).parent.glob("*.py"))}
    names[Path(spec.origin)] = package
    return {name: path.read_text(encoding="utf-8") for path, name in names.items()}


# %% [markdown]
# A small one first. `json` reads and writes data as text. Which of its files needs no other?

# %%
dependencies(package_sources("json"))

# %% [markdown]
# Python reads and writes electronic mail with the package `email`: some twenty files, by many
# hands, over more than twenty years. Nobody drew this picture; the files did.

# %%
mail = dependencies(package_sources("email"))
draw_dependencies(mail, mail.get, label=lambda name: name.removeprefix("email."));

# %% [markdown]
# Choose a part, here `email.charset`. What breaks if its file is missing?

# %%
broken = reachable(["email.charset"], dependents(mail).get)
draw_dependencies(mail, mail.get, label=lambda name: name.removeprefix("email."), highlight=broken);

# %% [markdown]
# ### Is it true?
#
# A picture is a claim. The experiment: a second Python, told that one part does not exist, imports
# every part, one after the other, each time from a fresh start, and prints those that fail. We take
# away each of the parts in turn and compare with what `reachable` said. (The package `email` itself
# is not among them; why, is a question at the end.)

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
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


# %%
for missing in mail:
    if missing != "email":
        broken = reachable([missing], dependents(mail).get)
        assert break_it("email", missing, mail) == broken, f"without {missing} the experiment says otherwise"
        print(f"without {missing.removeprefix('email.'):22} {len(broken):2} of {len(mail)} break, as predicted")

# %% [markdown]
# ### A package with a cycle
#
# Not every package has an order. Before you run this: what will your function say about matplotlib,
# with which these pictures are drawn?

# %%
plots = dependencies(package_sources("matplotlib"))
try:
    topological_order(plots, plots.get)
except ValueError as error:
    print(error)

# %% [markdown]
# And yet it can be imported. When Python meets a module that is being loaded already, it hands out
# the half-built one and goes on. That works as long as nobody uses the missing half during the
# import. In `tinytorch`, as in `email`, there are no such cycles: where one would arise, the import
# moves into a function, and runs when everything is loaded.

# %% [markdown]
# ## 7. Use: this course
#
# The plan of the whole course: beside each module, those whose names its file in the package
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
    "attention": ["tensor", "activations", "layers"],
    "dataloader": ["tensor"],
    "autograd": ["activations", "attention", "introduction", "spatial", "tensor"],
    "optimizers": ["autograd", "tensor"],
    "training": ["activations", "autograd", "dataloader", "layers", "optimizers", "tensor"],
    "compression": ["tensor", "layers", "dense", "training"],
    "kernels": ["setup", "tensor", "spatial", "compression"],
    "benchmarking": ["setup", "tensor", "training"],
    "mlops": ["dense", "dataloader", "training", "benchmarking"],
    "capstone": ["spatial", "attention", "training", "compression", "kernels", "benchmarking", "mlops"],
}

# %% [markdown]
# At the beginning you asked for `tinytorch.core.training`. In colour: what it takes.

# %%
needed = reachable(["training"], COURSE.get)
draw_dependencies(COURSE, COURSE.get, highlight=needed);

# %% [markdown]
# And in what order. Compare with the numbers of the modules: is the course itself in a topological
# order?

# %%
print(" ".join(topological_order(["training"], COURSE.get)))
number = {name: k for k, name in enumerate(COURSE)}
early = [(node, parent) for node in COURSE for parent in COURSE[node] if number[node] < number[parent]]
assert early == [], f"these come before what they need: {early}"

# %% [markdown]
# Which module would hurt most? For each, how many of the seventeen break without it:

# %%
hurt = {name: len(reachable([name], dependents(COURSE).get)) for name in COURSE}
plt.figure(figsize=(7, 4), layout="constrained")
plt.barh(list(hurt)[::-1], list(hurt.values())[::-1], color="C3")
plt.xlabel("modules that break without it, itself included");

# %% [markdown]
# ## 8. Systems: what a walk costs
#
# Count first. `topological_order` opens each node once and asks for its parents once; every line
# puts one pair on the stack. With $n$ nodes, all of them roots, and $m$ lines that is $n$ questions
# and $n + m$ pairs to open, whatever the shape of the graph. The walk without a memory made $2^{21}
# - 1$ visits where $n = 21$ and $m = 40$.
#
# Check the count on graphs that nobody made for it.

# %%
def cost(graph):
    """(questions asked, parents received) by one topological_order over the whole graph."""
    asked = []
    topological_order(graph, lambda node: asked.append(len(graph[node])) or graph[node])
    return len(asked), sum(asked)


for name in ["json", "email", "asyncio"]:
    graph = dependencies(package_sources(name))
    asked, received = cost(graph)
    assert (asked, received) == (len(graph), sum(map(len, graph.values())))
    print(f"{name:8} {asked:3} questions {received:4} parents   longest chain {len(longest_chain(graph, graph.get)):3}")

# %% [markdown]
# If the count tells the whole story, then the time divided by nodes and lines is the same in a
# chain of a hundred as in one of a hundred thousand. And the recursive walk stops where it meets
# Python's limit of calls within calls, which is printed above the table. In which rows will it
# fail?

# %%
import timeit

print("calls within calls allowed:", sys.getrecursionlimit())
print("  nodes   recursive   topological_order")
for n in [100, 1_000, 10_000, 100_000]:
    letters = {k: [k - 1] if k else [] for k in range(n)}
    seconds = min(timeit.repeat("topological_order([n - 1], letters.get)", globals=globals(), number=1, repeat=3))
    try:
        recursive_order(n - 1, letters, [])
        outcome = "works"
    except RecursionError:
        outcome = "fails"
    print(f"{n:7,}   {outcome:9}   {1e6 * seconds / (2 * n - 1):6.2f} µs a node or line")

# %% [markdown]
# ### The chain that no helper shortens
#
# Thirty people build the course together, one module each, each module a week. The seventeen
# modules are seventeen weeks of work for one. The longest chain says how many weeks thirty need at
# least; work divided by chain says how many people can be busy on average. Look at the picture and
# guess the length, then run.

# %%
chain = longest_chain(COURSE, COURSE.get)
print(f"{len(COURSE)} modules, chain of {len(chain)}: {len(COURSE) / len(chain):.1f} people busy on average")
print(" -> ".join(chain))
assert len(chain) == 1 + max(levels(COURSE, COURSE.get).values())

# %% [markdown]
# The same division tells how much a processor with many cores can gain: it is why networks of a few
# wide layers run fast on one, and a network that reads letter by letter does not.

# %% [markdown]
# ## Reflect
#
# **1.** A network that reads a text of 20,000 letters makes, for each letter, 50 operations, each
# built from two earlier results, and the letters form a chain. From *your* table: about how long
# does `topological_order` take for the whole graph, and does a recursive walk get through it? Give
# the count of nodes and lines, the time you measured for one, and the result. At most five
# sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "cost_reflect", "locked": false, "points": 8, "schema_version": 3, "solution": true, "task": false}
# There are 20,000 * 50 = 1 million nodes and 2 million lines, 3 million together. At 0.5 µs each
# that is 1.5 seconds. The letters alone make a chain of at least 20,000 nodes, and my limit is
# 3,000 calls, so the recursive walk fails; the time plays no part in that.
#
# Rubric: 3 points for 3 million (1 for 1 million nodes alone); 3 for multiplying it by the time in
# their own table, with units, whatever the time; 2 for comparing the depth, at least 20,000, not
# the number of nodes, with the printed limit.

# %% [markdown]
# **2.** In the experiment we left one part out: `email` itself. What does `reachable` predict for
# it, and what does `break_it("email", "email", mail)` find? Run both. Which lines does the graph
# lack, and why could `imported_names` not find them in the text? At most four sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "email_reflect", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# Predicted is one part, `email` itself, since no part imports it; the experiment finds all 20. To
# import `email.charset` Python first loads the package `email` that it lies in. So `email` is a
# parent of each of the other 19, and the graph lacks these lines. No import statement says this: it
# is a rule of Python's import, which acts on the dot in the name.
#
# Rubric: 2 points for the two numbers, 1 and all of them (20 on Python 3.11 to 3.13); 2 for
# "loading a part loads its package first"; 2 for saying that the rule is not in the text of any
# file.

# %% [markdown]
# **3.** Two friends avoid `topological_order`. One sorts the nodes by their level, lowest first;
# the other by the number of their parents, fewest first. Which of the two is *always* a topological
# order? Give the reason for the one, and for the other a counter-example with at most four nodes.
# At most four sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "sorting_reflect", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# By level: always, because a node's level is at least one more than that of each of its parents, so
# every parent stands before it. By the number of parents: not always. With `a: []`, `b: []`, `c:
# [a, b]`, `d: [c]`, node `d` has one parent and `c` has two, so `d` comes before `c`, which it
# needs.
#
# Rubric: 2 points for the right choice; 2 for the reason, that the level of a parent is strictly
# lower; 2 for a counter-example in which a node with fewer parents needs one with more.

# %% [markdown]
# ## Summary
#
# Now exist: `dependencies` reads a graph from texts; `reachable`, `dependents`, `levels` and
# `longest_chain` question it; `topological_order` orders it at any depth or names the cycle;
# `draw_dependencies` shows it. Module 02 draws the recipe of a number, module 09 walks it
# backwards.
#
# It cannot yet say how fast this machine is, only count: module 01 builds the instruments. Save the
# notebook, then `tito check 00` and `tito complete 00`.
