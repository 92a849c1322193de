"""What tests of the installed product share."""

import pytest

from tests.support.installed import Installed


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """An environment with the wheel, made once for all tests of it."""
    return Installed(tmp_path_factory.mktemp("walk"))
