"""The table of hostile forms."""

from functools import cache

from tests.hostile import _codings, _documents, _headers, _identities, _messages
from tests.hostile._form import Form


@cache
def table() -> dict[str, Form]:
    """Return every form by its name."""
    found: dict[str, Form] = {}
    for module in (_messages, _documents, _headers, _codings, _identities):
        for form in module.forms():
            if form.name in found:
                raise ValueError(f"two forms are called {form.name}")
            found[form.name] = form
    return found


def selected(words: list[str]) -> list[Form]:
    """Return the forms whose name holds one of these words, in lower or upper case; every form without a word."""
    lower = [word.lower() for word in words]
    return [form for name, form in table().items() if not lower or any(word in name.lower() for word in lower)]
