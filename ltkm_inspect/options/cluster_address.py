"""The cluster that somebody names: workers on this machine, or a scheduler elsewhere."""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from ltkm_inspect.options.words import OptionError
from ltkm_inspect.wire import printable
from ltkm_inspect.wire.urls import shown_name

_LOCAL = re.compile(r"local(?::([1-9][0-9]{0,3}))?")
_ENCRYPTED = frozenset({"tls", "wss"})


@dataclass(frozen=True, slots=True)
class ClusterAddress:
    """Where the workers of a run are."""

    scheduler: str = ""
    """The address of a scheduler; empty for workers on this machine."""
    workers: int | None = None
    """How many workers to start on this machine; None for one per core."""

    @classmethod
    def parse(cls, text: str) -> "ClusterAddress":
        """Return what the option `--cluster` means; OptionError if nothing."""
        local = _LOCAL.fullmatch(text)
        if local is not None:
            return cls(workers=int(local[1]) if local[1] else None)
        address = text if "://" in text else f"tcp://{text}"
        try:
            parts = urlsplit(address)
            has_place = parts.hostname not in (None, "local") and parts.port is not None and "@" not in parts.netloc
        except ValueError:
            has_place = False
        if not has_place:
            got = printable(shown_name(text)) or "nothing"
            wanted = "local, local:N or the address of a scheduler, such as tls://host:8786"
            raise OptionError("cluster", f"expected {wanted}, got {got}")
        return cls(address)

    @property
    def is_safe(self) -> bool:
        """What is sent to the workers cannot be read on the way: it stays on this machine, or is encrypted."""
        parts = urlsplit(self.scheduler)
        host = parts.hostname or ""
        if not self.scheduler or parts.scheme in _ENCRYPTED or host == "localhost":
            return True
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return False
