"""5G broadcast: a terminal that authenticates by AKMA gets keys from an MBSSF, which then gets two things wrong."""

from dataclasses import replace

from ltkm_inspect.mikey import Identity, Payload
from ltkm_inspect.reference import BSM, MBSSF
from ltkm_inspect.traffic import Exchange
from tests.samples.lab import Handset, Sample, granted, numbered

FILE = "mbs.flow"
NEWS = granted("24cb0001")
NEXT_NEWS = granted("24cb0002")


def samples() -> list[Sample]:
    """Return a challenge with its answer, then an answer of another kind and a message of another server."""
    dogwood = Handset("Dogwood", by_akma=True)
    return numbered(
        FILE,
        [
            Sample("Dogwood asks for the news key and gets a challenge for AKMA", dogwood.challenged(0, NEWS)),
            Sample("Dogwood asks again with its A-KID and gets the key", dogwood.answered(1, [dogwood.item(NEWS)])),
            Sample(
                "User-Agent has the product token of GBA, but the realm is AKMA's",
                _agent(dogwood.answered(1800, [dogwood.item(NEXT_NEWS)]), "bcast-terminal/1.0 3gpp-gba"),
                frozenset({"user-agent-lacks-gba"}),
            ),
            Sample(
                "IDi is the name of the BSM that the MBSSF replaced",
                dogwood.answered(1860, [(NEXT_NEWS, "200 OK", dogwood.changed_ltkm(NEXT_NEWS, _named_after_bsm))]),
                frozenset({"bsm-identity-mismatch"}),
            ),
        ],
    )


def _agent(exchange: Exchange, agent: str) -> Exchange:
    headers = exchange.request.headers.put("User-Agent", agent)
    return replace(exchange, request=replace(exchange.request, headers=headers))


def _named_after_bsm(payload: Payload) -> Payload:
    if isinstance(payload, Identity) and payload.value == MBSSF.encode():
        return replace(payload, value=BSM.encode())
    return payload
