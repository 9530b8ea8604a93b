import pytest

from ltkm_inspect.document import MSK_RESPONSE_NS, NEAR_MISSES, ORDERQUERIES_NS, split_name
from ltkm_inspect.document.names import near_miss

CASES = [
    (ORDERQUERIES_NS, "LTKM", None),
    ("urn:oma:xml:bcast:pr:orderqueries:1.1", "LTKM", None),
    ("urn:oma:xml:bcast:pr:orderqueries:1.3", "LTKM", None),
    (None, "LTKM", "no-namespace"),
    ("", "LTKM", "no-namespace"),
    (None, "bcast:LTKM", "undeclared-prefix"),
    (MSK_RESPONSE_NS, "LTKM", "msk-response-namespace"),
    (" urn:oma:xml:bcast:pr:orderqueries:1.0", "LTKM", "namespace-space"),
    ("urn:oma:xml:bcast:pr:orderqueries:1.0\n", "LTKM", "namespace-space"),
    ("urn:OMA:xml:bcast:pr:orderQueries:1.0", "LTKM", "namespace-case"),
    ("http://oma.example/xml/bcast/pr/orderqueries:1.0", "LTKM", "namespace-http"),
    ("HTTPS://urn:oma:xml:bcast:pr:orderqueries:1.0", "LTKM", "namespace-http"),
    ("urn:oma:xml:bcast:pr:orderqueries", "LTKM", "namespace-no-version"),
    ("urn:oma:xml:bcast:pr:orderqueries:", "LTKM", "namespace-no-version"),
    ("urn:oma:bcast:pr:orderqueries:1.0", "LTKM", "namespace-oma-bcast"),
    ("urn:oma:xml:bcast:pr:orderqueries:2.0", "LTKM", "other-namespace"),
    ("urn:oma:xml:bcast:sg:fragments:1.0", "LTKM", "other-namespace"),
    (ORDERQUERIES_NS, "ltkm", "name-case"),
    ("urn:oma:xml:bcast:pr:orderqueries:1.2", "Ltkm", "name-case"),
    (None, "ltkm", "no-namespace"),
    (ORDERQUERIES_NS, "Key", "other-name"),
]


@pytest.mark.parametrize(("namespace", "local", "miss"), CASES)
def test_a_near_miss_is_named_by_what_misses(namespace: str | None, local: str, miss: str | None) -> None:
    assert near_miss(namespace, local) == miss


def test_every_near_miss_is_described_and_occurs() -> None:
    assert {miss for _, _, miss in CASES} - {None} == set(NEAR_MISSES)


def test_a_tag_splits_into_namespace_and_local_name() -> None:
    assert split_name(f"{{{ORDERQUERIES_NS}}}LTKM") == (ORDERQUERIES_NS, "LTKM")
    assert split_name("LTKM") == (None, "LTKM")
