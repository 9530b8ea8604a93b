"""Rules and faults on the OMA BCAST extension of a message."""

from ltkm_inspect.catalogue.changes import with_payload
from ltkm_inspect.catalogue.preconditions import PSK_MESSAGE
from ltkm_inspect.document import unsigned_byte
from ltkm_inspect.fault import fault
from ltkm_inspect.finding import Level, NotApplicable, Problem
from ltkm_inspect.mikey import GeneralExtension, Message, OmaBcast
from ltkm_inspect.mikey.codes import BCAST_SUBTYPES
from ltkm_inspect.mikey.extension import OMA_BCAST
from ltkm_inspect.mikey.management import LTKM_SUBTYPE, read_management_data
from ltkm_inspect.rule import Problems, RuleGroup, rule
from ltkm_inspect.spec import RFC5410, Sure
from ltkm_inspect.subject import Octets
from ltkm_inspect.traffic import LtkmElement

MANAGEMENT_DATA = RFC5410["3"](
    says="what follows the subtype has the layout of OMA's specification", sure=Sure.RECALL_LOW
)
UNVERIFIED = "unverified"
VERSION = "protocol_version"
"""The field of the management data that is compared with the version attribute, where the layout has one."""


def _bcast(extension: GeneralExtension) -> OmaBcast | NotApplicable | None:
    """Return what the OMA BCAST extension holds; None where that is less than a subtype."""
    if extension.type != OMA_BCAST:
        return NotApplicable("the extension is not the OMA BCAST extension")
    return extension.value if isinstance(extension.value, OmaBcast) else None


EXTENSION_SHAPE = RuleGroup(GeneralExtension, takes=_bcast, shape_only=True)
MESSAGE_SHAPE = RuleGroup(Message, needs=[PSK_MESSAGE], shape_only=True)


@EXTENSION_SHAPE.rule(
    RFC5410["3"](says="subtype 1 is an LTKM; 2 an STKM, 3 a report, 4 parental control"), covers=["BC-02", "BC-03"]
)
def bcast_subtype_foreign(_: GeneralExtension, bcast: OmaBcast | None) -> Problems:
    """The subtype of the OMA BCAST extension is not that of an LTKM.

    A BCAST terminal dispatches on this octet, so it does not treat the message as a long-term key message.

    Send subtype 1.
    """
    if bcast is None:
        yield Problem("value", "a subtype of 1 octet", "no octets")
    elif bcast.subtype != LTKM_SUBTYPE:
        level = None if bcast.subtype in BCAST_SUBTYPES else Level.WARNING
        expected, got = BCAST_SUBTYPES.describe(LTKM_SUBTYPE), BCAST_SUBTYPES.describe(bcast.subtype)
        yield Problem("subtype", expected, got, level=level)


@MESSAGE_SHAPE.note(RFC5410["3"](says="one BCAST extension in a message", sure=Sure.RECALL_MIDDLE), covers=["BC-01"])
def bcast_repeated(message: Message) -> Problems:
    """The message has more than one OMA BCAST extension.

    The terminal decides which one counts.

    Send one extension.
    """
    count = len(message.extensions(OMA_BCAST))
    if count > 1:
        yield Problem("EXT", "one extension of type 5 (OMA BCAST)", str(count))


@MESSAGE_SHAPE.note(
    RFC5410["3"](says="the extension carries what BCAST adds", sure=Sure.RECALL_MIDDLE), covers=["BC-06"]
)
def bcast_absent(message: Message) -> Problems:
    """The message has no OMA BCAST extension: it is a plain MBMS MSK message.

    A BCAST terminal processes it as MBMS specifies.

    Nothing is wrong.
    """
    if not message.extensions(OMA_BCAST):
        yield Problem("EXT", got="no OMA BCAST extension of type 5", hint="plain MBMS")


def _told(data: bytes) -> str:
    """Return the fields that are not 0, with their values."""
    nonzero = [(part.name, part.value) for part in read_management_data(data) if part.value]
    return ", ".join(f"{name} {value.hex() if isinstance(value, bytes) else value}" for name, value in nonzero)


@EXTENSION_SHAPE.note(MANAGEMENT_DATA, covers=["BC-05"])
def management_data_present(_: GeneralExtension, bcast: OmaBcast | None) -> Problems:
    """The BCAST management data has values other than its defaults.

    It may bind the key to a terminal, count its use or ask for reports. The layout used to read it was not checked
    against the OMA text, so this reading is unverified; the octets are shown as well.

    Compare the octets with the configuration of the BSM.
    """
    if bcast is None or bcast.subtype != LTKM_SUBTYPE:
        yield NotApplicable("the extension is not an LTKM's, reported by bcast-subtype-foreign")
    elif not bcast.data:
        yield NotApplicable("the extension has no management data after its subtype")
    elif any(bcast.data):
        yield Problem("data", got=bcast.data.hex(), hint=f"{UNVERIFIED}: {_told(bcast.data)}")


@rule(MANAGEMENT_DATA, on=LtkmElement, level=Level.NOTE, covers=["BC-07"])
def management_version_differs(ltkm: LtkmElement) -> Problems:
    """The LTKM element has version 0, but the management data has another version.

    Element and message seem to come from different releases of the BSM software. The place of the version in the
    management data is unverified.

    Find out which BCAST release the BSM's key management is set to.
    """
    if ltkm.message is None or ltkm.message.problem is not None:
        yield NotApplicable("the LTKM has no message that decodes completely")
        return
    extensions = ltkm.message.extensions(OMA_BCAST)
    value = extensions[0].value if extensions else None
    if not isinstance(value, OmaBcast) or value.subtype != LTKM_SUBTYPE or not value.data:
        yield NotApplicable("the message has no BCAST management data")
        return
    version = next((part.value for part in read_management_data(value.data) if part.name == VERSION), 0)
    if version and unsigned_byte(ltkm.element.get("version", "0"))[0] == 0:
        yield Problem("", "version 0 in the management data", str(version), UNVERIFIED)


@fault(on=Octets, reference="download", trips={"bcast-subtype-foreign"})
def replace_subtype(octets: Octets, *, number: int = 2) -> bytes:
    """Give the OMA BCAST extension another subtype (default: STKM)."""
    path = next(path for path in octets.spans if path.endswith(".subtype"))
    return octets.put(path, bytes((number,)))


@fault(on=Message, reference="download", trips={"bcast-subtype-foreign"})
def empty_bcast(message: Message) -> Message:
    """Send the OMA BCAST extension without a subtype."""
    return with_payload(message, message.extensions(OMA_BCAST)[0], GeneralExtension(OMA_BCAST, b""))
