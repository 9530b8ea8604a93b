"""Rules and faults on the key and the policy of an MSK, compared across its deliveries."""

from collections.abc import Sequence
from dataclasses import replace

from ltkm_inspect.catalogue.changes import with_payloads, without
from ltkm_inspect.catalogue.keys import entry_of, rekeyed
from ltkm_inspect.catalogue.preconditions import KEY_DATA, MSK_BEFORE, NEW_LTKM
from ltkm_inspect.catalogue.profile import SRTP_MAP, level_of
from ltkm_inspect.context import Context
from ltkm_inspect.fault import fault
from ltkm_inspect.finding import Level, NotApplicable, Problem
from ltkm_inspect.mikey import Interval, Message, SecurityPolicy
from ltkm_inspect.mikey.keydata import Validity
from ltkm_inspect.rule import Problems, RuleGroup
from ltkm_inspect.session import DeliveredLtkm, OpenedLtkm
from ltkm_inspect.session.ltkm import DeliveredKey
from ltkm_inspect.spec import RFC4563, TS33246, Verb
from ltkm_inspect.wire import count

REPLACED = TS33246["6.5.3"](says="a message with a known MSK ID replaces the key", verb=Verb.MAY)
KEY = "KEMAC.encr_data.key_data.key"
NO_KEY = NotApplicable("the message delivers no key to a terminal")
NO_POLICY = NotApplicable("the message has no security policy, or no MSK ID")


def _delivery(opening: OpenedLtkm) -> DeliveredLtkm | NotApplicable:
    delivery = opening.delivery
    return NO_KEY if delivery is None or delivery.sent.key is None else delivery


DELIVERY_RULES = RuleGroup(DeliveredLtkm, covers=["XF-07"])
KEY_RULES = RuleGroup(OpenedLtkm, cite=[REPLACED], needs=[KEY_DATA], takes=_delivery)


@DELIVERY_RULES.rule(
    TS33246["6.4.5.1"](says="the policy does not change while the service uses it", verb=Verb.SHOULD), needs=[NEW_LTKM]
)
def policy_changed(delivery: DeliveredLtkm) -> Problems:
    """The security policy differs from the one delivered before with the same MSK.

    Terminals with the old policy and those with the new one decrypt the same stream differently, and some of them fail.
    Each delivery within 24 hours (`msk_hours`), to any terminal, is compared with the first one.

    Change the policy only together with the MSK, or between two broadcasts.
    """
    sent, reference = delivery.sent, delivery.msk.policies
    if not sent.policies or sent.msk is None:
        yield NO_POLICY
    elif reference is None:
        yield NotApplicable("no policy was delivered with this MSK before")
    elif reference.value != sent.policies:
        yield Problem("SP", "the policy delivered before with this MSK", _difference(reference.value, sent.policies))


@DELIVERY_RULES.note(RFC4563["7"](says="a new key may come with a new policy", verb=Verb.MAY))
def policy_renewed(delivery: DeliveredLtkm) -> Problems:
    """A new MSK has another security policy than the previous MSK of its Key Group.

    Terminals use the new policy from this MSK on.

    Nothing is wrong.
    """
    sent, last = delivery.sent, delivery.group
    if not sent.policies or sent.msk is None:
        yield NO_POLICY
    elif last is None or delivery.msk.policies is not None:
        yield NotApplicable("the MSK is not new, or is the first of its Key Group with a policy")
    elif last.msk != sent.msk and last.policies != sent.policies:
        hint = f"the previous MSK ID is {last.msk[2].hex()}"
        yield Problem("SP", got=_difference(last.policies, sent.policies), hint=hint)


def _difference(before: Sequence[SecurityPolicy], sent: Sequence[SecurityPolicy]) -> str:
    """Return in what the policies of two messages differ, in words."""
    if len(before) != len(sent):
        return f"{count(len(sent), 'SP payload')} instead of {len(before)}"
    for old, new in zip(before, sent, strict=True):
        known = {each.type: each.value for each in old.params}
        for each in new.params:
            if known.get(each.type) != each.value:
                was = known[each.type].hex() if each.type in known else "none"
                return f"{each.value.hex()} instead of {was} for parameter {each.type}"
    return "another policy"


@DELIVERY_RULES.rule(
    TS33246["6.4.5.1"](says="a message that answers an MSK request for streaming carries the SP payload"),
    covers=["MB-06"],
)
def policy_missing(delivery: DeliveredLtkm, context: Context) -> Problems:
    """An LTKM for streaming has no security policy.

    A terminal that asks for a stream's key for the first time has no other source for the SRTP parameters.

    Send the SP payload in every message that answers an MSK request. If the same MSK was delivered before, this is a
    warning.
    """
    message = delivery.message
    header = message.header
    if header is None or header.cs_id_map_type != SRTP_MAP or not header.cs_count:
        yield NotApplicable("the message does not have the streaming form")
    elif delivery.sent.is_push and not delivery.is_requested:
        yield NotApplicable("the message was pushed, and the terminal did not ask for the key")
    elif not delivery.sent.policies:
        known = delivery.same_msk is not None
        yield Problem("SP", "an SP payload", "none", level=Level.WARNING if known else level_of(message, context))


