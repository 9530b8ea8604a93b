"""Rules and faults on datagrams of every kind: their ports, and what else is in them."""

from dataclasses import replace

from ltkm_inspect.catalogue.preconditions import PUSH_OR_PULL
from ltkm_inspect.fault import fault
from ltkm_inspect.finding import NotApplicable, Problem
from ltkm_inspect.packets import MIKEY_PORT
from ltkm_inspect.rule import Problems, RuleGroup
from ltkm_inspect.session import SentDatagram
from ltkm_inspect.spec import RFC3830, TS33246, Sure, Verb
from ltkm_inspect.subject import Octets
from ltkm_inspect.traffic import Datagram, address_and_port, may_be_message
from ltkm_inspect.wire import Span

DATAGRAM_RULES = RuleGroup(SentDatagram)


@DATAGRAM_RULES.warning(
    TS33246["6.4.1"](says="MIKEY messages are sent over UDP from and to port 2269"),
    needs=[PUSH_OR_PULL],
    level_reason="a NAT in front of the place of the capture may have replaced the port",
    covers=["UDP-08"],
)
def push_port_unusual(datagram: SentDatagram, *, port: int = MIKEY_PORT) -> Problems:
    """A push is not sent from and to port 2269.

    A terminal listens at 2269 and nowhere else. A firewall that lets MIKEY through knows only that port.

    Look for the NAT that replaced the port; if there is none, correct the port in the BSM.
    """
    ports = [address_and_port(address)[1] for address in (datagram.event.source, datagram.event.target)]
    if not any(ports):
        yield NotApplicable("the capture does not have the ports")
    for found, what in zip(ports, ("source", "destination"), strict=True):
        if found and found != str(port):
            yield Problem("", f"{what} port {port}", found)


@DATAGRAM_RULES.rule(
    TS33246["6.4.1"](says="a datagram carries one MIKEY message", sure=Sure.DERIVED),
    RFC3830["6"](says="the last payload has the Next payload 0, and ends the message"),
    covers=["UDP-09"],
)
def datagram_crowded(datagram: SentDatagram) -> Problems:
    """Octets follow the message in a datagram that delivers no key.

    A receiver takes one message from a datagram. It ignores the rest, or refuses the whole. In a push or a solicited
    pull, octets-left-over says so.

    Send each message in a datagram of its own.
    """
    message, problem = datagram.message, datagram.message.problem
    if datagram.event.ltkms:
        yield NotApplicable("the datagram has an LTKM, so octets after it are reported by octets-left-over")
    elif problem is not None and problem.kind == "trailing":
        hint = "they begin like another MIKEY message" if may_be_message(message.trailing) else ""
        found = Problem.of_reason(problem.reason, problem.path, hint=hint)
        yield replace(found, span=Span(problem.offset, message.length))


@DATAGRAM_RULES.note(
    TS33246["6.4.3"](
        says="a message that is sent again has another counter, so two with the same octets are one", verb=Verb.MAY
    ),
    covers=["XF-01"],
)
def datagram_captured_twice(datagram: SentDatagram) -> Problems:
    """The same datagram was captured before, octet for octet.

    Two captures overlap, or one was taken at two places. Two datagrams are the same if their times are at most 1 second
    apart, or if they are from two captures whose clocks may differ that much (`clock_skew`). The second one is not
    compared with the first.

    Nothing is wrong.
    """
    twin = datagram.before.twin
    if twin is not None:
        yield Problem("", got="the same datagram as before", hint=twin or "one without an id")


@fault(on=SentDatagram, reference="push", trips={"push-port-unusual"})
def replace_port(datagram: SentDatagram, *, port: int = 40000) -> Datagram:
    """Send the datagram from another port of the BSM, in a flow file together with all others of its flow."""
    return replace(datagram.event, server=f"{datagram.event.server.rpartition(':')[0]}:{port}")


@fault(on=SentDatagram, reference="acknowledged-push", trips={"datagram-crowded"})
def append_to_datagram(datagram: SentDatagram, *, value: bytes = b"\0") -> Datagram:
    """Append octets to the message of a terminal."""
    return replace(datagram.event, octets=datagram.event.octets + value)


@fault(on=Octets, reference="push", trips={"octets-left-over"}, leaves={"mac"})
def double_message(octets: Octets) -> bytes:
    """Send the message twice in one datagram, one right after the other."""
    return octets.octets * 2
