"""HTTP requests and responses as plain data, whoever captured them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Self
from urllib.parse import parse_qsl, urlsplit

from ltkm_inspect import coding, digest
from ltkm_inspect.coding import DecodedBody
from ltkm_inspect.traffic.ours import MSK_REQUEST, PARAMETER
from ltkm_inspect.wire import plain

USUAL_TARGET = f"/keymanagement?{PARAMETER}={MSK_REQUEST}"
"""What nearly all MSK requests ask for, word for word."""


@plain
@dataclass(frozen=True)
class Headers:
    """Header or trailer fields as octets, in their order and their own case; looked up without regard to case."""

    fields: tuple[tuple[bytes, bytes], ...] = ()

    @cached_property
    def _values(self) -> dict[str, list[str]]:
        """The values by name (lower case), in their order: many rules ask for a few names each."""
        found: dict[str, list[str]] = {}
        for key, value in self.fields:
            name, text = key.lower().decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape")
            if name in found:
                found[name].append(text)
            else:
                found[name] = [text]
        return found

    def __contains__(self, name: str) -> bool:
        """Tell whether there is a field of that name, which is given in lower case."""
        return name in self._values

    def all(self, name: str) -> Iterator[str]:
        """Return the value of every field of that name."""
        return iter(self._values.get(name.lower(), ()))

    def get(self, name: str) -> str | None:
        """Return the values of that name joined by commas, or None where there is none."""
        values = self._values.get(name.lower())
        if values is None:
            return None
        return values[0] if len(values) == 1 else ", ".join(values)

    def without(self, name: str) -> "Headers":
        """Return the fields but those of that name."""
        wanted = name.lower().encode()
        return Headers(tuple(pair for pair in self.fields if pair[0].lower() != wanted))

    def put(self, name: str, value: str) -> "Headers":
        """Return the fields with one of that name, in the place of the first such field or at the end."""
        wanted = name.lower().encode()
        octets = value.encode("utf-8", "surrogateescape")
        kept: list[tuple[bytes, bytes]] = []
        done = False
        for key, old in self.fields:
            if key.lower() != wanted:
                kept.append((key, old))
            elif not done:
                kept.append((key, octets))
                done = True
        return Headers(tuple(kept) if done else (*kept, (name.encode(), octets)))


def split_target(target: str) -> tuple[str, str, str]:
    """Return authority (empty in a target that is only a path), path and query of a request target; never raises."""
    target = target.partition("#")[0]
    rest, _, query = target.partition("?")
    scheme, mark, behind = rest.partition("://")
    if not mark or "/" in scheme:
        return "", rest, query
    authority, slash, path = behind.partition("/")
    return authority, slash + path, query


@dataclass(frozen=True, slots=True)
class MediaType:
    """The value of a Content-Type field, taken apart without judging it."""

    name: str = ""
    """`type/subtype` in lower case, empty where the field is missing."""
    charset: str | None = None

    @classmethod
    def of(cls, text: str | None) -> "MediaType":
        """Parse a Content-Type value; never raises."""
        name, mark, rest = (text or "").partition(";")
        if not mark:
            return cls(name.strip().lower())
        charset = re.search(r"(?:^|;)\s*charset\s*=\s*\"?([^\";\s]+)", rest, re.I)
        return cls(name.strip().lower(), charset[1] if charset else None)


_SHORT = 128
"""How long a Content-Type is at most that is likely to come again."""
_media_type = lru_cache(maxsize=256)(MediaType.of)


_DIGEST = {name.lower().encode(): name for name in ("Authorization", "WWW-Authenticate", "Authentication-Info")}
_LENGTHS = {*map(len, _DIGEST)}


class _Message:
    """What a request and a response have in common."""

    headers: Headers
    body: bytes | None
    most_directives: int | None

    @cached_property
    def media_type(self) -> MediaType:
        """What Content-Type says."""
        text = self.headers.get("Content-Type")
        return MediaType.of(text) if text is None or len(text) > _SHORT else _media_type(text)

    def limited(self, directives: int) -> Self:
        """Return the message such that at most so many directives of each digest header in it are read."""
        if self.most_directives == directives or not any(self._over(directives)):
            return self
        return replace(self, most_directives=directives)  # type: ignore[type-var]

    def long_headers(self) -> Iterator[tuple[str, int]]:
        """Yield the name of each digest header of which not all directives are read, and how many it has."""
        most = self.most_directives
        for name in self._over(most) if most is not None else ():
            before = "Digest " if name == "Authentication-Info" else ""  # which has no scheme
            number = digest.count_directives(before + text for text in self.headers.all(name))
            if most is not None and number > most:
                yield name, number

    def _over(self, directives: int) -> Iterator[str]:
        """Yield the digest headers that have so many characters that they may have more directives than that."""
        if sum([len(value) for _, value in self.headers.fields]) <= directives:
            return
        octets = dict.fromkeys(_DIGEST, 0)
        for key, value in self.headers.fields:  # there may be so many that one does not look up any
            if len(key) in _LENGTHS and (name := key.lower()) in octets:
                octets[name] += len(value)
        yield from (name for key, name in _DIGEST.items() if octets[key] > directives)

    def decoded(self, limit: int | None = None) -> DecodedBody:
        """Return the body without its content coding, at most `limit` octets of it."""
        return coding.decode(self.body or b"", self.headers.get("Content-Encoding"), limit)


@plain
@dataclass(frozen=True)
class Request(_Message):
    """The request of an exchange."""

    method: str
    scheme: str
    host: str
    port: int
    target: str
    """What the request line asks for: path and query, or an absolute URI."""
    http_version: str = "HTTP/1.1"
    headers: Headers = Headers()
    body: bytes | None = None
    """As sent, without transfer coding; None where it was not captured."""
    trailers: Headers = Headers()
    most_directives: int | None = None
    """How many directives of its credentials are read; None for all."""

    @cached_property
    def request_types(self) -> tuple[str, ...]:
        """The values of `requesttype` in the query, percent-decoded and stripped (3GPP TS 33.246 G.2)."""
        if self.target == USUAL_TARGET:
            return (MSK_REQUEST,)
        try:
            query = urlsplit(self.target).query
            pairs = parse_qsl(query, keep_blank_values=True)
        except ValueError:
            return ()
        return tuple(value.strip() for name, value in pairs if name.strip() == PARAMETER)

    @cached_property
    def resource(self) -> tuple[str, str]:
        """Path and query of the target, without scheme and authority where it has them."""
        return split_target(self.target)[1:]

    @cached_property
    def credentials(self) -> digest.Directives | None:
        """The directives of the first `Authorization: Digest`, or None."""
        texts = self.headers.all("Authorization")
        parsed = (digest.parse_credentials(text, self.most_directives) for text in texts)
        return next((credentials for credentials in parsed if credentials is not None), None)

    def with_credentials(self, directives: digest.Directives) -> "Request":
        """Return the request with these directives in its Authorization."""
        return replace(self, headers=self.headers.put("Authorization", f"Digest {directives}"))

    @property
    def url(self) -> str:
        """Scheme, host, port where it is not the scheme's own, and target."""
        if "://" in self.target.partition("?")[0]:
            return self.target
        port = "" if self.port == {"http": 80, "https": 443}.get(self.scheme) else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}{self.target}"


