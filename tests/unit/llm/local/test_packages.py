"""What local models say when their packages are missing."""

import sys
import tomllib
from pathlib import Path

import pytest

from cwm.core.errors import PrerequisiteError
from cwm.llm.local.model import TransformersModel
from cwm.llm.local.packages import REQUIREMENTS, LazyPackage, require_packages

ROOT = Path(__file__).parents[4]


def test_the_install_line_asks_for_what_the_extra_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extra = project["project"]["optional-dependencies"]["local"]
    assert extra == sorted(REQUIREMENTS.values())


def test_importing_a_local_model_imports_none_of_its_packages() -> None:
    names = [path.stem for path in (ROOT / "cwm" / "llm" / "local").glob("[a-z]*.py")]
    assert len(names) > 5
    imports = ", ".join(f"cwm.llm.local.{name}" for name in names)
    program = f"import sys, {imports}; sys.exit('torch' in sys.modules)"
    import_only(program)


def import_only(program: str) -> None:
    import subprocess  # noqa: PLC0415

    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("package", ["torch", "transformers"])
def test_a_missing_package_is_named_with_the_install_line(
    monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    for name in REQUIREMENTS:
        monkeypatch.setitem(sys.modules, name, None if name == package else sys)
    with pytest.raises(PrerequisiteError) as caught:
        TransformersModel.from_hub_or_folder("someone/some-model")
    assert str(caught.value) == (
        f"Local models need the package {package}, of the extra [local]. Run: pip "
        "install 'torch>=2.8,<2.14' 'transformers>=5.0' 'accelerate>=1.10' "
        "'gguf>=0.17' 'peft>=0.17'"
    )


@pytest.mark.parametrize("package", ["gguf", "accelerate"])
def test_some_packages_are_needed_for_gguf_files_only(
    monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    for name in REQUIREMENTS:
        monkeypatch.setitem(sys.modules, name, None if name == package else sys)
    require_packages(gguf=False)
    with pytest.raises(PrerequisiteError, match=f"need the package {package}"):
        TransformersModel.from_gguf("model.gguf")


def test_one_package_is_needed_for_training_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in REQUIREMENTS:
        monkeypatch.setitem(sys.modules, name, None if name == "peft" else sys)
    require_packages(gguf=True)
    with pytest.raises(PrerequisiteError, match="need the package peft"):
        require_packages(gguf=False, training=True)


def test_a_package_is_imported_at_the_first_look() -> None:
    package = LazyPackage("math")
    assert package.sqrt(9.0) == 3.0
    missing = LazyPackage("a_package_that_nobody_has")
    with pytest.raises(PrerequisiteError, match="a_package_that_nobody_has"):
        _ = missing.anything
