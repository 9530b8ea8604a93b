"""Rules and faults on the identities in an LTKM, compared with realm and user name of the request."""

from dataclasses import replace

from ltkm_inspect.catalogue.changes import with_payload
from ltkm_inspect.catalogue.preconditions import USIM
from ltkm_inspect.catalogue.realm import is_host
from ltkm_inspect.digest import Directives
from ltkm_inspect.fault import FaultError, fault
from ltkm_inspect.finding import Level, NotApplicable, Problem
from ltkm_inspect.mikey import Identity, Message
from ltkm_inspect.rule import Problems, RuleGroup
from ltkm_inspect.spec import TS24109, TS33246, TS33501, Sure
from ltkm_inspect.traffic import Ltkm

NOT_TWO = NotApplicable("the message is not a readable LTKM with two identities in UTF-8")


def _identity(ltkm: Ltkm, index: int) -> str | None:
    """Return one of the two identities of the message as text; None where there are not two, or it is none."""
    message = ltkm.message
    if message is None or message.problem is not None or message.header is None or message.header.data_type != 0:
        return None
    found = message.of(Identity)
    if len(found) != 2:
        return None
    try:
        return found[index].value.decode("utf-8") or None
    except UnicodeDecodeError:
        return None


def _path(ltkm: Ltkm, index: int) -> str:
    """Return the field path of the value of one of the identities."""
    assert ltkm.message is not None
    return f"{ltkm.message.path_of(ltkm.message.of(Identity)[index])}.value"


def _directives(ltkm: Ltkm) -> Directives | None:
    """Return the credentials of the request, or else the first challenge of a 401."""
    event = ltkm.event
    return next(iter(event.challenges), None) if event.authorization is None else event.authorization


def is_for_both(ltkm: Ltkm) -> bool:
    """Tell whether the two identities of the message are the FQDN of the realm and the user name of the credentials."""
    credentials, message = ltkm.event.authorization, ltkm.message
    if credentials is None or message is None or message.problem is not None:
        return False
    realm, username = credentials.realm, credentials.first.get("username")
    if message.header is None or message.header.data_type or realm is None or not realm.fqdn or not username:
        return False
    found = message.of(Identity)
    named = len(found) == 2 and found[0].value == realm.fqdn.encode() and found[1].value == username.encode()
    return named and "userhash" not in credentials.first


IDENTITY_RULES = RuleGroup(Ltkm, needs=[USIM], fast_pass=is_for_both)


@IDENTITY_RULES.rule(
    TS33246["6.4.5.1"](says="IDi is the FQDN of the BM-SC, which the NAF-ID begins with"),
    TS24109["5.2.2.1"](says="the realm holds the FQDN of the server"),
    covers=["ID-11"],
)
def bsm_identity_mismatch(ltkm: Ltkm) -> Problems:
    """IDi in the message differs from the BSM's FQDN in the realm.

    The card finds the MUK by IDi and IDr. The MUK was derived for the FQDN in the realm, so with another IDi the card
    finds no key and the message is lost.

    Use one name for the BSM, in its realm and in its messages. A dot at the end is only a warning: it names the same
    host, but the card compares text.
    """
    directives = _directives(ltkm)
    fqdns = [] if directives is None else [realm.fqdn for realm in directives.realms if is_host(realm.fqdn)]
    got = _identity(ltkm, 0)
    if not fqdns:
        yield NotApplicable("neither the credentials nor a challenge has a realm of GBA or AKMA")
    elif got is None:
        yield NOT_TWO
    elif got not in fqdns and got.lower() not in map(str.lower, fqdns):
        dot = got.lower().rstrip(".") in (fqdn.lower().rstrip(".") for fqdn in fqdns)
        hint = "the same host except for the dot at the end" if dot else ""
        yield Problem(_path(ltkm, 0), fqdns[0], got, hint, Level.WARNING if dot else None)


@IDENTITY_RULES.rule(
    TS33246["6.4.5.1"](says="IDr is the B-TID of the terminal"),
    TS33246["6.2.1.3"](says="the user name of the request is the B-TID"),
    TS33501["W.4.1.3"](says="with AKMA, the A-KID replaces the B-TID", sure=Sure.DERIVED),
    covers=["ID-12"],
)
def terminal_identity_mismatch(ltkm: Ltkm) -> Problems:
    """IDr in the message differs from the user name of the request.

    The message is for another terminal, or for an earlier bootstrapping of this one. The card has no MUK for it, or a
    wrong one, so the key is lost.

    Check whether the BSM mixes up terminals, or still uses the B-TID or A-KID from before the last bootstrapping.
    """
    credentials = ltkm.event.authorization
    wanted = None if credentials is None else credentials.first.get("username")
    got = _identity(ltkm, 1)
    if credentials is None or not wanted or credentials.hides_username:
        yield NotApplicable("the request has no credentials with a plain-text user name")
    elif got is None:
        yield NOT_TWO
    elif got != wanted:
        alike = _folded(got) == _folded(wanted)
        hint = "only the case of the domain differs" if alike else ""
        yield Problem(_path(ltkm, 1), wanted, got, hint, Level.WARNING if alike else None)


def _folded(b_tid: str) -> tuple[str, str]:
    local, _, domain = b_tid.partition("@")
    return local, domain.lower()


def _renamed(message: Message, index: int, name: str) -> Message:
    found = message.of(Identity)
    if len(found) <= index:
        raise FaultError("the message has no such identity")
    changed = replace(found[index], value=name.encode("utf-8", "surrogateescape"))
    return with_payload(message, found[index], changed)


@fault(on=Message, reference="download", trips={"bsm-identity-mismatch"})
def replace_bsm_identity(message: Message, *, to: str = "bsm.home2.net") -> Message:
    """Write another name into IDi."""
    return _renamed(message, 0, to)


@fault(on=Message, reference="download", trips={"bsm-identity-mismatch"})
def end_bsm_identity(message: Message) -> Message:
    """Add a dot to the end of IDi."""
    return _renamed(message, 0, message.of(Identity)[0].value.decode("utf-8", "surrogateescape") + ".")


@fault(on=Message, reference="download", trips={"terminal-identity-mismatch"})
def replace_terminal_identity(message: Message, *, to: str = "QUJDREVGR0hJSktMTU5PUA==@bsf.home1.net") -> Message:
    """Write another terminal's B-TID into IDr."""
    return _renamed(message, 1, to)


@fault(on=Message, reference="download", trips={"bsm-identity-mismatch", "terminal-identity-mismatch"})
def swap_identities(message: Message) -> Message:
    """Swap IDi and IDr."""
    first, second = (identity.value.decode("utf-8", "surrogateescape") for identity in message.of(Identity)[:2])
    return _renamed(_renamed(message, 0, second), 1, first)
