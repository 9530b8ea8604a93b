"""Forms of content codings: every coding that can be taken off, as a bomb, in many pieces, damaged, and in layers."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from ltkm_inspect import coding
from ltkm_inspect.traffic import Exchange
from tests.hostile._form import CLEAN, Form, sized, with_body

MEBI = 1 << 20
CODINGS = tuple(name for name in coding.ENCODERS)
assert CLEAN.response is not None
BODY = CLEAN.response.body or b""


def forms() -> Iterator[Form]:
    """Yield the forms of content codings."""
    for name in CODINGS:
        whole = coding.encode(BODY, name)
        yield Form(f"coding {name}: a bomb", partial(_bomb, name), 1)
        yield sized(f"coding {name}: streams", lambda count, name, whole: _coded(whole * count, name), name, whole)
        yield sized(f"coding {name}: zeros", lambda count, name: _coded(bytes(count), name), name)
        yield sized(
            f"coding {name}: zeros behind", lambda count, name, whole: _coded(whole + bytes(count), name), name, whole
        )
        yield sized(
            f"coding {name}: empty streams", lambda count, name: _coded(coding.encode(b"", name) * count, name), name
        )
        layers = ", ".join([name] * coding.MAX_CODINGS)
        yield sized(
            f"coding {name}: layers", lambda count, layers: _coded(coding.encode(BODY * count, layers), layers), layers
        )


def _bomb(name: str, count: int) -> Exchange:
    """Return a response of about that many octets which decode to a document with a great many spaces behind it.

    Where streams may follow one another there are many of them, else one of at most a gibioctet.
    """
    spaces = coding.encode(b" " * (64 * MEBI), name)
    if name in ("gzip", "zstd"):
        return _coded(coding.encode(BODY, name) + spaces * max(1, count // len(spaces)), name)
    return _coded(coding.encode(BODY + b" " * min(1000 * count, 1024 * MEBI), name), name)


def _coded(octets: bytes, names: str) -> Exchange:
    exchange = with_body(octets)
    assert exchange.response is not None
    headers = exchange.response.headers.put("Content-Encoding", names)
    return replace(exchange, response=replace(exchange.response, headers=headers))
