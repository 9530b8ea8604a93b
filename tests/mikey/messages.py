"""Messages to test with: the worked examples, and hypothesis strategies for messages of every payload."""

import base64
from pathlib import Path

from hypothesis import strategies as st

from ltkm_inspect.mikey import (
    ErrorReport,
    GeneralExtension,
    GenericSession,
    Header,
    Identity,
    Interval,
    Kemac,
    KeyData,
    KeyDataChain,
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
    Verification,
)
from ltkm_inspect.mikey.extension import EXTENSIONS
from ltkm_inspect.mikey.identity_based import EncryptedSecretKey, Ibake, Sakke
from ltkm_inspect.mikey.keydata import Spi
from ltkm_inspect.mikey.policy import PolicyParameter
from ltkm_inspect.mikey.public_key import Certificate, CertificateHash, DiffieHellman, EnvelopeData, Signature
from ltkm_inspect.mikey.ticket import IdentityWithRole, RandWithRole, Ticket, TicketPolicy, TimestampWithRole
from tests.mikey.seen import octets_of, vectors

DOWNLOAD = base64.b64decode(
    "AQAVAFoXwN4AARUDAAsAA7hwnQEEJMtEAAUFAAIBAAsCAAAAKgYQ8OHSw7Sllod4aVpLPC0eDwYAAA5ibXNjLmhvbWUxLm5ldAEAACZNVEl6TkRV"
    "Mk56ZzVNREV5TXpRMU5nPT1AYnNmLmhvbWUxLm5ldAABABr2h90f7eRVxvmt7kDTELDAw4Wa7UW/RpnWGgFwU1oSjvfvetbEaMylJx/OX+NDTA=="
)
"""An LTKM for download: header, key IDs, BCAST, T, RAND, both identities, KEMAC; 166 octets."""

FOUR_OCTET_LIMITS = base64.b64decode(
    "AQAVAFoXwN8AAQUDAAsAA7hwnQEEaMkAAQsCAAAAKwYQDx4tPEtaaXiHlqW0w9Lh8AYAAA5ibXNjLmhvbWUxLm5ldAEAACZNVEl6TkRVMk56ZzVNREV5"
    "TXpRMU5nPT1AYnNmLmhvbWUxLm5ldAABAB5xgRDQf1VhjZFVDpGgdNKBZnZyVEi17bsrWBeg93YBq9IPTmI7jVllh7B4AXMF3bNGpjA="
)
"""An LTKM without EXT BCAST; 164 octets."""

STREAMING = base64.b64decode(
    "AQAVgAECAwQBAAESNFZ4AAAAABUDAAsAA7hwnQEEJMtEAAUFAAIBAAsCAAAALAYQ8OHSw7Sllod4aVpLPC0eDwYAAA5ibXNjLmhvbWUxLm5ldAoAACZN"
    "VEl6TkRVMk56ZzVNREV5TXpRMU5nPT1AYnNmLmhvbWUxLm5ldAEBAAAcAAEBAQEQBgEABwEBCgEBDQIACg4BAhABFBIBDgABABpN82rstQLGfMuts0Xv"
    "BEOk8FeVqQ68w64GpwGx3gD6phO2658gN+daoab/r/k9Hw=="
)
"""An LTKM for streaming: an SRTP-ID map with one session, an SP payload, the V flag; 208 octets."""

VECTORS = {
    vector["name"]: octets_of(vector)
    for vector in vectors(Path(__file__).resolve().parent.parent / "vectors" / "ltkm.jsonl")
}
BASE = VECTORS["p01-base-muk256"]
EXAMPLES = {"download": DOWNLOAD, "four-octet-limits": FOUR_OCTET_LIMITS, "streaming": STREAMING, "base": BASE}

octet = st.integers(0, 255)
nibble = st.integers(0, 15)
word = st.integers(0, 0xFFFF)
long_word = st.integers(0, 0xFFFFFFFF)
short = st.binary(max_size=40)


def exactly(length: int) -> st.SearchStrategy[bytes]:
    """Octets of that length."""
    return st.binary(min_size=length, max_size=length)


times = st.sampled_from([(0, 8), (1, 8), (2, 4), (3, 4)]).flatmap(
    lambda kind: st.tuples(st.just(kind[0]), exactly(kind[1]))
)
macs = st.sampled_from([(0, 0), (1, 20), (2, 32)]).flatmap(lambda kind: st.tuples(st.just(kind[0]), exactly(kind[1])))
validities = st.one_of(
    st.just((0, None)),
    st.builds(lambda spi: (1, Spi(spi)), short),
    st.builds(lambda start, end: (2, Interval(start, end)), short, short),
)

