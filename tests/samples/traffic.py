"""What else passes a proxy on such a morning: a registration, a portal page, a picture, a programme guide."""

import base64
import json
from dataclasses import replace

from ltkm_inspect import digest
from ltkm_inspect.reference import BSM, OPAQUE, STARTED
from ltkm_inspect.traffic import Exchange, Headers, Request, Response
from tests.samples.lab import Handset

PORTAL = "portal.home1.net"
PORTAL_ADDRESS = "198.51.100.20:80"
REGISTRATION_TARGET = "/keymanagement?requesttype=register"
SERVICE = "urn:oma:bcast:home1.net:news"
AGENT = ("User-Agent", "bcast-terminal/1.0")

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
"""A PNG of one pixel, committed as octets so that no version of a compressor matters."""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head><title>Home1 Mobile TV</title></head>
<body>
<h1>Good morning</h1>
<p>Your subscription: <b>News</b>, <b>Sport</b>.</p>
<img src="/logo.png" alt="Home1">
</body>
</html>
"""

REGISTER = f"""<?xml version="1.0" encoding="UTF-8"?>
<mbmsSecurityRegister xmlns="urn:3GPP:metadata:2005:MBMS:securityRegistration">
<serviceID>{SERVICE}</serviceID>
</mbmsSecurityRegister>
"""

REGISTERED = f"""<?xml version="1.0" encoding="UTF-8"?>
<mbmsSecurityRegisterResponse xmlns="urn:3GPP:metadata:2005:MBMS:securityRegistrationResponse">
<Response><serviceID>{SERVICE}</serviceID><ResponseCode>200 OK</ResponseCode></Response>
</mbmsSecurityRegisterResponse>
"""


def registration(handset: Handset, at: float, extension: str = "") -> Exchange:
    """Return the exchange in which a terminal registers for a service (3GPP TS 33.246 G.2.1).

    `extension` is put into the Response of the answer, where that schema too has its wildcard.
    """
    handset.nc += 1
    body = REGISTER.encode()
    terminal = handset.terminal
    directives = digest.parse_directives(
        f'username="{terminal.b_tid}", realm="3GPP-bootstrapping@{BSM}", nonce="{handset.nonce}", '
        f'uri="{REGISTRATION_TARGET}", algorithm=MD5, qop=auth-int, nc={handset.nc:08x}, cnonce="0a4f113b", '
        f'opaque="{OPAQUE}"'
    )
    password = terminal.subscriber.password
    assert password is not None
    authorization = f'Digest {directives}, response="{digest.response(directives, password, "POST", body)}"'
    request = Request(
        "POST",
        "http",
        BSM,
        80,
        REGISTRATION_TARGET,
        headers=_headers(
            ("Host", BSM),
            ("User-Agent", "bcast-terminal/1.0 3gpp-gba"),
            ("Authorization", authorization),
            ("Content-Type", "application/mbms-register+xml"),
            ("Content-Length", str(len(body))),
        ),
        body=body,
    )
    answer = REGISTERED.replace("</Response>", f"{extension}</Response>").encode()
    response = Response(
        200,
        "OK",
        headers=_headers(
            ("Server", "bsm/1.0"), ("Content-Type", "application/mbms-register-response+xml"), ("Content-Length", "0")
        ),
        body=b"",
    )
    blank = Exchange(request, response, started=STARTED + at, ended=STARTED + at + 0.25)
    return handset.recorded(handset.signed(blank, answer))


def page(handset: Handset, at: float) -> Exchange:
    """Return a terminal's look at the portal's page."""
    return _fetched(handset, at, "/", "text/html; charset=utf-8", PAGE.encode())


def picture(handset: Handset, at: float) -> Exchange:
    """Return a terminal's fetching of the portal's picture."""
    return _fetched(handset, at, "/logo.png", "image/png", PIXEL)


def programme(handset: Handset, at: float) -> Exchange:
    """Return a terminal's question to the portal's programming interface."""
    guide = {"service": SERVICE, "now": "Morning news", "next": "Weather", "minutes": 25}
    return _fetched(handset, at, "/api/v1/now?service=news", "application/json", json.dumps(guide).encode())


def _fetched(handset: Handset, at: float, target: str, media_type: str, body: bytes) -> Exchange:
    exchange = Exchange(
        Request("GET", "http", PORTAL, 80, target, headers=_headers(("Host", PORTAL), AGENT), body=b""),
        Response(
            200,
            "OK",
            headers=_headers(("Content-Type", media_type), ("Content-Length", str(len(body)))),
            body=body,
        ),
        started=STARTED + at,
        ended=STARTED + at + 0.125,
    )
    return replace(handset.recorded(exchange), server=PORTAL_ADDRESS)


def _headers(*fields: tuple[str, str]) -> Headers:
    return Headers(tuple((name.encode(), value.encode()) for name, value in fields))
