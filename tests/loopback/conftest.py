"""The fixtures of the tests on the loopback: the BSM, and the mitmdump that the tests of the addon have as well."""

from collections.abc import Iterator

import pytest

from tests.loopback.bsm import Bsm
from tests.proxy.conftest import mitmdump, save

__all__ = ["bsm", "mitmdump", "save"]


@pytest.fixture(scope="module")
def bsm() -> Iterator[Bsm]:
    """A BSM that serves the tests of one module."""
    with Bsm() as server:
        yield server
