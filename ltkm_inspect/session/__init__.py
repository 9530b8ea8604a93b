"""Relates the exchanges of a run: challenges and answers, exchanges of a terminal, LTKMs of a MUK or an MSK.

Registers keep what is known of the past, one module each. A register names the keys that an event touches, and computes
its state under each key after the event. Two registers come first (`copies`, and in `session` the events by id and
time): they decide whether an event counts, or is the same as an earlier one or repeats it. The others only take the
events that count.
"""

from ltkm_inspect.session.delivery import DeliveredLtkm, OpenedLtkm
from ltkm_inspect.session.event import SessionEvent
from ltkm_inspect.session.keyed_event import KeyedEvent
from ltkm_inspect.session.ltkm import HALF, LtkmRecord, Muk, distance, is_newer
from ltkm_inspect.session.muks import MukHistory
from ltkm_inspect.session.prior import PriorState
from ltkm_inspect.session.push import Push
from ltkm_inspect.session.register import SessionSettings
from ltkm_inspect.session.sent_datagram import PendingPush, SentDatagram, pending_at_end, pending_pushes
from ltkm_inspect.session.session import HISTORY, Session
from ltkm_inspect.session.sightings import Joined
from ltkm_inspect.session.summary import UNKNOWN_TERMINAL, EventSummary, TerminalIdentity