@DELIVERY_RULES.note(
    TS33246["6.5.3"](says="a message with a known MSK ID replaces the key, or updates its validity", verb=Verb.MAY),
    needs=[MSK_BEFORE],
    covers=["XF-08"],
)
def msk_delivered_again(delivery: DeliveredLtkm) -> Problems:
    """An MSK is delivered again.

    The terminal replaces the key, or updates its validity. It takes the MUK to tell which.

    Nothing is wrong.
    """
    sent, before = delivery.sent, delivery.same_msk
    assert before is not None
    assert sent.msk is not None
    if before.octets != sent.octets:
        change = f"{_change(before.key, sent.key)}; " if before.key is not None and sent.key is not None else ""
        got = f"MSK ID {sent.msk[2].hex()} again"
        yield Problem("EXT", got=got, hint=f"{change}delivered before with counter {before.counter}")


def _change(before: DeliveredKey, now: DeliveredKey) -> str:
    """Return in words what a second delivery changes."""
    if not now.hash:
        return "only another validity"
    if before.hash != now.hash:
        return "another key"
    same = before.validity == now.validity
    return "the same key and validity" if same else "the same key with another validity"


@DELIVERY_RULES.note(
    TS33246["6.5.3"](says="a card keeps two MSKs of one Key Group, and drops the oldest for a third", verb=Verb.MAY),
    covers=["XF-11"],
)
def msk_beyond_two(delivery: DeliveredLtkm) -> Problems:
    """A third MSK of one Key Group is delivered.

    The card keeps two and drops the oldest. What the oldest one protects can no longer be decrypted.

    Nothing is wrong as long as the oldest is no longer in use.
    """
    sent, group = delivery.sent, delivery.sent.key_group
    if group is None:
        yield NotApplicable("the message has no MSK ID")
        return
    others = {each.msk for each in delivery.earlier if each.key_group == group} - {sent.msk}
    if len(others) > 1:
        yield Problem("EXT", got=f"{len(others) + 1} MSKs of Key Group {group[2].hex()}", hint="the card keeps two")


@KEY_RULES.warning(
    level_reason="a key may be replaced for all terminals (a violation if the old one comes back)",
    needs=[KEY_DATA, NEW_LTKM],
    covers=["XF-13"],
)
def msk_key_changed(_: OpenedLtkm, delivery: DeliveredLtkm) -> Problems:
    """The key differs from the one delivered before under the same MSK ID.

    Terminals with the old key cannot open what the new one protects. That is right if the key was replaced and every
    terminal then gets the new one. If a replaced key comes back, two keys are in use under one MSK ID. Deliveries to
    all terminals within 24 hours (`msk_hours`) are compared.

    Check whether several BSM processes create keys for the same MSK ID. Compare the key check values.
    """
    key, msk = delivery.sent.key, delivery.msk
    if key is None or not key.hash:
        yield NO_KEY
    elif msk.key is None:
        yield NotApplicable("no key of this MSK was delivered before")
    elif msk.key.hash != key.hash:
        is_known = any(each.hash == key.hash for each in msk.keys)
        if not is_known:
            yield Problem(KEY, f"{_named(msk.key)} as before", _named(key))
        elif not msk.is_overtaken(delivery.sent):
            hint = "this key was in use before that one"
            yield Problem(KEY, f"{_named(msk.key)} as before", _named(key), hint, Level.VIOLATION)


def _named(key: DeliveredKey) -> str:
    return f"the key with check value {key.check_value}" if key.check_value else "another key"


@KEY_RULES.note(covers=["XF-14"])
def validity_unlike(_: OpenedLtkm, delivery: DeliveredLtkm) -> Problems:
    """The validity of an MSK differs from that for another terminal.

    The subscriptions of the terminals differ, or the validity was updated.

    Nothing is wrong.
    """
    key, latest = delivery.sent.key, delivery.msk.latest
    assert key is not None
    if latest is None or latest.key is None or latest.muk == delivery.muk:
        yield NotApplicable("the MSK was not delivered to another terminal before")
    elif latest.key.validity != key.validity:
        hint = f"{_limits(latest.key.validity)} for another terminal"
        yield Problem("KEMAC.encr_data.key_data.validity", got=_limits(key.validity), hint=hint)


def _limits(validity: Validity) -> str:
    if isinstance(validity, Interval):
        return f"SEQ {validity.valid_from.hex()} to {validity.valid_to.hex()}"
    return "no validity" if validity is None else f"SPI {validity.spi.hex()}"


@fault(on=DeliveredLtkm, reference="streaming-two-terminals", trips={"policy-changed"})
def replace_policy(delivery: DeliveredLtkm, *, type: int = 13, value: bytes = b"\0\x14") -> Message:
    """Change one parameter of the security policy (default: the ROC transmission rate)."""
    policy = delivery.message.of(SecurityPolicy)[0]
    params = tuple(replace(each, value=value) if each.type == type else each for each in policy.params)
    return with_payloads(delivery.message, replace(policy, params=params))


@fault(on=DeliveredLtkm, reference="streaming", trips={"policy-missing"})
def drop_policy(delivery: DeliveredLtkm) -> Message:
    """Remove the security policy from a message for streaming."""
    return without(delivery.message, delivery.message.of(SecurityPolicy))


@fault(on=OpenedLtkm, reference="two-terminals", trips={"msk-key-changed"})
def deliver_other_key(opening: OpenedLtkm, *, key: bytes = bytes(range(0xB0, 0xC0))) -> Message:
    """Deliver a key that differs from the one delivered before under the same MSK ID."""
    return rekeyed(opening, replace(entry_of(opening), key=key))
