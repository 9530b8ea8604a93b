"""A fault trips the same rules however the document is written that it is put into."""

from itertools import batched

import pytest
from hypothesis import given, settings

from ltkm_inspect import reference
from ltkm_inspect.catalogue import load
from ltkm_inspect.context import Context, Settings
from ltkm_inspect.engine import inject, inspect
from ltkm_inspect.fault import FAULTS, Application
from ltkm_inspect.keys import KeyRing
from ltkm_inspect.reference import FIRST, KEYS, SECOND
from ltkm_inspect.rule import RULES
from ltkm_inspect.session import OpenedLtkm
from tests.engine.written import STYLES, Style, Written, written

load()
OTHERWISE = {"download": ([FIRST], False), "several-keys": ([FIRST, SECOND], False), "plain-mbms": ([FIRST], True)}
"""The references that are one exchange with keys granted: what is granted, and whether it comes without LTKMs."""
IDS = [id for id, fault in FAULTS.items() if fault.reference in OTHERWISE]


def otherwise(name: str, style: Style) -> Written:
    """Return the document of a reference in another style."""
    grants, bare = OTHERWISE[name]
    return written(style, grants, bare=bare)


@given(style=STYLES)
def test_a_clean_reference_trips_nothing_however_it_is_written(style: Style) -> None:
    for name in OTHERWISE:
        exchange = otherwise(name, style).put_into(reference.reference(name)[0])
        assert [finding.line for finding in inspect(exchange, Context(Settings(debug=True))).findings] == []


@pytest.mark.parametrize("ids", [*batched(IDS, 10)], ids=lambda ids: ids[0])
@given(style=STYLES)
@settings(max_examples=5)
def test_a_fault_trips_the_rules_it_declares_however_the_document_is_written(
    ids: tuple[str, ...], style: Style
) -> None:
    documents = {name: otherwise(name, style) for name in {FAULTS[id].reference for id in ids}}
    for id in ids:
        if id == "drop-prefix" and not style.prefix:
            continue  # there is none to drop
        assert_trips_what_it_declares(id, documents[FAULTS[id].reference])


def assert_trips_what_it_declares(id: str, document: Written) -> None:
    """Assert that a fault in a document breaks the rules that it declares and no others."""
    fault = FAULTS[id]
    for keys in (KEYS, KeyRing()):
        if not keys and fault.on is OpenedLtkm:
            continue
        exchange = document.put_into(reference.reference(fault.reference)[0])
        # the digest of the reference is over its own document
        context = Context(Settings(debug=True, ignore=frozenset({"response-digest-wrong"})), keys)
        found = set(inspect(inject(exchange, [Application(fault)], context), context).rules)
        expected = {rule for rule in fault.trips if keys or not RULES[rule].is_keyed}
        expected.discard("response-digest-wrong")
        if id == "declare-encoding" and not document.octets.isascii():
            expected.add("xml-malformed")  # what is no ASCII cannot be read in another encoding
            found.add("xml-malformed")
        assert found == expected, id
