"""The fixtures of the tests on the loopback: the BSM, and what the tests of the addon have as well."""

from collections.abc import Iterator

import pytest

from tests.loopback.bsm import Bsm
from tests.proxy.conftest import save

__all__ = ["bsm", "save"]


@pytest.fixture(scope="module")
def bsm() -> Iterator[Bsm]:
    """A BSM that serves the tests of one module."""
    with Bsm() as server:
        yield server
