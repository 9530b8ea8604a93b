"""Relates the exchanges of a run: challenges and answers, exchanges of a terminal, LTKMs of a MUK or an MSK.

What is known of the past is kept in registers, one module each. A register names the keys that an event touches, and
says what its state under a key becomes after the event. First it is told by two of them whether an event counts at all
or repeats an earlier one (`copies`, and in `session` events by id and time); the others take the events that count.
"""

from ltkm_inspect.session.delivery import DeliveredLtkm, OpenedLtkm
from ltkm_inspect.session.event import SessionEvent
from ltkm_inspect.session.ltkm import HALF, LtkmRecord, Muk, distance, is_newer
from ltkm_inspect.session.muks import MukHistory
from ltkm_inspect.session.prior import PriorState
from ltkm_inspect.session.register import SessionSettings
from ltkm_inspect.session.session import HISTORY, Session
from ltkm_inspect.session.sightings import Joined
from ltkm_inspect.session.summary import UNTOLD, EventSummary, TerminalIdentity
