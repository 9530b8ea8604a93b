"""Rules and faults on the syntax of the MIKEY message in an LTKM."""

from dataclasses import replace

from ltkm_inspect.catalogue.changes import with_header
from ltkm_inspect.catalogue.ltkm import ONE_MESSAGE
from ltkm_inspect.catalogue.preconditions import PSK_MESSAGE
from ltkm_inspect.catalogue.profile import EMPTY_MAP, level_of
from ltkm_inspect.context import Context
from ltkm_inspect.fault import fault
from ltkm_inspect.finding import NotApplicable, Problem
from ltkm_inspect.mikey import Kemac, Message
from ltkm_inspect.mikey.codes import DATA_TYPES
from ltkm_inspect.rule import Problems, RuleGroup
from ltkm_inspect.spec import RFC3830, RFC4563, TS33246
from ltkm_inspect.subject import Octets
from ltkm_inspect.traffic import may_be_message
from ltkm_inspect.wire import DecodeProblem, Kind, Span

CHAIN = RFC3830["6"](says="each payload names the type of the next one; the last one has 0")


def _stopped(message: Message, *kinds: Kind, header: bool | None = None) -> Problems:
    """Report why decoding stopped, if it was for one of these reasons."""
    found = message.problem
    if found is None or found.kind not in kinds:
        return
    if header is not None and header != found.path.startswith("HDR"):
        return
    yield _problem(found)


def _problem(found: DecodeProblem) -> Problem:
    return Problem.of_reason(found.reason, found.path, span=Span(found.offset, found.offset + 1))


MESSAGE_SHAPE = RuleGroup(Message, cite=[ONE_MESSAGE, CHAIN], shape_only=True)


@MESSAGE_SHAPE.rule(ONE_MESSAGE, RFC3830["6.1"](says="the header"), covers=["CR-1c", "MK-01"])
def header_truncated(message: Message) -> Problems:
    """The message ends within its header or right after it.

    A receiver has nothing to act on.

    Check whether the BSM encoded the message, or instead its name, length or reference.
    """
    if message.problem is not None:
        yield from _stopped(message, "truncated", "overrun", header=True)
    elif not message.payloads:
        yield Problem("HDR.next_payload", "a payload after the header", "the end of the message")


@MESSAGE_SHAPE.rule(RFC3830["6.1"](says="the version is 1"), covers=["CR-1c", "MK-02"])
def version_unsupported(message: Message) -> Problems:
    """The first octet is not MIKEY version 1.

    No other version is defined, so the octets are probably not a MIKEY message at all.

    Check what the BSM encoded: a message that was encoded twice begins with 41 51, the letters AQ.
    """
    return _stopped(message, "version")


@MESSAGE_SHAPE.rule(
    RFC3830["6.1"](says="data type 0 is the first message of the pre-shared key method"),
    TS33246["6.4.1"](says="MSKs are delivered with the pre-shared key method"),
    covers=["CR-1c", "MK-03"],
)
def data_type_foreign(message: Message) -> Problems:
    """The data type is not that of a pre-shared key message.

    A receiver dispatches on this octet. An LTKM is the first message of the pre-shared key method, whatever else it
    contains.

    Data type 1 is a terminal's answer: the BSM may have sent a verification message here.
    """
    if message.header is None or message.header.version != 1:
        yield NotApplicable("the message has no header of version 1")
    elif message.header.data_type != 0:
        yield Problem("HDR.data_type", "0 (pre-shared key message)", DATA_TYPES.describe(message.header.data_type))


@MESSAGE_SHAPE.rule(CHAIN, covers=["CR-1c", "MK-04"])
def payload_unknown(message: Message) -> Problems:
    """A Next payload value is not defined at its place.

    The length of an unknown payload cannot be known, so everything after it is lost. Most often a length before it is
    wrong, and what is read as Next payload is something else.

    Check the lengths in the payload before it.
    """
    return _stopped(message, "unknown-payload", "misplaced")


@MESSAGE_SHAPE.rule(
    RFC3830["6"](says="algorithm and type codes determine the length of what follows them"), covers=["MK-12", "MK-07"]
)
def code_unknown(message: Message) -> Problems:
    """A code that determines a length is not defined.

    The types of the timestamp and of the CS ID map and the MAC algorithm determine how many octets follow. After an
    unknown one, the rest of the message is lost.

    Use the codes of RFC 3830 and RFC 6043.
    """
    return _stopped(message, "unknown-code")


@MESSAGE_SHAPE.rule(covers=["CR-1c", "MK-05", "MK-13"])
def length_overrun(message: Message) -> Problems:
    """A payload runs past the end of the message.

    Either a length field is too large, or the message was truncated. A careless receiver reads beyond its buffer.

    If the length of the message is a round number, look for a buffer of that size on the path.
    """
    return _stopped(message, "truncated", "overrun", header=False)


