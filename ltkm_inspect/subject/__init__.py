"""The kinds of subject: each finds its subjects in an event, and tells what a fault makes of one of them."""

from ltkm_inspect.subject.kinds import FOUND, KINDS, Kind, message_sites
from ltkm_inspect.subject.site import Octets, Site