srtp_maps = st.lists(st.builds(SrtpSession, octet, long_word, long_word), max_size=5).map(
    lambda sessions: (len(sessions), 0, tuple(sessions))
)
generic_maps = st.lists(
    st.builds(GenericSession, octet, octet, st.booleans(), st.binary(max_size=127), short, short), max_size=5
).map(lambda sessions: (len(sessions), 2, tuple(sessions)))
empty_maps = st.builds(lambda count: (count, 1, ()), octet)
headers = st.builds(
    lambda data_type, v, prf, csb_id, map_: Header(1, data_type, v, prf, csb_id, *map_),
    octet,
    st.booleans(),
    st.integers(0, 127),
    long_word,
    st.one_of(srtp_maps, generic_maps, empty_maps),
)

extension_data = {
    3: st.lists(st.builds(KeyId, octet, short), max_size=5).map(lambda ids: KeyIds(tuple(ids))),
    5: st.builds(OmaBcast, octet, short),
}
"""What makes the data of each extension type that has fields of its own."""
extensions = st.one_of(
    st.builds(GeneralExtension, octet.filter(lambda kind: kind not in EXTENSIONS), short),
    *(st.builds(GeneralExtension, st.just(kind), data) for kind, data in extension_data.items()),
)
policies = st.one_of(
    st.builds(
        lambda number, params: SecurityPolicy(number, 0, tuple(params)),
        octet,
        st.lists(st.builds(SrtpParameter, octet, short), max_size=8),
    ),
    st.builds(
        lambda number, protocol, params: SecurityPolicy(number, protocol, tuple(params)),
        octet,
        st.integers(1, 255),
        st.lists(st.builds(PolicyParameter, octet, short), max_size=8),
    ),
)
chained_payloads: st.SearchStrategy[Payload] = st.one_of(
    st.builds(lambda encr, data, mac: Kemac(encr, data, *mac), octet, short, macs),
    st.builds(lambda time: Timestamp(*time), times),
    st.builds(Identity, octet, short),
    st.builds(lambda mac: Verification(*mac), macs),
    st.builds(Rand, st.binary(max_size=255)),
    st.builds(ErrorReport, octet, word),
    extensions,
    policies,
    st.builds(EnvelopeData, st.integers(0, 3), short),
    st.sampled_from([(0, 192), (1, 96), (2, 128)]).flatmap(
        lambda group: st.builds(
            lambda value, reserved, validity: DiffieHellman(group[0], value, reserved, *validity),
            exactly(group[1]),
            nibble,
            validities,
        )
    ),
    st.builds(Certificate, octet, short),
    st.sampled_from([(0, 20), (1, 16), (2, 32)]).flatmap(
        lambda function: st.builds(lambda value: CertificateHash(function[0], value), exactly(function[1]))
    ),
    st.builds(lambda role, time: TimestampWithRole(role, *time), octet, times),
    st.builds(IdentityWithRole, octet, octet, short),
    st.builds(RandWithRole, octet, short),
    st.builds(TicketPolicy, word, octet, octet, short),
    st.builds(Ticket, word, octet, octet, short, short),
    st.builds(Ibake, short),
    st.builds(EncryptedSecretKey, short),
    st.builds(Sakke, octet, octet, short),
)
signatures = st.builds(Signature, nibble, short)

messages = st.builds(
    lambda header, payloads, last: Message(header, (*payloads, *last)),
    headers,
    st.lists(chained_payloads, max_size=8),
    st.lists(signatures, max_size=1),
)
"""Messages of well-formed payloads of every kind, in any order, a signature only at the end."""


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A good message with octets changed, removed, doubled or added."""
    octets = bytearray(draw(st.sampled_from(sorted(VECTORS.values())) | messages.map(Message.encode)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(octets)))
        end = draw(st.integers(at, min(len(octets), at + 12)))
        octets[at:end] = draw(st.binary(max_size=12))
    return bytes(octets)


any_octets = st.one_of(st.binary(max_size=300), st.binary(max_size=300).map(lambda tail: b"\1\0" + tail), damaged())
"""Random octets, random octets that begin like a message, and damaged messages."""

key_data_entries = st.builds(
    lambda kind, key, salt, validity: KeyData(kind, validity[0], key, salt if kind in {1, 3, 5} else None, validity[1]),
    st.integers(0, 7),
    short,
    short,
    validities,
)
key_data_chains = st.lists(key_data_entries, max_size=4).map(lambda entries: KeyDataChain(tuple(entries)))
