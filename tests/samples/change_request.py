"""The change request's own example response, as it is printed there and as it has to be for a terminal to read it."""

import base64
from collections.abc import Sequence
from dataclasses import replace

from tests.samples.lab import Handset, Sample, granted, numbered, replaced

FILE = "change-request.flow"

PRINTED = """<?xml version="1.0" encoding="UTF-8"?>

<mbmsMSKResponse
   xmlns="urn:3GPP:metadata:2005:MBMS:mskResponse"

   xmlns:bcast=" urn:oma:xml:bcast:pr:orderqueries:1.0"

   xmlns:xsi=http://www.w3.org/2001/XMLSchema-instance
   xsi:schemaLocation="urn:3GPP:metadata:2005:MBMS:mskResponse">
   <Response>

      <MSK>

         <keyDomainID>uHCd</keyDomainID>
         <MSKID>aMkAAA==</MSKID>
      </MSK>
      <ResponseCode>200 OK</ResponseCode>
      <bcast:LTKM>...</bcast:LTKM>
   </Response>
   <Response>
      <MSK>
         <keyDomainID>uHCd</keyDomainID>
         <MSKID>JMtEAA==</MSKID>
      </MSK>
      <ResponseCode>200 OK</ResponseCode>
      <bcast:LTKM>...</bcast:LTKM>
   </Response>
</mbmsMSKResponse>
"""
"""The example of the change request (its section 1), line for line."""

FIRST = granted("68c90001")
SECOND = granted("24cb4400")
CURRENT = replace(FIRST, msk_id=bytes.fromhex("68c90000"))
"""The first MSK of the example (aMkAAA==): Key Number 0, which asks for whichever key of that group is current."""


def samples() -> list[Sample]:
    """Return the example as printed, then with its two slips mended and real LTKMs in place of the dots."""
    handset = Handset("Alder", 0x40)
    asked = [(CURRENT, "200 OK", None), (SECOND, "200 OK", None)]
    messages = [base64.b64encode(handset.ltkm(grant).encode()).decode() for grant in (FIRST, SECOND)]
    return numbered(
        FILE,
        [
            Sample(
                "The example as printed: xmlns:xsi lacks quotation marks, a namespace name begins with a space",
                handset.answered(0, asked, lambda _: PRINTED.encode()),
                frozenset({"xml-malformed"}),
            ),
            Sample(
                "The example as corrected. Its first item has Key Number 0, which asks for the current key of the "
                "group, but its LTKM has Key Number 1. Read literally, the change request does not allow that, but "
                "in 3GPP TS 33.246 such a request is normal. The two documents disagree, so it is a warning",
                handset.answered(60, asked, lambda _: _corrected(messages)),
                frozenset({"msk-id-current"}),
            ),
        ],
    )


def _corrected(messages: Sequence[str]) -> bytes:
    body = replaced("xsi=http://www.w3.org/2001/XMLSchema-instance", 'xsi="http://www.w3.org/2001/XMLSchema-instance"')(
        replaced('" urn:oma', '"urn:oma')(PRINTED.encode())
    )
    for message in messages:
        body = body.replace(b">...<", f">{message}<".encode(), 1)
    return body
