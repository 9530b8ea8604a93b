"""What is made anew after a fault, what is left on purpose, and what is told where a key is missing."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ltkm_inspect import catalogue, digest, reference
from ltkm_inspect.context import Context, Settings
from ltkm_inspect.engine import Injection, UnsealedPart, inject, injected, inspect
from ltkm_inspect.fault import FAULTS, Application, FaultError, parse_application
from ltkm_inspect.keys import KeyRing, Subscriber, Verdict
from ltkm_inspect.reference import B_TID, BSM, KEYS, MRK, MUK, TERMINAL
from ltkm_inspect.session import Session
from ltkm_inspect.traffic import Exchange

catalogue.load()
DOWNLOAD = reference.reference("download")[0]
SEVERAL = reference.reference("several-keys")[0]
PASSWORD = TERMINAL.subscriber.password
WRONG = KeyRing((Subscriber(B_TID, BSM, (bytes(32),), bytes(32)),))
"""A ring that has other keys for the terminal than it uses."""


def put(faults: str, exchange: Exchange = DOWNLOAD, keys: KeyRing = KEYS) -> Injection[Exchange]:
    """Return what faults, with spaces between them, make of an exchange."""
    return injected(exchange, [parse_application(each) for each in faults.split()], Context(keys=keys))


def with_qop(qop: str | None) -> Exchange:
    """Return the exchange as it is with another quality of protection, its digests right."""
    credentials, response = DOWNLOAD.request.credentials, DOWNLOAD.response
    assert credentials is not None
    assert response is not None
    assert response.authentication_info is not None
    assert PASSWORD is not None
    if qop is None:
        credentials, info = credentials.without("qop"), response.authentication_info.without("qop")
    else:
        credentials, info = credentials.put("qop", qop), response.authentication_info.put("qop", qop)
    asked = digest.response(credentials, PASSWORD, DOWNLOAD.request.method, DOWNLOAD.request.body or b"")
    credentials = credentials.refilled({"response": asked})
    info = info.refilled({"rspauth": digest.rspauth(credentials, PASSWORD, response.body or b"")})
    return replace(DOWNLOAD, request=DOWNLOAD.request.with_credentials(credentials), response=response.with_info(info))


def rspauth_is_right(exchange: Exchange) -> bool:
    """Tell whether the digest of the response is what the MRK gives over the body as it is sent."""
    credentials, response = exchange.request.credentials, exchange.response
    assert credentials is not None
    assert response is not None
    assert response.authentication_info is not None
    assert PASSWORD is not None
    return response.authentication_info.get("rspauth") == digest.rspauth(credentials, PASSWORD, response.body or b"")


def macs(exchange: Exchange) -> list[Verdict]:
    """Return what the MUKs say of each LTKM."""
    assert exchange.document is not None
    found = []
    for ltkm in exchange.document.ltkms:
        assert ltkm.message is not None
        assert ltkm.octets is not None
        found.append(KEYS.open(ltkm.message, ltkm.octets).verdict)
    return found


@pytest.mark.parametrize("fault", ["strip-ltkm", "shorten-rand:octets=8", "rename-ltkm", "swap-ltkm:item=1,other=2"])
def test_with_the_keys_everything_fits_again_and_nothing_is_told(fault: str) -> None:
    done = put(fault, SEVERAL)
    assert rspauth_is_right(done.after)
    assert done.unsealed == ()
    assert not done.breaks_digest
    assert set(macs(done.after)) == {Verdict.VALID}


@pytest.mark.parametrize(
    ("keys", "mac", "digest"),
    [
        pytest.param(KeyRing(), "no key ring", "no key ring", id="no keys"),
        pytest.param(
            WRONG,
            "no MUK in the key ring verifies the MAC as it was",
            "the MRK in the key ring does not verify the digest of the request",
            id="keys that fail the request and the MAC as they came",
        ),
        pytest.param(
            KeyRing((Subscriber("x@y", BSM, (MUK,), MRK),)),
            "the key ring has no entry for this terminal; add one with its MUK",
            "the key ring has no entry for this terminal; add one with its MRK",
            id="another terminal",
        ),
        pytest.param(
            KeyRing((Subscriber(B_TID, "other.example", (MUK,), MRK), Subscriber(B_TID, "x.example", (MUK,), MRK))),
            "the key ring has this terminal only at other BSMs; add an entry for this one with the MUK",
            "the key ring has this terminal only at other BSMs; add an entry for this one with the MRK",
            id="another BM-SC",
        ),
        pytest.param(
            KeyRing((Subscriber(B_TID, BSM),)),
            "the entry for this terminal in the key ring has no MUK; add it",
            "the entry for this terminal in the key ring has no MRK; add it",
            id="an entry without keys",
        ),
    ],
)
def test_without_the_right_keys_mac_and_digest_stay_and_are_told(keys: KeyRing, mac: str, digest: str) -> None:
    done = put("shorten-rand:octets=8", keys=keys)
    assert done.unsealed == (UnsealedPart("MAC", mac), UnsealedPart("digest", digest))
    assert done.breaks_digest
    assert str(done.unsealed[1]) == f"digest not recomputed ({digest}); the terminal will reject it"
    assert done.after.response is not None
    assert DOWNLOAD.response is not None
    assert done.after.response.authentication_info == DOWNLOAD.response.authentication_info
    assert macs(done.after) == [Verdict.INVALID]


@pytest.mark.parametrize("qop", ["auth", "AUTH", None], ids=["auth", "in capitals", "none, as in RFC 2069"])
@pytest.mark.parametrize("keys", [KEYS, KeyRing()], ids=["with keys", "without keys"])
def test_a_digest_that_does_not_cover_the_body_needs_no_key(qop: str | None, keys: KeyRing) -> None:
    exchange = with_qop(qop)
    assert rspauth_is_right(exchange)
    done = put("strip-ltkm", exchange, keys)
    assert rspauth_is_right(done.after)
    assert done.unsealed == ()


def test_a_response_says_itself_what_its_digest_covers_where_the_credentials_do_not() -> None:
    credentials = with_qop(None).request.credentials
    assert credentials is not None
    exchange = replace(DOWNLOAD, request=DOWNLOAD.request.with_credentials(credentials))
    assert put("strip-ltkm", exchange, KeyRing()).breaks_digest


@pytest.mark.parametrize("fault", ["replace-status", "drop-authentication-info", "change-media-type"])
def test_what_leaves_the_body_or_takes_the_digest_away_breaks_none(fault: str) -> None:
    assert put(fault, keys=KeyRing()).unsealed == ()


@pytest.mark.parametrize("id", [id for id, fault in FAULTS.items() if fault.leaves])
def test_what_a_fault_leaves_on_purpose_is_not_told(id: str) -> None:
    fault = FAULTS[id]
    *before, last = reference.events(fault.reference)
    context = Context(keys=KeyRing(), session=Session())
    for exchange in before:
        inspect(exchange, context)
    done = injected(last, [Application(fault)], context)
    parts = {each.part.lower() for each in done.unsealed}
    assert not parts & fault.leaves
    assert parts <= {"mac", "digest"}


@pytest.mark.parametrize("faults", ["flip-mac shorten-rand:octets=8", "shorten-rand:octets=8 flip-mac"])
def test_a_mac_that_one_fault_wants_wrong_is_not_put_right_by_another(faults: str) -> None:
    done = put(faults, SEVERAL)
    assert macs(done.after) == [Verdict.INVALID, Verdict.VALID]
    assert rspauth_is_right(done.after)
    assert done.unsealed == ()


def test_a_wrong_mac_in_one_ltkm_leaves_the_others_to_be_made_anew() -> None:
    done = put("flip-mac:item=1 shorten-rand:octets=8,item=2", SEVERAL)
    assert macs(done.after) == [Verdict.INVALID, Verdict.VALID]


def test_what_is_put_in_as_it_is_does_not_hide_that_another_fault_needed_a_key() -> None:
    context = Context(keys=KeyRing(), session=Session())
    inspect(reference.reference("renewal")[0], context)
    faults = [parse_application(text) for text in ("inject-ltkm:at=second", "shorten-rand:octets=8")]
    done = injected(reference.reference("renewal")[1], faults, context)
    assert [each.part for each in done.unsealed] == ["MAC", "digest"]


def test_a_digest_that_one_fault_wants_wrong_is_not_put_right_by_another() -> None:
    for faults in ("keep-digest shorten-rand:octets=8", "shorten-rand:octets=8 keep-digest"):
        done = put(faults)
        assert not rspauth_is_right(done.after)
        assert done.unsealed == ()


def test_remarks_and_edits_of_several_faults_are_in_their_order() -> None:
    done = put("shorten-rand:octets=8,item=2 strip-ltkm:item=1", SEVERAL)
    assert [(edit.fault, edit.place.item) for edit in done.edits] == [("shorten-rand", 2), ("strip-ltkm", 1)]


def body_of(exchange: Exchange) -> bytes | None:
    """Return the body of the response as it is sent."""
    assert exchange.response is not None
    return exchange.response.body


SEALED = sorted(id for id, fault in FAULTS.items() if not fault.leaves)


@given(
    ids=st.lists(st.sampled_from(SEALED), min_size=2, max_size=4, unique=True),
    name=st.sampled_from(["several-keys", "renewal", "streaming"]),
    keys=st.sampled_from([KEYS, KeyRing()]),
)
@settings(max_examples=3 * settings().max_examples)
def test_faults_put_in_together_do_what_they_do_one_after_the_other(ids: list[str], name: str, keys: KeyRing) -> None:
    *before, last = reference.reference(name)
    context = Context(Settings(debug=True), keys, Session())
    for exchange in before:
        inspect(exchange, context)
    applications = [Application(FAULTS[id]) for id in ids]
    single: Exchange | None = last
    try:
        for application in applications:
            assert single is not None
            single = inject(single, [application], context)
    except FaultError:
        single = None
    try:
        together = inject(last, applications, context)
    except FaultError:  # also where one fault undoes what another did
        assert single is None or body_of(single) == body_of(last)
        return
    if single is not None:
        assert body_of(together) == body_of(single)
        assert together.response is not None
        assert single.response is not None
        assert together.response.status == single.response.status
        assert together.request.body == single.request.body
