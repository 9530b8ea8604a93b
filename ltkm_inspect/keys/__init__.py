"""Keys: derivation, the key ring, and opening and protecting messages."""

from ltkm_inspect.keys.opening import KeyInterval, OpenedMessage, Verdict, interval_of, key_check_value
from ltkm_inspect.keys.ring import KeyRing, Subscriber
from ltkm_inspect.keys.ring_file import RingFile, load
