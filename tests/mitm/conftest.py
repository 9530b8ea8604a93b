"""The fixtures that these tests share with those of the addon."""

from tests.proxy.conftest import mitmdump, save

__all__ = ["mitmdump", "save"]