@plain
@dataclass(frozen=True)
class Response(_Message):
    """The response of an exchange."""

    status: int
    reason: str = ""
    http_version: str = "HTTP/1.1"
    headers: Headers = Headers()
    body: bytes | None = None
    """As sent: without transfer coding, with its content coding; None where it was not captured."""
    trailers: Headers = Headers()
    most_directives: int | None = None
    """How many directives of its challenges, and of Authentication-Info, are read; None for all."""

    @cached_property
    def challenges(self) -> tuple[digest.Directives, ...]:
        """The Digest challenges of WWW-Authenticate, in order."""
        return digest.parse_challenges(self.headers.all("WWW-Authenticate"), self.most_directives)

    @cached_property
    def authentication_info_text(self) -> str | None:
        """The value of Authentication-Info, from the header or else the trailer; None where there is none."""
        value = self.headers.get("Authentication-Info")
        return value if value is not None else self.trailers.get("Authentication-Info")

    @cached_property
    def authentication_info(self) -> digest.Directives | None:
        """The directives of Authentication-Info; None where it is missing or blank."""
        value = self.authentication_info_text
        return digest.parse_directives(value, self.most_directives) if value and not value.isspace() else None

    def with_info(self, directives: digest.Directives) -> "Response":
        """Return the response with these directives in its Authentication-Info, in the header or else the trailer."""
        place = "headers" if "authentication-info" in self.headers else "trailers"
        return replace(self, **{place: getattr(self, place).put("Authentication-Info", str(directives))})

    def without_info(self) -> "Response":
        """Return the response without Authentication-Info in header and trailer."""
        name = "Authentication-Info"
        return replace(self, headers=self.headers.without(name), trailers=self.trailers.without(name))

    def with_content(self, content: bytes) -> "Response":
        """Return the response with that content, coded as its Content-Encoding says, and the length that fits it.

        A response that ends in another way than by its length, in chunks or with the connection, gets none.
        Raises ValueError where the coding is not known.
        """
        return self.with_body(coding.encode(content, self.headers.get("Content-Encoding")))

    def with_body(self, body: bytes) -> "Response":
        """Return the response with that body as it is sent, and the length that fits it, as `with_content` has it."""
        chunked = "chunked" in (self.headers.get("Transfer-Encoding") or "").lower()
        counted = "content-length" in self.headers and not chunked
        headers = self.headers.put("Content-Length", str(len(body))) if counted else self.headers
        return replace(self, body=body, headers=headers)
