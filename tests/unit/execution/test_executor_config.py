"""Where a command does its work."""

import pytest

from cwm.core.errors import ConfigError
from cwm.execution.executor_config import ExecutorConfig


@pytest.mark.parametrize("address", [None, "auto", "10.0.0.1:6379", "head:6379"])
def test_addresses_of_clusters_are_taken(address: str | None) -> None:
    assert ExecutorConfig(executor="ray", ray_address=address).is_ray


@pytest.mark.parametrize("address", ["ray://head:10001", "head", "head:", ""])
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="ray_address must be HOST:PORT or auto"):
        ExecutorConfig(executor="ray", ray_address=address)


def test_an_address_without_its_executor_is_refused() -> None:
    with pytest.raises(ConfigError, match="Give --executor ray"):
        ExecutorConfig(ray_address="auto")
