import importlib.util
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
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


# A cycle shows only when the import begins in the right place, so before each import
# everything of ours is forgotten. Other packages stay: they would take minutes.
PROGRAM = """
import importlib, sys
failed = False
for name in sys.argv[2:]:
    for known in list(sys.modules):
        if known.partition(".")[0] in sys.argv[1].split():
            del sys.modules[known]
    try:
        importlib.import_module(name)
    except BaseException as error:
        print(f"{name}: {type(error).__name__}: {error}", flush=True)
        failed = True
sys.exit(failed)
"""


def test_every_module_can_be_the_first_one_imported() -> None:
    names = [name for name in module_names() if not name.endswith("__main__")]
    assert len(names) > 20
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, " ".join(PACKAGES), *names],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("cwm", "numpy"),
        ("cwm.core.errors", "numpy"),
        ("cwm.__main__", "numpy"),
        ("mcts", "networkx"),
        ("cwm.core.trajectories", "gymnasium"),
        ("cwm.synthesis.loop", "gymnasium"),
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
