"""Keys: their derivation, the ring that holds them, and what they protect; the only room that imports `cryptography`."""

from ltkm_inspect.keys.derivation import MessageKeys, message_keys, prf
from ltkm_inspect.keys.ring import KeyRing, Subscriber

__all__ = ["KeyRing", "MessageKeys", "Subscriber", "message_keys", "prf"]
