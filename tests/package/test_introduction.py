"""The graph functions against graphlib, against what Python's own import does, and on graphs that nobody drew."""

import ast
import graphlib
import itertools
import os
import random
import subprocess
import sys

import jupytext
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinytorch
from tinytorch.core.introduction import (
    dependencies,
    dependents,
    describe_cycle,
    draw_dependencies,
    imported_names,
    levels,
    longest_chain,
    package_sources,
    positions,
    reachable,
    topological_order,
)


@st.composite
def graphs(draw, cycles=False):
    """A dict graph whose keys and parents come in any order; without cycles unless they are asked for."""
    size = draw(st.integers(0, 12))
    names = draw(st.permutations([f"n{k}" for k in range(size)]))
    below = {name: names if cycles else names[:k] for k, name in enumerate(names)}
    lines = {name: draw(st.lists(st.sampled_from(below[name]), max_size=4)) if below[name] else [] for name in names}
    return {name: lines[name] for name in draw(st.permutations(names))}


class Node:
    """A node like a tensor: told apart by identity, and never to be compared."""

    def __init__(self, *parents):
        self.parents = parents

    __hash__ = object.__hash__

    def __eq__(self, other):
        raise TypeError("two nodes were compared")


@given(graphs())
def test_in_the_order_every_node_comes_once_and_after_its_parents(graph):
    order = topological_order(graph, graph.get)
    assert sorted(order) == sorted(graph)
    place = {node: k for k, node in enumerate(order)}
    assert all(place[parent] < place[node] for node in graph for parent in graph[node])


