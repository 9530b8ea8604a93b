"""The fixtures that these tests share with those of the addon."""

from tests.proxy.conftest import save

__all__ = ["save"]
