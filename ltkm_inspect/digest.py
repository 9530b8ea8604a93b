"""HTTP Digest (RFC 2617, 7616, 7615): parses directives as written, and computes digests."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import NamedTuple

_HASHES: Mapping[str, Callable[..., "hashlib._Hash"]] = {
    "MD5": partial(hashlib.md5, usedforsecurity=False),
    "SHA-256": hashlib.sha256,
    "SHA-512-256": partial(hashlib.new, "sha512_256"),
}
ALGORITHMS = {name + session: hash for name, hash in _HASHES.items() for session in ("", "-SESS")}
"""The hash of each algorithm name (upper case) of RFC 7616; ValueError where the OpenSSL of Python lacks it."""

AKMA_PREFIX = "3GPP-bootstrapping-akma"
REALM_PREFIXES: Mapping[str, str] = {
    "3GPP-bootstrapping": "3gpp-gba",
    "3GPP-bootstrapping-uicc": "3gpp-gba-uicc",
    "3GPP-bootstrapping-digest": "3gpp-gba-digest",
    AKMA_PREFIX: "3gpp-akma",
}
"""The prefixes of a realm before the @, with the product token of User-Agent that each needs.

The prefixes and tokens of GBA are those of 3GPP TS 24.109 5.2.1 and 5.2.2.1, those of AKMA are from TS 33.535 Annex B.
"""

_HOST = r"[0-9a-z_-]++(?:\.[0-9a-z_-]++)*+\.?"
_B_TID = re.compile(rf"[A-Za-z0-9+/]{{22}}==@{_HOST}", re.I)
_A_TID = re.compile(rf"[^\s@]*+(?<=([0-9a-f]{{64}}))@{_HOST}", re.I)
_NAI = re.compile(rf"[^\s@\x00-\x1f\x7f]++@{_HOST}", re.I)

# Empty elements between commas are legal in every list of RFC 9110 (5.6.1).
_DIRECTIVE = re.compile(
    r"""[\s,]*+([!#$%&'*+.^_`|~0-9A-Za-z-]++)\s*+=\s*+(?:"([^"\\]*+(?:\\.[^"\\]*+)*+)"|([^\s,"]*+))\s*+(?:,|$)""", re.S
)
# What follows the first value of a list of qop that lacks its quotation marks.
_MORE_QOP = re.compile(r"""\s*+auth(?:-int)?+(?=\s*+(?:,|$))(?:\s*+,\s*+auth(?:-int)?+(?=\s*+(?:,|$)))*+""")
_PAIR = re.compile(r"""([a-z-]+)=(?:(")([^"\\]*+)"|([^\s,"]++))""")
_USUAL = re.compile(r"""[a-z-]++=(?:"[^"\\]*+"|[^\s,"]++)(?:, ?[a-z-]++=(?:"[^"\\]*+"|[^\s,"]++))*+""")
_SCHEME = re.compile(r"""[\s,]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?=\s|,|$)""")


class Directive(NamedTuple):
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


@dataclass  # not frozen, which would treble what it costs to make
class Directives:
    """The directives of a digest header in their order; looked up without regard to case."""

    fields: tuple[Directive, ...] = ()
    rest: str = ""
    """Text at the end that is not a list of directives."""

    @cached_property
    def first(self) -> Mapping[str, str]:
        """The value of the first directive of each name (lower case)."""
        return {field.name.lower(): field.value for field in reversed(self.fields)}

    def get(self, name: str) -> str | None:
        """Return the value of the first directive of that name, or None."""
        return self.first.get(name.lower())

    @property
    def digits(self) -> int | None:
        """How many hex digits a digest of its algorithm has; None for an algorithm that is not known."""
        name = (self.first.get("algorithm") or "MD5").upper()
        return (32 if name.startswith("MD5") else 64) if name in ALGORITHMS else None

    @cached_property
    def realms(self) -> "tuple[Realm, ...]":
        """The realms that its realm names; none where that does not have the form of GBA or AKMA."""
        return parse_realms(self.first.get("realm"))

    @property
    def realm(self) -> "Realm | None":
        """The first of its realms, where it has the form of GBA or AKMA."""
        return self.realms[0] if self.realms else None

    @property
    def hides_username(self) -> bool:
        """It does not give the user name as plain text: hashed (userhash) or encoded (username*), RFC 7616 §3.4.4."""
        return self.first.get("userhash", "").lower() == "true" or (
            "username" not in self.first and "username*" in self.first
        )

    def put(self, name: str, value: str, *, quoted: bool = False) -> "Directives":
        """Return the directives with one of that name: in the place of the first such one, or at the end."""
        new = Directive(name, value, quoted)
        wanted = name.lower()
        at = next((at for at, field in enumerate(self.fields) if field.name.lower() == wanted), len(self.fields))
        others = (field for field in self.fields[at:] if field.name.lower() != wanted)
        return replace(self, fields=(*self.fields[:at], new, *others))

    def refilled(self, values: Mapping[str, str]) -> "Directives":
        """Return the directives with other values (by name in lower case) where such names stand, quoted as before."""
        fields = [field._replace(value=values.get(field.name.lower(), field.value)) for field in self.fields]
        return replace(self, fields=tuple(fields))

    def without(self, name: str) -> "Directives":
        """Return the directives but those of that name."""
        wanted = name.lower()
        return replace(self, fields=tuple(field for field in self.fields if field.name.lower() != wanted))

    def __str__(self) -> str:
        return ", ".join([*map(str, self.fields), *([self.rest] if self.rest else [])])


@dataclass(frozen=True, slots=True)
class Realm:
    """A realm of GBA or AKMA, taken apart at its @ (3GPP TS 24.109 5.2.2.1, TS 33.535 Annex B)."""

    prefix: str
    fqdn: str
    """The name of the server, as it was written; may be empty."""


def is_b_tid(text: str) -> bool:
    """Tell whether a text has the form of a B-TID: the base64 of a RAND of 16 octets, @ and the name of a BSF."""
    return _B_TID.fullmatch(text) is not None


def is_a_kid(text: str) -> bool:
    """Tell whether a text can be an A-KID: a NAI that is no B-TID (3GPP TS 33.535 Annex B).

    Routing indicator and A-TID precede the @, the home network follows it; their spelling is not checked.
    """
    return _NAI.fullmatch(text) is not None and not is_b_tid(text)


def a_tid_of(text: str) -> bytes | None:
    """Return the A-TID in an A-KID, if it is there in hex before the @; else None."""
    found = _A_TID.fullmatch(text)
    return None if found is None else bytes.fromhex(found[1])


def identity_kind(text: str) -> str:
    """Return what an identity is called: A-KID where an A-TID is seen in it, else B-TID."""
    return "B-TID" if a_tid_of(text) is None else "A-KID"


def parse_realms(text: str | None) -> tuple[Realm, ...]:
    """Return the realms of GBA or AKMA that one realm names; none where any of them does not begin like one.

    A challenge may offer two at once, with a semicolon between them, and its answer may repeat that text
    (3GPP TS 24.109 5.2.4).
    """
    realms = []
    for part in (text or "").split(";"):
        prefix, at, fqdn = part.strip(" \t").partition("@")
        if not at or prefix not in REALM_PREFIXES:
            return ()
        realms.append(Realm(prefix, fqdn))
    return tuple(realms)


def parse_directives(text: str, most: int | None = None) -> Directives:
    """Parse the value of Authentication-Info, or credentials behind the word Digest; never raises.

    `most` is how many directives are read; what follows is left out.
    """
    fields, at = _directives(text, 0, most)
    if most is not None and len(fields) == most:
        return Directives(tuple(fields))
    return Directives(tuple(fields), text[at:].strip(" \t\r\n,"))


def count_directives(texts: Iterable[str]) -> int:
    """Return how many directives the challenges or credentials in these values have, each scheme counted as one."""
    return sum(1 + len(directives.fields) for _, directives in _challenges(texts))


def _directives(text: str, at: int, most: int | None = None) -> tuple[list[Directive], int]:
    """Return the directives that stand one after another from there on, `most` at most, and where they end."""
    if at == 0 and (most is None or len(text) <= most) and _USUAL.fullmatch(text):
        # Try the common form at once: this takes half the time.
        pairs = _PAIR.findall(text)
        new = tuple.__new__  # what a NamedTuple's own does as well, after a call more
        return [new(Directive, (name, quoted or token, mark != "")) for name, mark, quoted, token in pairs], len(text)
    fields: list[Directive] = []
    read, end = _DIRECTIVE.match, len(text)
    while at < end and len(fields) != most and (match := read(text, at)):
        name, quoted, token = match.groups()
        value = token if quoted is None else quoted
        if quoted is not None and "\\" in quoted:
            # Quicker than one substitution, during which no other thread gets its turn.
            value = "\\".join([part.replace("\\", "") for part in quoted.split(r"\\")])
        at = match.end()
        if quoted is None and name.lower() == "qop" and (more := _MORE_QOP.match(text, at)):
            value, at = f"{value},{more[0]}", more.end()
        fields.append(Directive(name, value, quoted is not None))
    return fields, at


def parse_credentials(text: str | None, most: int | None = None) -> Directives | None:
    """Parse an Authorization value; None when it is absent or of another scheme than Digest.

    `most` is as for `parse_directives`.
    """
    scheme, *rest = (text or "").split(None, 1) or ("",)
    return parse_directives("".join(rest), most) if scheme.lower() == "digest" else None


def parse_challenges(texts: Iterable[str], most: int | None = None) -> tuple[Directives, ...]:
    """Parse the values of WWW-Authenticate fields to their Digest challenges, in order; other schemes are left out.

    One field may hold several challenges, and each may hold commas (RFC 9110 §11.6.1); never raises. `most` is how many
    directives are read in all of them together, where a scheme counts as one; the challenge that has more is left out.
    """
    found = []
    for scheme, challenge in _challenges(texts):
        if most is not None:
            most -= 1 + len(challenge.fields)
            if most < 0:
                break
        if scheme == "digest":
            found.append(challenge)
    return tuple(found)


def _challenges(texts: Iterable[str]) -> Iterator[tuple[str, Directives]]:
    """Yield the challenges of all schemes, each with its scheme in lower case."""
    for text in texts:
        at = 0
        while at < len(text) and (match := _SCHEME.match(text, at)):
            fields, end = _directives(text, match.end())
            rest = "" if _SCHEME.match(text, end) else text[end:].strip(" \t\r\n,")
            yield match[1].lower(), Directives(tuple(fields), rest)
            at = end


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