@given(graphs(), st.randoms())
def test_the_order_of_some_roots_holds_what_they_reach_and_no_more(graph, chance):
    roots = chance.sample(sorted(graph), k=len(graph) // 2)
    assert set(topological_order(roots, graph.get)) == reachable(roots, graph.get)


@given(graphs(cycles=True))
def test_a_cycle_is_reported_exactly_where_graphlib_finds_one(graph):
    try:
        list(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError:
        with pytest.raises(ValueError, match=r"^cycle: ") as caught:
            topological_order(graph, graph.get)
        steps = str(caught.value).removeprefix("cycle: ").split(" -> ")
        assert steps[0] == steps[-1]
        assert len(set(steps)) == len(steps) - 1
        assert all(parent in graph[node] for node, parent in itertools.pairwise(steps))
    else:
        assert sorted(topological_order(graph, graph.get)) == sorted(graph)


@given(graphs(cycles=True))
def test_what_is_reachable_is_closed_and_minimal(graph):
    for root in graph:
        found = reachable([root], graph.get)
        assert root in found
        assert all(parent in found for node in found for parent in graph[node])
        for node in found - {root}:
            assert any(node in graph[other] for other in found)


@given(graphs(cycles=True))
def test_a_breaks_b_where_b_needs_a(graph):
    turned = dependents(graph)
    for a, b in itertools.product(graph, repeat=2):
        assert (b in reachable([a], turned.get)) == (a in reachable([b], graph.get))


@given(graphs())
def test_turning_round_keeps_every_line_and_its_count(graph):
    lines = sorted((parent, node) for node, parents in graph.items() for parent in parents)
    assert sorted((node, user) for node, users in dependents(graph).items() for user in users) == lines


@given(graphs())
def test_the_first_parent_goes_first(graph):
    def visit(node, order):
        for parent in graph[node]:
            visit(parent, order)
        if node not in order:
            order.append(node)
        return order

    order = []
    for root in graph:
        visit(root, order)
    assert topological_order(graph, graph.get) == order


@pytest.mark.parametrize("walk", [reachable, topological_order, levels, longest_chain])
def test_a_chain_of_a_hundred_thousand_is_not_too_deep(walk):
    assert len(walk([99_999], lambda k: [k - 1] if k else [])) == 100_000


@pytest.mark.parametrize("walk", [reachable, topological_order])
def test_each_node_is_asked_once_for_its_parents(walk):
    asked = []
    walk([200, 150], lambda k: asked.append(k) or [j for j in (k - 1, k - 1, k // 2) if k and j >= 0])
    assert sorted(asked) == list(range(201))


@pytest.mark.parametrize("walk", [reachable, topological_order, levels, longest_chain])
def test_no_roots_give_nothing(walk):
    assert len(walk([], lambda node: [])) == 0


@pytest.mark.parametrize("kind", [list, tuple, set, dict.fromkeys, iter], ids=lambda kind: kind.__name__)
def test_roots_may_be_any_iterable_and_so_may_parents(kind):
    assert topological_order(kind(["a"]), lambda node: iter("b") if node == "a" else iter(())) == ["b", "a"]


def test_objects_that_refuse_to_be_compared_are_ordered_by_identity():
    x, w = Node(), Node()
    product = Node(x, w)
    total = Node(product, x, product)
    order = topological_order([total], lambda node: node.parents)
    assert [id(node) for node in order] == [id(node) for node in (x, w, product, total)]
    assert {id(node) for node in reachable([total], lambda node: node.parents)} == {id(node) for node in order}


@pytest.mark.parametrize(
    ("path", "node", "text"),
    [
        ("abc", "b", "b -> c -> b"),
        ([1], 1, "1 -> 1"),
        ({"x": 0, "y": 1}, "x", "x -> y -> x"),
        (iter("ab"), "b", "b -> b"),
    ],
)
def test_a_cycle_is_described_from_its_first_node_to_the_same_again(path, node, text):
    assert describe_cycle(path, node) == text


@given(graphs())
def test_a_level_is_the_length_of_the_longest_way_down(graph):
    def ways(node):
        return [[*way, node] for parent in set(graph[node]) for way in ways(parent)] or [[node]]

    level = levels(graph, graph.get)
    for node in itertools.islice(graph, 6):
        assert level[node] == max(map(len, ways(node))) - 1


@given(graphs())
def test_the_longest_chain_is_made_of_lines_and_reaches_the_top(graph):
    chain = longest_chain(graph, graph.get)
    assert all(parent in graph[node] for parent, node in itertools.pairwise(chain))
    assert len(chain) == 1 + max(levels(graph, graph.get).values(), default=-1)


@given(graphs())
def test_no_two_nodes_share_a_place_and_every_level_is_centred(graph):
    level = levels(graph, graph.get)
    at = positions(level)
    assert len(set(at.values())) == len(level)
    assert all(at[node][0] == level[node] for node in level)
    for x in set(level.values()):
        heights = sorted(y for place, y in at.values() if place == x)
        assert sum(heights) == 0
        assert all(above - below == 1 for below, above in itertools.pairwise(heights))


@pytest.mark.parametrize(
    ("text", "package", "names"),
    [
        ("", "", []),
        ("import a.b as c, d", "", ["a.b", "d"]),
        ("from a import b as c, d", "", ["a.b", "a.d"]),
        ("from . import x", "p", ["p.x"]),
        ("from .y import x", "p.q", ["p.q.y.x"]),
        ("from ..y import *", "p.q", ["p.y.*"]),
        ("try:\n import a\nexcept E:\n import b\nfinally:\n import c", "", ["a", "b", "c"]),
        ("with x:\n for y in z:\n  import a\nclass A:\n import b", "", ["a", "b"]),
        ("def f():\n import a\nasync def g():\n import b\nclass A:\n def h(self):\n  import c", "", []),
        ("match x:\n case 1:\n  import a", "", ["a"]),
        ("'import a'  # import b", "", []),
    ],
)
def test_imported_names_are_those_of_the_statements_that_run_on_loading(text, package, names):
    assert imported_names(text, package) == names


def test_a_text_that_does_not_compile_is_a_syntax_error():
    with pytest.raises(SyntaxError):
        imported_names("import")


def test_a_module_imported_by_either_spelling_is_the_same_part():
    texts = ["from . import a", "from .a import x", "from p import a", "import p.a", "from p.a import x, y"]
    graph = dependencies({"p": "", "p.a": "", **{f"p.b{k}": text for k, text in enumerate(texts)}})
    assert all(graph[f"p.b{k}"] == ["p.a"] for k in range(len(texts)))


@given(graphs(cycles=True))
def test_dependencies_read_back_the_graph_that_was_written_as_imports(graph):
    sources, wanted = {}, {}
    for node, parents in graph.items():
        sources[f"p.{node}"] = "\n".join(f"from .{parent} import x" for parent in parents)
        wanted[f"p.{node}"] = [f"p.{parent}" for parent in dict.fromkeys(parents) if parent != node]
    assert dependencies(sources) == wanted


@pytest.mark.parametrize("package", ["json", "email", "asyncio"])
def test_python_has_loaded_every_part_that_the_graph_says_is_needed(package):
    graph = dependencies(package_sources(package))
    command = [sys.executable, "-c", f"import sys, {package}; print(*sys.modules)"]
    loaded = set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    elsewhere = {name for name in graph if "windows" in name or "unix" in name}  # asyncio chooses one with an `if`
    assert reachable([package], graph.get) - elsewhere - reachable(elsewhere, graph.get) <= loaded


def test_the_package_itself_is_a_part_and_reads_no_folder_inside():
    sources = package_sources("matplotlib")
    assert "matplotlib" in sources
    assert "matplotlib.pyplot" in sources
    assert all(name.count(".") <= 1 for name in sources)


@pytest.mark.parametrize("name", ["no_such_package_anywhere", "graphlib", "sys"])
def test_what_is_no_installed_package_is_refused_by_name(name):
    with pytest.raises(ModuleNotFoundError, match=name):
        package_sources(name)


def test_the_same_graph_gives_the_same_order_whatever_the_hash_seed():
    script = (
        "from tinytorch.core.introduction import *;"
        "g = dependencies(package_sources('email')); print(topological_order(g, g.get), longest_chain(g, g.get))"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2", "3")
    }  # fmt: skip
    assert len(runs) == 1


def test_loading_the_module_does_not_load_matplotlib():
    script = "import sys, tinytorch.core.introduction; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.fixture
def plt():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")


def test_a_drawing_shows_every_node_once_and_marks_those_asked_for(plt):
    graph = {"a": [], "b": ["a"], "c": ["b", "a", "a"], "d": ["a"]}
    ax = draw_dependencies(["c", "d"], graph.get, label=str.upper, highlight={"b", "c"})
    assert sorted(text.get_text() for text in ax.texts) == ["A", "B", "C", "D"]
    edges = {text.get_text(): text.get_bbox_patch().get_edgecolor() for text in ax.texts}
    assert edges["B"] == edges["C"] != edges["A"] == edges["D"]


def test_every_line_of_a_drawing_runs_from_left_to_right_and_none_behind_a_box(plt):
    graph = dependencies(package_sources("email"))
    ax = draw_dependencies(graph, graph.get)
    boxes = {text.get_position() for text in ax.texts}
    for line in ax.lines:
        x, y = line.get_data()
        assert x[-1] - x[0] == 1
        assert not boxes & set(zip(x[1:-1], y[1:-1], strict=True))


@pytest.mark.parametrize("roots", [[], ["a"]])
def test_a_drawing_of_next_to_nothing_is_drawn_too(plt, roots):
    ax = draw_dependencies(roots, lambda node: [])
    ax.figure.canvas.draw()
    assert len(ax.texts) == len(roots)


def test_objects_can_be_drawn(plt):
    x = Node()
    square = Node(x, x)
    ax = draw_dependencies([square], lambda node: node.parents, label=lambda node: "x * x" if node.parents else "x")
    assert sorted(text.get_text() for text in ax.texts) == ["x", "x * x"]


@pytest.fixture(scope="module")
def course():
    """The plan of the course, as the notebook states it."""
    root = os.path.dirname(os.path.dirname(tinytorch.__file__))
    notebook = jupytext.read(os.path.join(root, "modules", "00_introduction.py"), fmt="py:percent")
    (text,) = [cell.source for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == "course"]
    return ast.literal_eval(text.partition("=")[2].strip())


def test_the_plan_of_the_course_is_in_the_order_of_its_numbers(course):
    assert tuple(course) == tinytorch.MODULES
    for number, name in enumerate(course):
        assert all(tinytorch.MODULES.index(parent) < number for parent in course[name])


def test_what_the_built_modules_import_is_in_the_plan(course):
    built = dependencies(package_sources("tinytorch.core"))
    del built["tinytorch.core"]
    for part, parents in built.items():
        name, *needed = (each.removeprefix("tinytorch.core.") for each in (part, *parents))
        assert set(needed) <= reachable([name], course.get), f"{name} imports what the plan in module 00 does not say"


def test_a_shuffled_course_is_put_in_order(course):
    names = list(course)
    random.Random(0).shuffle(names)
    order = topological_order(names, course.get)
    assert all(order.index(parent) < order.index(name) for name in course for parent in course[name])
