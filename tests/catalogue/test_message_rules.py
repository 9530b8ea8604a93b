"""What RFC 3830 and its extensions, MBMS and BCAST make of a message: levels, legal variants, hostile values."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltkm_inspect import reference
from ltkm_inspect.context import Context, Settings
from ltkm_inspect.engine import inspect
from ltkm_inspect.finding import Answer, Level, Report
from ltkm_inspect.mikey import (
    ErrorReport,
    GeneralExtension,
    GenericSession,
    Header,
    Identity,
    Kemac,
    KeyId,
    KeyIds,
    Message,
    OmaBcast,
    Payload,
    Rand,
    SecurityPolicy,
    SrtpParameter,
    SrtpSession,
    Timestamp,
)
from ltkm_inspect.mikey.policy import PolicyParameter

DOWNLOAD = reference.FIRST
PLAIN = replace(DOWNLOAD, bcast=False)
STREAMING = reference.STREAMING
PLAIN_STREAMING = replace(STREAMING, bcast=False)
V, W = Level.VIOLATION, Level.WARNING
type Change = Callable[[Message], Message]


def report(grant: reference.Grant, change: Change = lambda message: message, **settings: Any) -> Report:
    """Inspect the exchange that delivers the changed message of a grant; no keys, so that no MAC matters."""
    message = change(reference.ltkm(grant))
    exchange = reference.exchange([grant.msk_id], [(grant, "200 OK", message)])
    return inspect(exchange, Context(Settings(debug=True, **settings)))


def levels(found: Report) -> dict[str, Level]:
    """Return rules and levels of the findings."""
    return {finding.rule: finding.level for finding in found.findings}


def noted(found: Report) -> set[str]:
    """Return the rules of the notes."""
    return {note.rule for note in found.notes}


def changed[P: Payload](kind: type[P], **fields: Any) -> Change:
    """Change fields of the first payload of a class."""

    def change(message: Message) -> Message:
        payloads = list(message.payloads)
        at = next(at for at, payload in enumerate(payloads) if type(payload) is kind)
        payloads[at] = replace(payloads[at], **fields)  # type: ignore[type-var]
        return replace(message, payloads=tuple(payloads))

    return change


def header(**fields: Any) -> Change:
    """Change fields of the header."""
    return lambda message: replace(message, header=replace(message.header, **fields))  # type: ignore[type-var]


def parameters(*changes: tuple[int, bytes | None]) -> Change:
    """Set SRTP parameters by type, or (None) leave them out; new ones come last."""

    def change(message: Message) -> Message:
        policy = message.of(SecurityPolicy)[0]
        values = {each.type: each.value for each in policy.params}
        for kind, value in changes:
            values.pop(kind, None) if value is None else values.update({kind: value})
        params = tuple(SrtpParameter(kind, value) for kind, value in values.items())
        return changed(SecurityPolicy, params=params)(message)

    return change


def ordered(*kinds: type[Payload]) -> Change:
    """Order the payloads by class; those of one class keep their order."""
    return lambda message: replace(
        message, payloads=tuple(payload for kind in kinds for payload in message.payloads if type(payload) is kind)
    )


def inserted(*payloads: Payload) -> Change:
    """Put payloads before KEMAC."""
    return lambda message: replace(message, payloads=(*message.payloads[:-1], *payloads, message.payloads[-1]))


def msk_id(value: bytes) -> Change:
    """Name another MSK in the message."""
    key_ids = KeyIds((KeyId(0, reference.KEY_DOMAIN), KeyId(1, value)))
    return changed(GeneralExtension, value=key_ids)


def second_extension(value: OmaBcast | bytes) -> Change:
    """Put other data into the BCAST extension, which is the second payload."""
    return lambda message: replace(
        message, payloads=(message.payloads[0], GeneralExtension(5, value), *message.payloads[2:])
    )


def then(*changes: Change) -> Change:
    """Make several changes in turn."""

    def change(message: Message) -> Message:
        for each in changes:
            message = each(message)
        return message

    return change


EXT, T, RAND, ID, SP, KEMAC = GeneralExtension, Timestamp, Rand, Identity, SecurityPolicy, Kemac
POLICY = SecurityPolicy(1, 0, tuple(SrtpParameter(n, bytes.fromhex(v)) for n, v in reference.STREAMING_POLICY))

# (grant, change, findings with their levels)
BROKEN: dict[str, tuple[reference.Grant, Change, dict[str, Level]]] = {
    # RFC 3830 §5.2: the order of the figures is recommended.
    "T behind the identities": (DOWNLOAD, ordered(EXT, RAND, ID, T, KEMAC), {"timestamp-misplaced": W}),
    "T behind SP": (STREAMING, ordered(EXT, RAND, SP, T, ID, KEMAC), {"timestamp-misplaced": W}),
    "T behind KEMAC": (DOWNLOAD, ordered(EXT, RAND, ID, KEMAC, T), {"kemac-not-last": V}),
    # RFC 3830 §6.2 and 3GPP TS 33.246 6.4.1.
    "NULL encryption": (DOWNLOAD, changed(KEMAC, encr_alg=0), {"kemac-not-encrypted": V}),
    "AES-CM-256": (DOWNLOAD, changed(KEMAC, encr_alg=3), {"kemac-not-encrypted": W}),
    "private encryption, first": (DOWNLOAD, changed(KEMAC, encr_alg=241), {"kemac-not-encrypted": W}),
    "private encryption, last": (DOWNLOAD, changed(KEMAC, encr_alg=255), {"kemac-not-encrypted": W}),
    "unassigned encryption": (DOWNLOAD, changed(KEMAC, encr_alg=4), {"kemac-not-encrypted": V}),
    "unassigned encryption, last": (DOWNLOAD, changed(KEMAC, encr_alg=240), {"kemac-not-encrypted": V}),
    "NULL MAC": (DOWNLOAD, changed(KEMAC, mac_alg=0, mac=b""), {"kemac-not-authenticated": V}),
    "HMAC-SHA-256": (DOWNLOAD, changed(KEMAC, mac_alg=2, mac=bytes(32)), {"kemac-not-authenticated": W}),
    "private MAC": (DOWNLOAD, changed(KEMAC, mac_alg=250), {"code-unknown": V}),
    "key wrap": (DOWNLOAD, changed(KEMAC, encr_alg=2), {"kemac-not-encrypted": W, "key-wrap-length-wrong": V}),
    "key wrap of one block": (
        DOWNLOAD,
        changed(KEMAC, encr_alg=2, encr_data=bytes(16)),
        {"kemac-not-encrypted": W, "key-wrap-length-wrong": V},
    ),
    "key wrap, nothing in it": (
        DOWNLOAD,
        changed(KEMAC, encr_alg=2, encr_data=b""),
        {"kemac-not-encrypted": W, "key-data-missing": V},
    ),
    # RFC 3830 §6.13: 65536 octets with Next payload, two algorithms, length and MAC.
    "KEMAC of 65537 octets": (DOWNLOAD, changed(KEMAC, encr_data=bytes(65512)), {"kemac-too-long": V}),
    # No key in a delivery; with Key Number 0 it is the BM-SC's wish to be asked.
    "no key data": (DOWNLOAD, changed(KEMAC, encr_data=b""), {"key-data-missing": V}),
    "no key data, plain": (PLAIN, changed(KEMAC, encr_data=b""), {"key-data-missing": V}),
    "no key data and Key Number 0": (
        DOWNLOAD,
        then(changed(KEMAC, encr_data=b""), msk_id(bytes.fromhex("24cb0000"))),
        {"key-number-zero": V},
    ),
    # RFC 3830 §6.7, 3GPP TS 33.246 6.4.5.1.
    "a URI as identity": (DOWNLOAD, changed(ID, type=1), {"identity-type-wrong": W}),
    "a byte string as identity": (DOWNLOAD, changed(ID, type=2), {"identity-type-wrong": W}),
    "an undefined type of identity": (DOWNLOAD, changed(ID, type=3), {"identity-type-wrong": V}),
    "an identity without octets": (DOWNLOAD, changed(ID, value=b""), {"identity-not-text": V}),
    "an identity in Latin-1": (DOWNLOAD, changed(ID, value=b"bmsc.h\xf6me1.net"), {"identity-not-text": V}),
    # RFC 3830 §6.1, RFC 6043.
    "PRF-HMAC-SHA-256": (DOWNLOAD, header(prf_func=1), {"prf-unusual": W}),
    "an undefined PRF": (DOWNLOAD, header(prf_func=2), {"prf-unusual": V}),
    "a RAND of 15 octets": (DOWNLOAD, changed(RAND, value=bytes(15)), {"rand-length-wrong": V}),
    # 3GPP TS 33.246 6.4.5.1: one session in an SRTP-ID map, or none and the empty map.
    "no session in an SRTP-ID map": (PLAIN, header(cs_id_map_type=0), {"map-form-wrong": V}),
    "no session in an SRTP-ID map, BCAST": (DOWNLOAD, header(cs_id_map_type=0), {"map-form-wrong": W}),
    "two sessions": (
        PLAIN_STREAMING,
        header(cs_count=2, cs_id_map=(SrtpSession(1, 1, 0), SrtpSession(1, 2, 0))),
        {"map-form-wrong": V},
    ),
    "two sessions, BCAST": (
        STREAMING,
        header(cs_count=2, cs_id_map=(SrtpSession(1, 1, 0), SrtpSession(1, 2, 0))),
        {"map-form-wrong": W},
    ),
    "a GENERIC-ID map": (
        PLAIN_STREAMING,
        header(cs_id_map_type=2, cs_id_map=(GenericSession(1, 0, False, b"\1", b"", b""),)),
        {"map-form-wrong": V},
    ),
    "sessions counted in the empty map": (PLAIN, header(cs_count=1), {"map-size-wrong": V}),
    "sessions counted in the empty map, BCAST": (DOWNLOAD, header(cs_count=1), {"map-size-wrong": W}),
    "a policy with the empty map": (DOWNLOAD, inserted(POLICY), {"policy-with-empty-map": V}),
    # RFC 3830 §6.10.
    "parameters that overrun": (STREAMING, changed(SP, trailing=b"\x0e\x09\1"), {"policy-malformed": V}),
    "half a parameter": (STREAMING, changed(SP, trailing=b"\x0e"), {"policy-malformed": V}),
    "parameters that cannot be read are not missed": (
        STREAMING,
        changed(SP, params=(), trailing=b"\x0e\x09\1"),
        {"policy-malformed": V},
    ),
    "an unknown protocol": (
        STREAMING,
        changed(SP, protocol=2, params=(PolicyParameter(1, b"\1"),)),
        {"policy-protocol-unknown": V},
    ),
    "a protocol of private use": (
        STREAMING,
        changed(SP, protocol=255, params=(PolicyParameter(1, b"\1"),)),
        {"policy-protocol-unknown": W},
    ),
    "two policies of one number": (STREAMING, inserted(POLICY), {"policy-number-repeated": V}),
    "a policy that no session names": (STREAMING, changed(SP, policy_no=7), {"policy-unmatched": V}),
    "AES-CM in two octets": (STREAMING, parameters((0, b"\0\1")), {"policy-parameter-length-wrong": W}),
    "RCCm1 in two octets": (STREAMING, parameters((14, None), (2, b"\0\2")), {"policy-parameter-length-wrong": W}),
    "a parameter without octets": (STREAMING, parameters((16, b"")), {"policy-parameter-length-wrong": W}),
    "a parameter twice": (
        STREAMING,
        changed(SP, params=(*POLICY.params, SrtpParameter(7, b"\1"))),
        {"policy-parameter-repeated": W},
    ),
    # 3GPP TS 33.246 6.6.2.1 and RFC 4771.
    "key derivation": (PLAIN_STREAMING, parameters((6, b"\1")), {"key-derivation-rate-nonzero": V}),
    "key derivation, BCAST": (STREAMING, parameters((6, b"\1")), {"key-derivation-rate-nonzero": W}),
    "key derivation in three octets": (
        PLAIN_STREAMING,
        parameters((6, b"\1\0\0")),
        {"key-derivation-rate-nonzero": V},
    ),
    "no R": (PLAIN_STREAMING, parameters((13, None)), {"roc-transmission-rate-wrong": V}),
    "no R, BCAST": (STREAMING, parameters((13, None)), {"roc-transmission-rate-wrong": W}),
    "R is 0": (PLAIN_STREAMING, parameters((13, b"\0\0")), {"roc-transmission-rate-wrong": V}),
    "R has one octet": (PLAIN_STREAMING, parameters((13, b"\x0a")), {"roc-transmission-rate-wrong": V}),
    "R has no octets": (PLAIN_STREAMING, parameters((13, b"")), {"roc-transmission-rate-wrong": V}),
    "HMAC-SHA-1": (PLAIN_STREAMING, parameters((14, b"\1")), {"srtp-authentication-unsuited": W}),
    "no authentication algorithm": (PLAIN_STREAMING, parameters((14, None)), {"srtp-authentication-unsuited": W}),
    "parameter 14 outranks 2": (
        PLAIN_STREAMING,
        parameters((2, b"\2"), (14, b"\1")),
        {"srtp-authentication-unsuited": W},
    ),
    "RCCm3 with a tag of 14": (PLAIN_STREAMING, parameters((14, b"\4")), {"srtp-tag-length-unsuited": V}),
    "RCCm3 with a tag of 14, BCAST": (STREAMING, parameters((14, b"\4")), {"srtp-tag-length-unsuited": W}),
    "RCCm2 with a tag of 10": (
        PLAIN_STREAMING,
        parameters((14, b"\3"), (18, b"\x0a")),
        {"srtp-tag-length-unsuited": W},
    ),
    "a tag of 10 by parameter 11": (
        PLAIN_STREAMING,
        parameters((18, None), (11, b"\x0a")),
        {"srtp-tag-length-unsuited": W},
    ),
    # RFC 5410 §3, RFC 4909 §6.
    "no subtype": (DOWNLOAD, second_extension(b""), {"bcast-subtype-foreign": V}),
    **{
        f"subtype {number}": (DOWNLOAD, second_extension(OmaBcast(number, b"\0")), {"bcast-subtype-foreign": level})
        for number, level in {0: V, 2: V, 3: V, 4: V, 5: W, 191: W, 192: W, 255: W}.items()
    },
    "BCAST behind KEMAC": (
        DOWNLOAD,
        lambda message: replace(message, payloads=(message.payloads[0], *message.payloads[2:], message.payloads[1])),
        {"kemac-not-last": V},
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_wrong_has_one_finding_at_its_level(name: str) -> None:
    grant, change, expected = BROKEN[name]
    assert levels(report(grant, change)) == expected


RIGHT: dict[str, tuple[reference.Grant, Change]] = {
    "T right behind the header": (DOWNLOAD, ordered(T, EXT, RAND, ID, KEMAC)),
    "RAND before T": (DOWNLOAD, ordered(EXT, RAND, T, ID, KEMAC)),
    "EXT behind the identities": (DOWNLOAD, ordered(T, RAND, ID, EXT, KEMAC)),
    "KEMAC of 65536 octets": (DOWNLOAD, changed(KEMAC, encr_data=bytes(65511))),
    "a change of validity alone, limits of 2 octets": (DOWNLOAD, changed(KEMAC, encr_data=bytes(10))),
    "key data of another length": (DOWNLOAD, changed(KEMAC, encr_data=bytes(27))),
    "another extension": (DOWNLOAD, inserted(GeneralExtension(0, b"vendor"), GeneralExtension(250, b""))),
    "a second BCAST extension": (DOWNLOAD, inserted(GeneralExtension(5, OmaBcast(1, b"\0")))),
    "management data with everything set": (DOWNLOAD, inserted(GeneralExtension(5, OmaBcast(1, b"\xff" * 40)))),
    "no key derivation rate": (PLAIN_STREAMING, parameters((6, None))),
    "key derivation rate 0 in four octets": (PLAIN_STREAMING, parameters((6, bytes(4)))),
    "R at its maximum": (PLAIN_STREAMING, parameters((13, b"\xff\xff"))),
    "R is 256": (PLAIN_STREAMING, parameters((13, b"\1\0"))),
    "RCCm1 by parameter 2": (PLAIN_STREAMING, parameters((14, None), (2, b"\2"))),
    "RCCm3 with a tag of 4": (PLAIN_STREAMING, parameters((14, b"\4"), (18, b"\4"))),
    "parameter 18 outranks 11": (PLAIN_STREAMING, parameters((11, b"\x0a"))),
    "no tag length": (PLAIN_STREAMING, parameters((18, None))),
    "an unknown parameter": (PLAIN_STREAMING, parameters((21, b"\1\2\3"), (255, b""))),
    "a key length in two octets": (PLAIN_STREAMING, parameters((1, b"\0\x10"))),
    "a policy of number 0": (
        PLAIN_STREAMING,
        then(changed(SP, policy_no=0), header(cs_id_map=(SrtpSession(0, 1, 0),))),
    ),
    "a second policy, of another number, that nobody uses": (
        PLAIN_STREAMING,
        inserted(SecurityPolicy(2, 1, (PolicyParameter(1, b"\1"), PolicyParameter(2, b"\0\0")))),
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_legal_has_no_finding(name: str) -> None:
    grant, change = RIGHT[name]
    assert levels(report(grant, change)) == {}


BINDING = GeneralExtension(5, OmaBcast(1, b"\1" + b"\0\0\0\x2a" + b"\4http"))
LATER = GeneralExtension(5, OmaBcast(1, b"\x10"))
NOTES: dict[str, tuple[reference.Grant, Change, str]] = {
    "RAND before T": (DOWNLOAD, ordered(EXT, RAND, T, ID, KEMAC), "timestamp-misplaced"),
    "a RAND of 17 octets": (DOWNLOAD, changed(RAND, value=bytes(range(17))), "rand-length-wrong"),
    "a CSB ID of 0": (DOWNLOAD, header(csb_id=0), "csb-id-zero"),
    "a vendor's extension": (DOWNLOAD, inserted(GeneralExtension(0, b"vendor")), "extension-additional"),
    "a CSB_ID extension": (DOWNLOAD, inserted(GeneralExtension(4, b"")), "extension-additional"),
    "27 octets of key data": (DOWNLOAD, changed(KEMAC, encr_data=bytes(27)), "key-data-length-unusual"),
    "an unknown parameter": (STREAMING, parameters((21, b"\1")), "policy-parameter-unknown"),
    "a key length in two octets": (STREAMING, parameters((1, b"\0\x10")), "policy-parameter-length-wrong"),
    "BCAST twice": (DOWNLOAD, inserted(GeneralExtension(5, OmaBcast(1, b"\0"))), "bcast-repeated"),
    "no BCAST": (PLAIN, lambda message: message, "bcast-absent"),
    "a terminal binding": (PLAIN, inserted(BINDING), "management-data-present"),
    "a later version of the management data": (PLAIN, inserted(LATER), "management-version-differs"),
}


@pytest.mark.parametrize("name", NOTES)
def test_what_is_only_worth_knowing_is_a_note(name: str) -> None:
    grant, change, expected = NOTES[name]
    found = report(grant, change)
    assert expected in noted(found)
    assert levels(found) == {}


@pytest.mark.parametrize("length", [10, 14, 26, 30, 42, 46])
def test_the_lengths_of_one_msk_are_not_noted(length: int) -> None:
    assert "key-data-length-unusual" not in noted(report(DOWNLOAD, changed(KEMAC, encr_data=bytes(length))))


@pytest.mark.parametrize("profile", ["auto", "bcast", "mbms"])
@pytest.mark.parametrize("grant", [STREAMING, PLAIN_STREAMING], ids=["BCAST extension", "plain"])
@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (parameters((6, b"\1")), "key-derivation-rate-nonzero"),
        (parameters((13, None)), "roc-transmission-rate-wrong"),
        (parameters((14, b"\4")), "srtp-tag-length-unsuited"),
        (header(cs_count=2, cs_id_map=(SrtpSession(1, 1, 0), SrtpSession(1, 2, 0))), "map-form-wrong"),
    ],
    ids=["MB-07", "MB-08", "MB-09", "MB-05"],
)
def test_the_profile_decides_before_the_extension_does(
    change: Change, rule: str, grant: reference.Grant, profile: str
) -> None:
    bcast = profile == "bcast" or (profile == "auto" and grant is STREAMING)
    assert levels(report(grant, change, profile=frozenset({profile}))) == {rule: W if bcast else V}


@pytest.mark.parametrize(
    ("rule", "option", "change"),
    [
        ("rand-length-wrong", {"octets": 8}, changed(RAND, value=bytes(8))),
        ("kemac-not-encrypted", {"algorithm": 3}, changed(KEMAC, encr_alg=3)),
        ("kemac-not-authenticated", {"algorithm": 2}, changed(KEMAC, mac_alg=2, mac=bytes(32))),
        ("prf-unusual", {"function": 1}, header(prf_func=1)),
        ("timestamp-not-counter", {"kind": 0}, changed(T, type=0, value=bytes(8))),
        ("srtp-tag-length-unsuited", {"recommended": 10}, parameters((18, b"\x0a"))),
    ],
)
def test_another_profile_can_set_what_it_expects(rule: str, option: dict[str, int], change: Change) -> None:
    assert rule in levels(report(STREAMING, change))
    assert levels(report(STREAMING, change, options={rule: option})) == {}
    unchanged = report(STREAMING, options={rule: option})
    assert rule in noted(unchanged).union(levels(unchanged))


def test_the_reading_of_management_data_says_that_it_is_unverified_and_shows_the_octets() -> None:
    found = [note for note in report(PLAIN, inserted(BINDING)).notes if note.rule == "management-data-present"]
    assert [note.got for note in found] == ["010000002a0468747470"]
    assert "unverified" in found[0].hint
    assert "terminal_binding_key_id 42" in found[0].hint


def test_management_data_of_defaults_alone_is_not_noted() -> None:
    assert not {"management-data-present", "management-version-differs"} & noted(report(DOWNLOAD))


def test_an_extension_that_ends_with_its_subtype_has_no_management_data() -> None:
    found = report(PLAIN, inserted(GeneralExtension(5, OmaBcast(1, b""))))
    assert not {"management-data-present", "management-version-differs"} & noted(found)
    assert "no management data" in found.outcomes["management-data-present"].reason


def test_a_later_version_on_both_sides_does_not_differ() -> None:
    exchange = reference.exchange([PLAIN.msk_id], [(PLAIN, "200 OK", inserted(LATER)(reference.ltkm(PLAIN)))])
    assert exchange.response is not None
    body = (exchange.response.body or b"").replace(b"<bcast:LTKM>", b'<bcast:LTKM version="1">')
    found = inspect(replace(exchange, response=exchange.response.with_content(body)), Context(Settings(debug=True)))
    assert "management-version-differs" not in noted(found)
    assert "ltkm-version-later" in levels(found)


def test_a_message_without_policy_is_not_said_to_pass_the_rules_on_policies() -> None:
    outcomes = report(DOWNLOAD).outcomes
    for rule in ("policy-malformed", "policy-unmatched", "key-derivation-rate-nonzero", "srtp-tag-length-unsuited"):
        assert outcomes[rule].answer is Answer.NOT_APPLICABLE, rule


def test_a_missing_policy_number_is_told_once_however_many_sessions_name_it() -> None:
    sessions = tuple(SrtpSession(9, number, 0) for number in range(255))
    found = report(STREAMING, header(cs_count=255, cs_id_map=sessions))
    assert [finding.rule for finding in found.findings].count("policy-unmatched") == 1


def test_findings_in_a_policy_point_at_its_octets() -> None:
    wrong = report(PLAIN_STREAMING, parameters((13, b"\0\0"))).findings
    assert [finding.place.path for finding in wrong] == ["SP.params[6].value"]
    assert wrong[0].span is not None
    assert len(wrong[0].span) == 2


octets = st.binary(max_size=40)
policies = st.builds(
    SecurityPolicy,
    st.integers(0, 3),
    st.sampled_from([0, 1, 2, 255]),
    st.lists(st.builds(SrtpParameter, st.integers(0, 30), octets), max_size=12).map(tuple),
    octets,
)
extensions = st.builds(GeneralExtension, st.integers(0, 255), octets)
sessions = st.lists(st.builds(SrtpSession, st.integers(0, 3), st.just(1), st.just(0)), max_size=3).map(tuple)
kemacs = st.builds(Kemac, st.integers(0, 255), octets, st.just(0), st.just(b""))
others = st.sampled_from([Timestamp(2, bytes(4)), Rand(b""), Identity(9, b"\xff"), ErrorReport(0, 0)])


@given(sessions, st.lists(policies | extensions | kemacs | others, max_size=10), st.integers(0, 2))
def test_no_message_makes_a_rule_raise(listed: tuple[SrtpSession, ...], payloads: list[Payload], map_type: int) -> None:
    in_map = listed if map_type == 0 else ()
    fields = Header(1, 0, False, 5, 0, len(in_map), map_type, in_map)
    report(PLAIN, lambda _: Message(fields, tuple(payloads)))
