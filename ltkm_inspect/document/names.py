"""The names of MSK documents: namespaces, media types, and what comes close to the name of the LTKM element."""

from html import escape

MSK_REQUEST_NS = "urn:3GPP:metadata:2005:MBMS:mskRequest"
"""Namespace of the MSK request (TS 26.346 §11.6)."""
MSK_RESPONSE_NS = "urn:3GPP:metadata:2005:MBMS:mskResponse"
"""Namespace of the MSK response (TS 26.346 §11.8)."""
ORDERQUERIES_NS = "urn:oma:xml:bcast:pr:orderqueries:1.0"
"""Namespace of the LTKM element (change request, Services §5.2.1.1)."""
LATER_ORDERQUERIES_NS = frozenset(f"urn:oma:xml:bcast:pr:orderqueries:1.{minor}" for minor in (1, 2, 3))
"""Namespaces of later enabler releases (OMNA)."""
XSI_NS = "http://www.w3.org/2001/XMLSchema-instance"

MSK_REQUEST_TYPE = "application/mbms-msk+xml"
"""Media type of the MSK request (TS 26.346 Annex C.8)."""
MSK_RESPONSE_TYPE = "application/mbms-msk-response+xml"
"""Media type of the MSK response (TS 26.346 Annex C.12)."""

LTKM_TAG = f"{{{ORDERQUERIES_NS}}}LTKM"
"""The expanded name of the LTKM element as lxml writes it."""

XML_SPACE = " \t\r\n"
"""White space of XML and of XML Schema; nothing else counts as space in an MSK document."""


def quoted(value: str) -> str:
    """Return the value of an attribute with its quotation marks, such that a parser reads that very value."""
    return '"' + escape(value, quote=False).translate(_IN_ATTRIBUTES) + '"'


_IN_ATTRIBUTES = str.maketrans({'"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"})

_BARE = "urn:oma:xml:bcast:pr:orderqueries"
_ACCEPTED = LATER_ORDERQUERIES_NS | {ORDERQUERIES_NS}

NEAR_MISSES = {
    "no-namespace": "no namespace",
    "undeclared-prefix": "a prefix that is not declared",
    "msk-response-namespace": "the namespace of the MSK response",
    "namespace-space": "the namespace name has white space",
    "namespace-case": "the namespace name differs in case",
    "namespace-http": "the namespace name written as a web address",
    "namespace-no-version": "the namespace name without its version",
    "namespace-oma-bcast": "a namespace name that begins with urn:oma:bcast",
    "other-namespace": "another namespace",
    "name-case": "the element name differs in case",
    "other-name": "another element name",
}
"""What each near miss of the LTKM element's name is, for people to read."""


def split_name(tag: str) -> tuple[str | None, str]:
    """The namespace (None for none) and the local name of a tag as lxml writes it."""
    if tag.startswith("{"):
        namespace, _, local = tag[1:].partition("}")
        return namespace, local
    return None, tag


def near_miss(namespace: str | None, local: str) -> str | None:
    """How a name misses that of the LTKM element: a key of NEAR_MISSES, or None if it does not.

    A later orderqueries namespace is no miss here. Where both the namespace and the local name miss, the namespace is
    named. A recovered document keeps an undeclared prefix in the local name; that is a near miss of its own.
    """
    if namespace is None and ":" in local and local.rpartition(":")[2].lower() == "ltkm":
        return "undeclared-prefix"
    if local.lower() != "ltkm":
        return "other-name"
    if namespace not in _ACCEPTED:
        return _namespace_miss(namespace)
    return None if local == "LTKM" else "name-case"


def _namespace_miss(namespace: str | None) -> str:
    if not namespace:
        return "no-namespace"
    if namespace == MSK_RESPONSE_NS:
        return "msk-response-namespace"
    bare = "".join(namespace.split())
    if bare in _ACCEPTED:
        return "namespace-space"
    lower = bare.lower()
    if lower in _ACCEPTED:
        return "namespace-case"
    if lower.startswith(("http:", "https:")) and "orderqueries" in lower:
        return "namespace-http"
    if lower.rstrip(":") == _BARE:
        return "namespace-no-version"
    if lower.startswith("urn:oma:bcast:"):
        return "namespace-oma-bcast"
    return "other-namespace"
