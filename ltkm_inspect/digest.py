"""HTTP Digest (RFC 2617, 7616, 7615): directives as they were written, and the digests over them."""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

ALGORITHMS: Mapping[str, Callable[..., "hashlib._Hash"]] = {
    "MD5": lambda octets: hashlib.md5(octets, usedforsecurity=False),
    "MD5-SESS": lambda octets: hashlib.md5(octets, usedforsecurity=False),
    "SHA-256": hashlib.sha256,
    "SHA-256-SESS": hashlib.sha256,
}
"""The hash of each algorithm name (upper case) that can be computed."""

_DIRECTIVE = re.compile(
    r"""\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))\s*(?:,|$)""", re.S
)


@dataclass(frozen=True, slots=True)
class Directive:
    """One `name=value` of a digest header, as it was written."""

    name: str
    """In the case it was written in."""
    value: str
    """Without quotation marks and quoted-pair backslashes."""
    quoted: bool = False

    def __str__(self) -> str:
        if not self.quoted:
            return f"{self.name}={self.value}"
        escaped = self.value.replace("\\", "\\\\").replace('"', '\\"')
        return f'{self.name}="{escaped}"'


@dataclass(frozen=True, slots=True)
class Directives:
    """The directives of a digest header in their order; looked up without regard to case."""

    fields: tuple[Directive, ...] = ()
    rest: str = ""
    """Text at the end that is not a list of directives."""

    def get(self, name: str) -> str | None:
        """Return the value of the first directive of that name, or None."""
        wanted = name.lower()
        return next((field.value for field in self.fields if field.name.lower() == wanted), None)

    def __str__(self) -> str:
        return ", ".join([*map(str, self.fields), *([self.rest] if self.rest else [])])


def parse_directives(text: str) -> Directives:
    """Parse the value of Authentication-Info, or a challenge or credentials behind the word Digest; never raises."""
    fields = []
    at = 0
    while at < len(text) and (match := _DIRECTIVE.match(text, at)):
        name, quoted, token = match.groups()
        value = re.sub(r"\\(.)", r"\1", quoted, flags=re.S) if quoted is not None else token
        fields.append(Directive(name, value, quoted is not None))
        at = match.end()
    return Directives(tuple(fields), text[at:].strip())


def parse_credentials(text: str | None) -> Directives | None:
    """Parse an Authorization or WWW-Authenticate value; None when it is absent or of another scheme than Digest."""
    scheme, _, rest = (text or "").strip().partition(" ")
    return parse_directives(rest) if scheme.lower() == "digest" else None


def response(credentials: Directives, password: bytes, method: str, body: bytes = b"") -> str:
    """Compute the `response` directive of a request (RFC 7616 §3.4.1) over its body as sent.

    Raises ValueError naming the directive that is missing or not understood.
    """
    return _digest(credentials, password, method, body)


def rspauth(credentials: Directives, password: bytes, body: bytes = b"") -> str:
    """Compute the `rspauth` of the response that answers these credentials (RFC 7616 §3.5) over its body as sent.

    The body is without transfer coding and with its content coding. Raises ValueError as `response` does.
    """
    return _digest(credentials, password, "", body)


def _digest(credentials: Directives, password: bytes, method: str, body: bytes) -> str:
    name = (credentials.get("algorithm") or "MD5").upper()
    if name not in ALGORITHMS:
        raise ValueError(f"algorithm: expected one of {', '.join(ALGORITHMS)}")

    def hexdigest(*parts: bytes) -> bytes:
        return ALGORITHMS[name](b":".join(parts)).hexdigest().encode()

    def need(directive: str) -> bytes:
        value = credentials.get(directive)
        if value is None:
            raise ValueError(f"{directive}: expected a value, got none")
        return value.encode("utf-8", "surrogateescape")

    ha1 = hexdigest(need("username"), need("realm"), password)
    if name.endswith("-SESS"):
        ha1 = hexdigest(ha1, need("nonce"), need("cnonce"))
    qop = credentials.get("qop")
    a2 = [method.encode(), need("uri")]
    if qop is None:
        return hexdigest(ha1, need("nonce"), hexdigest(*a2)).decode()
    if qop.lower() not in ("auth", "auth-int"):
        raise ValueError("qop: expected auth or auth-int")
    if qop.lower() == "auth-int":
        a2.append(hexdigest(body))
    return hexdigest(ha1, need("nonce"), need("nc"), need("cnonce"), need("qop"), hexdigest(*a2)).decode()
