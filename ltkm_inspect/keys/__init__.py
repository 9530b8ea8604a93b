"""Keys: how they are derived, the ring that holds them, and what they protect."""

from ltkm_inspect.keys.derivation import MessageKeys, message_keys, prf
from ltkm_inspect.keys.ring import KeyRing, Subscriber

__all__ = ["KeyRing", "MessageKeys", "Subscriber", "message_keys", "prf"]
