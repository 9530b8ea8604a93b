"""The kinds of subject: each finds its subjects in an exchange, and applies a fault to one of them."""

from ltkm_inspect.subject.kind import Kind
from ltkm_inspect.subject.kinds import FOUND, KINDS, message_sites
from ltkm_inspect.subject.site import Octets, Site
