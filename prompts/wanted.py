"""What a program must define, and whether it does."""

import ast
import re
from dataclasses import dataclass
from functools import cached_property

from cwm.core.proposals import ProgramInterface
from prompts.syntax import classes_with

ENTRY_POINT = "Environment"
"""The class that a world model must define."""

_METHODS = ("set_state", "step")
"""Methods by which a world model is known, whatever its name."""


@dataclass(frozen=True)
class Wanted:
    """The class or function that a program must define.

    Attributes:
        name: Its name; `""` if any program will do.
        is_class: Whether it is a class.
    """

    name: str
    is_class: bool

    @classmethod
    def of(cls, program: ProgramInterface | None) -> "Wanted":
        """Returns what a task wants; without an interface it is a world model."""
        if program is None:
            return cls(name=ENTRY_POINT, is_class=True)
        owner, _, function = program.function.rpartition(".")
        return cls(name=owner or function, is_class=bool(owner))

    @property
    def label(self) -> str:
        """What it is called in messages."""
        return f"{'class' if self.is_class else 'function'} {self.name}"

    @cached_property
    def _pattern(self) -> str:
        keyword = "class" if self.is_class else r"(?:async[ \t]+)?def"
        name = re.escape(self.name)
        return rf"(?:{keyword}[ \t]+{name}\b|{name}[ \t]*=[^=])"

    def stands_in(self, source: str) -> bool:
        """Whether a line of the source defines it at module level."""
        return not self.name or bool(
            re.search(rf"^{self._pattern}", source, re.MULTILINE)
        )

    def is_hinted_at(self, source: str) -> bool:
        """Likewise, if the source were without indentation, prompts and the like."""
        return not self.name or bool(
            re.search(rf"^[ \t>.\d|:]*{self._pattern}", source, re.MULTILINE)
        )

    def num_definitions(self, tree: ast.Module) -> int:
        """Returns how often a module defines it; 1 if any program will do."""
        if not self.name:
            return 1
        kinds = (
            (ast.ClassDef,)
            if self.is_class
            else (ast.FunctionDef, ast.AsyncFunctionDef)
        )
        count = sum(
            isinstance(node, kinds) and node.name == self.name for node in tree.body
        )
        return count or int(any(self._is_assigned(node) for node in tree.body))

    def is_complete(self, tree: ast.Module) -> bool:
        """Whether a world model defines its methods in its own body."""
        return self.name != ENTRY_POINT or ENTRY_POINT in classes_with(tree, _METHODS)

    def _is_assigned(self, node: ast.stmt) -> bool:
        return isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == self.name
            for target in node.targets
        )

    def absence(self, tree: ast.Module | None) -> str:
        """Returns the reason why a source without it is none."""
        text = f"The code block does not define {self.label} at module level."
        if tree is None or self.name != ENTRY_POINT:
            return text
        others = classes_with(tree, _METHODS)
        if len(others) == 1:
            text += (
                f" Its class {others[0][:80]} has set_state and step: name it "
                f"{ENTRY_POINT}."
            )
        return text
