"""A `cached_property` that is quicker at its first call, of which every exchange makes some fifty."""

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from functools import cached_property as cached_property
else:

    class cached_property(functools.cached_property):  # noqa: N801  # the name of what it stands in for
        """Works out an attribute when it is first asked for, and keeps it in the dict of its object.

        The one of the library looks first whether the dict has the value. There is no need to: once the value is in the
        dict, Python takes it from there and does not ask again.
        """

        def __get__(self, instance: Any, owner: type[Any] | None = None) -> Any:
            """Work it out and keep it; asked on the class, it is the attribute itself."""
            if instance is None:
                return self
            value = instance.__dict__[self.attrname] = self.func(instance)
            return value
