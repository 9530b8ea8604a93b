"""What ltkm-inspect writes into the metadata of a flow about faults."""

import re
from collections.abc import Mapping
from typing import Any

from ltkm_inspect.capture.tnetstring import TABLE, Part, UnusualError, value

FAULT = "ltkm_fault"
"""The key in the metadata of a flow for the faults that were put into it: a list, as typed."""
DATAGRAM_FAULTS = "ltkm_datagram_faults"
"""The same of a UDP flow: by the number of the message, as text, the faults that were put into it."""

_NUMBER = re.compile(r"[0-9]{1,9}").fullmatch


def metadata_of(record: bytes, metadata: Part) -> Mapping[str, Any]:
    """Return the metadata in a record."""
    if metadata[0] != TABLE:
        raise UnusualError("expected metadata by name")
    found: Mapping[str, Any] = value(record, metadata) if metadata[1] < metadata[2] else {}
    return found


def faults_of(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the faults that the metadata of a flow names, even if another program wrote it."""
    return _texts(metadata.get(FAULT))


def datagram_faults_of(metadata: Mapping[str, Any], messages: int) -> Mapping[int, tuple[str, ...]]:
    """Return the faults of the messages of a UDP flow by their number; if it does not say of which, all have them."""
    found = metadata.get(DATAGRAM_FAULTS)
    if isinstance(found, dict):
        return {int(key): _texts(each) for key, each in found.items() if _NUMBER(str(key))}
    faults = faults_of(metadata)
    return dict.fromkeys(range(1, messages + 1), faults) if faults else {}


def _texts(found: Any) -> tuple[str, ...]:
    if not found:
        return ()
    return tuple(map(str, found)) if isinstance(found, list | tuple) else (str(found),)