@MESSAGE_SHAPE.rule(covers=["CR-1c", "MK-06", "UDP-09"])
def octets_left_over(message: Message) -> Problems:
    """Extra octets follow the last payload.

    The MAC ends the message. A receiver that takes the last octets as the MAC fails to verify it; others accept octets
    that nobody has authenticated.

    Truncate the buffer to the length of the message before encoding it. One element contains one message, and so does
    one datagram.
    """
    misplaced = any(isinstance(payload, Kemac) for payload in message.payloads[:-1])
    if message.problem is not None and message.problem.kind == "trailing" and not misplaced:
        found = _problem(message.problem)
        hint = "they begin like another MIKEY message" if may_be_message(message.trailing) else ""
        yield replace(found, span=Span(message.problem.offset, message.length), hint=hint)


@MESSAGE_SHAPE.rule(
    TS33246["6.4.5.1"](says="the download form has no crypto session and the empty map"),
    needs=[PSK_MESSAGE],
    covers=["MK-07", "MB-05"],
)
def map_size_wrong(message: Message, context: Context) -> Problems:
    """The header counts crypto sessions, but its map is empty.

    A receiver that trusts the count reads the first payload as sessions. RFC 4563, which defines the map, sets no
    count. MBMS does, but BCAST may differ, so it is a warning there.

    Set #CS to 0 with the empty map.
    """
    header = message.header
    if header is not None and header.cs_id_map_type == EMPTY_MAP and header.cs_count != 0:
        level = level_of(message, context)
        yield Problem("HDR.cs_count", "0 with the empty map", str(header.cs_count), level=level)


@MESSAGE_SHAPE.rule(RFC4563["4"](says="the key IDs fill the extension exactly"), covers=["MK-17"])
def key_ids_malformed(message: Message) -> Problems:
    """The key IDs do not fill their extension.

    A receiver reads beyond the extension, or reads the rest of it as another key ID.

    Make the lengths of the key IDs add up to the length of the extension.
    """
    if message.problem is not None:
        yield NotApplicable("the message does not decode completely")
        return
    for found in message.inner_problems:
        if ".key_ids" in found.path:
            yield _problem(found)


@fault(on=Octets, reference="download", trips={"header-truncated"}, leaves={"mac"})
def cut_header(octets: Octets, *, keep: int = 9) -> bytes:
    """Keep only the first octets of the header."""
    return octets.octets[:keep]


@fault(on=Message, reference="download", trips={"header-truncated"}, leaves={"mac"})
def drop_payloads(message: Message) -> Message:
    """Keep only the header."""
    return replace(message, payloads=())


@fault(on=Octets, reference="download", trips={"version-unsupported"})
def replace_version(octets: Octets, *, version: int = 2) -> bytes:
    """Declare another MIKEY version."""
    return octets.put("HDR.version", bytes((version,)))


@fault(on=Message, reference="download", trips={"data-type-foreign"})
def replace_data_type(message: Message, *, number: int = 1) -> Message:
    """Declare another data type (default: verification message)."""
    return with_header(message, data_type=number)


@fault(on=Octets, reference="download", trips={"payload-unknown"}, leaves={"mac"})
def replace_next_payload(octets: Octets, *, after: str = "RAND", number: int = 200) -> bytes:
    """Replace the Next payload value of a payload."""
    return octets.put(f"{after}.next_payload", bytes((number,)))


@fault(on=Octets, reference="download", trips={"code-unknown"}, leaves={"mac"})
def replace_mac_algorithm(octets: Octets, *, number: int = 200) -> bytes:
    """Declare another MAC algorithm, so that the length of the MAC cannot be known."""
    return octets.put("KEMAC.mac_alg", bytes((number,)))


@fault(on=Octets, reference="download", trips={"length-overrun"}, leaves={"mac"})
def cut_message(octets: Octets, *, octets_off: int = 1) -> bytes:
    """Cut octets off the end of the message."""
    return octets.octets[:-octets_off]


@fault(on=Octets, reference="download", trips={"length-overrun"}, leaves={"mac"})
def lengthen_kemac(octets: Octets, *, length: int = 0xFFFF) -> bytes:
    """Declare more encrypted data than there is."""
    return octets.put("KEMAC.encr_data_length", length.to_bytes(2))


@fault(on=Octets, reference="download", trips={"octets-left-over"}, leaves={"mac"})
def append_octets(octets: Octets, *, value: bytes = b"\0") -> bytes:
    """Append octets to the message."""
    return octets.octets + value


@fault(on=Message, reference="download", trips={"map-size-wrong"})
def count_sessions(message: Message, *, count: int = 1) -> Message:
    """Count crypto sessions that the empty map does not have."""
    return with_header(message, cs_count=count)


@fault(on=Octets, reference="download", trips={"key-ids-malformed"})
def lengthen_key_id(octets: Octets, *, length: int = 200) -> bytes:
    """Declare a first key ID that is longer than its extension."""
    path = next(path for path in octets.spans if path.endswith("key_ids[1].length"))
    return octets.put(path, bytes((length,)))
