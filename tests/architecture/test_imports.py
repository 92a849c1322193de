import ast
import importlib.util
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGES = ["cwm", "mcts", "sandbox", "envs", "prompts", "planners"]


def module_names() -> Iterator[str]:
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        assert spec is not None
        yield package
        locations = list(spec.submodule_search_locations or [])
        for found in pkgutil.walk_packages(locations, prefix=f"{package}."):
            yield found.name


PROGRAM = """
import importlib, sys
failed = False
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except BaseException as error:
        print(f"{name}: {type(error).__name__}: {error}", flush=True)
        failed = True
sys.exit(failed)
"""


def test_every_module_can_be_imported() -> None:
    names = [name for name in module_names() if not name.endswith("__main__")]
    assert len(names) > 20
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *names],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def imported_at_once(source: str, known: set[str]) -> set[str]:
    """Returns which modules a module needs before its own first line is done."""
    found: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting += node.orelse
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        waiting += ast.iter_child_nodes(node)
    return found & known


def cycle_in(imports: dict[str, set[str]]) -> list[str]:
    """Returns modules that import each other in turn; empty if there are none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


def test_every_module_can_be_the_first_one_imported() -> None:
    # Where modules import each other in a circle, the order decides who fails.
    sources = {}
    for name in module_names():
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        sources[name] = Path(spec.origin).read_text(encoding="utf-8")
    known = set(sources)
    imports = {name: imported_at_once(text, known) for name, text in sources.items()}
    assert sum(map(len, imports.values())) > len(imports)
    assert cycle_in(imports) == []


def test_modules_that_import_each_other_are_found() -> None:
    known = {"a", "b", "b.part", "c"}
    imports = {
        "a": imported_at_once("from b import part", known),
        "b": set(),
        "b.part": imported_at_once("class C:\n    import c", known),
        "c": imported_at_once("try:\n    import a\nexcept ImportError: pass", known),
    }
    assert set(cycle_in(imports)) == {"a", "b.part", "c"}


def test_what_is_imported_later_makes_no_circle() -> None:
    later = "if TYPE_CHECKING:\n    import a\ndef f():\n    import a"
    assert imported_at_once(later, {"a"}) == set()


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("cwm", "numpy"),
        ("cwm.core.errors", "numpy"),
        ("cwm.__main__", "numpy"),
        ("mcts", "networkx"),
        ("cwm.core.trajectories", "gymnasium"),
        ("cwm.synthesis.loop", "gymnasium"),
        ("cwm.runs.command", "scipy"),
    ],
)
def test_importing_a_light_module_imports_nothing_heavy(
    module: str, unwanted: str
) -> None:
    program = f"import sys, {module}; sys.exit({unwanted!r} in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == 0, f"{module} imports {unwanted}"


def test_the_import_contracts_hold() -> None:
    pytest.importorskip("importlinter", reason="import-linter is not installed")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command;lint_imports_command()",
            "--no-cache",
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_command_modules_see_both_the_environments_and_the_search() -> None:
    grimp = pytest.importorskip("grimp", reason="import-linter is not installed")
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)

    def imports_from(module: str, package: str) -> bool:
        return any(
            found == package or found.startswith(f"{package}.")
            for found in graph.find_modules_directly_imported_by(module)
        )

    both = {
        module
        for module in graph.modules
        if imports_from(module, "envs") and imports_from(module, "cwm.synthesis")
    }
    commands = {"cwm.synthesize", "cwm.evaluate", "cwm.replay", "cwm.config"}
    # They act in the environment between or after searches on recorded data.
    assert both <= commands | {"cwm.online", "cwm.benchmark.cells"}
