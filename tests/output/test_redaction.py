"""Redaction: no B-TID, IMPI or address is in anything that is said, and a name is the same within a run only."""

import base64
import html
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest
from click.testing import CliRunner
from hypothesis import example, given
from hypothesis import strategies as st

from ltkm_inspect import reference
from ltkm_inspect.cli.program import commands
from ltkm_inspect.context import Context
from ltkm_inspect.engine import inspect
from ltkm_inspect.export.entry import Manner
from ltkm_inspect.export.run import Export
from ltkm_inspect.mikey import Identity
from ltkm_inspect.options.table import REPORT_FORMATS
from ltkm_inspect.output import redactor as redactor_module
from ltkm_inspect.output.redaction import Redaction
from ltkm_inspect.output.wording import Wording
from ltkm_inspect.reference import AGAIN, B_TID, FIRST, SECOND, TERMINAL, ReferenceTerminal, ltkm
from ltkm_inspect.report import jsonl
from ltkm_inspect.report import text as report_text
from ltkm_inspect.report.places import write
from ltkm_inspect.session import Session
from ltkm_inspect.traffic import Exchange, Headers, Response
from tests.command import run_text
from tests.proxy.parts import ROOT, TRIAL, clean
from tests.recorded import exchanges

FLOWS = [
    TRIAL,
    *(ROOT / "flows" / name for name in ("change-request.flow", "mbs.flow")),
    *sorted((ROOT / "flows" / "faults").glob("*.flow")),
]


def forms(value: str) -> tuple[str, str]:
    """Return an identity or address as text and as hex, in lower case."""
    return value.lower(), value.encode("utf-8", "surrogateescape").hex()


def personal(exchange: Exchange) -> Iterator[str]:
    """Yield what tells who somebody is, found without the code under test."""
    authorization = exchange.request.headers.get("Authorization") or ""
    yield from re.findall(r'username="([^"]+)"', authorization)
    for address in (exchange.client, exchange.server):
        yield address.rpartition(":")[0].strip("[]")
    for each in exchange.document.ltkms if exchange.document else ():
        for found in re.findall(rb"[A-Za-z0-9+/.]+=*@[a-z0-9.]+", each.octets or b""):
            yield found.decode()


def found_in(said: Iterable[str], values: Iterable[str]) -> list[str]:
    """Return the values that stand in what is said, in any of their forms."""
    everything = "\n".join(said).lower()
    return [value for value in dict.fromkeys(values) if value and any(form in everything for form in forms(value))]


@pytest.mark.parametrize("path", FLOWS, ids=lambda path: path.stem)
@pytest.mark.parametrize("shape", ["text", "jsonl"])
def test_check_says_nothing_of_who_asked(path: Path, shape: str) -> None:
    values = {value for each in exchanges(path) if isinstance(each, Exchange) for value in personal(each)}
    assert values
    shown = CliRunner().invoke(commands, ["check", "--format", shape, str(path)])
    hidden = CliRunner().invoke(commands, ["check", "--redact", "--format", shape, str(path)])
    assert found_in([hidden.output], values) == []
    assert hidden.exit_code == shown.exit_code
    assert hidden.output.count("\n") == shown.output.count("\n")
    if shape == "jsonl":
        assert found_in([shown.output], values)
        # the first record is that of the run, and each began at a time of its own
        told = (map(json.loads, each.stdout.splitlines()[1:]) for each in (shown, hidden))
        for before, after in zip(*told, strict=True):
            for name in ("verdict", "counts", "started", "status"):
                assert before.get(name) == after.get(name)
            assert after.get("id") in (before.get("id"), "(not shown)")  # an id may look like an identity


def test_decode_says_nothing_of_the_terminal() -> None:
    octets = ltkm(FIRST).encode()
    for shape in ("text", "jsonl"):
        for given_octets in (octets, octets[:100], octets[:12] + b"\x63" + octets[13:], b"\x02" + octets[1:]):
            hidden = CliRunner().invoke(commands, ["decode", "--redact", "--format", shape, given_octets.hex()])
            assert found_in([hidden.output], [B_TID, B_TID[:30]]) == [], given_octets.hex()
            assert hidden.output


def test_a_terminal_keeps_its_name_within_a_run_and_has_another_in_the_next() -> None:
    first, again = clean(), reference.exchange([AGAIN.msk_id], [(AGAIN, "200 OK", ltkm(AGAIN))])
    redaction, other = Redaction(), Redaction()
    names = [redaction.redactor(each).text(B_TID) for each in (first, again)]
    assert names[0] == names[1] == redaction.identity(B_TID) == redaction.terminal(B_TID)
    assert other.redactor(first).text(B_TID) not in (B_TID, names[0])


def test_what_an_exchange_says_of_an_earlier_terminal_is_hidden_too() -> None:
    plain = ReferenceTerminal(b_tid="terminal one")
    redaction, context = Redaction(), Context(session=Session())
    said = []
    for number, (terminal, grant) in enumerate([(TERMINAL, FIRST), (plain, SECOND), (TERMINAL, AGAIN)]):
        exchange = reference.exchange([grant.msk_id], [(grant, "200 OK", ltkm(grant, terminal))], terminal=terminal)
        exchange = replace(exchange, id=str(number), connection="one", started=float(number))
        report = inspect(exchange, context)
        assert number < 2 or "after terminal one" in "\n".join(each.text for each in (*report.findings, *report.notes))
        redactor = redaction.redactor(exchange)
        said += [redactor.text(line) for line in report_text.lines(report)] + [
            jsonl.exchange_line(report, redactor=redactor)
        ]
    assert found_in(said, ["terminal one", B_TID]) == []


def test_addresses_in_every_place_have_one_name_and_keep_their_port() -> None:
    exchange = replace(
        clean(), client="[2001:db8::7]:40001", server="192.0.2.80:8080", connection="[2001:db8::7]:40001"
    )
    exchange = replace(exchange, request=replace(exchange.request, host="192.0.2.80", port=8080))
    redaction = Redaction()
    record = json.loads(jsonl.exchange_line(inspect(exchange), redactor=redaction.redactor(exchange)))
    client, server = redaction.address("2001:db8::7"), redaction.address("192.0.2.80")
    assert record["client"] == f"[{client}]:40001"
    assert record["server"] == f"{server}:8080"
    assert record["url"].startswith(f"http://{server}:8080/")
    assert redaction.terminal("[2001:db8::7]:40001") == f"{client}:40001"


@pytest.mark.parametrize(
    "kept",
    [
        "3GPP TS 33.246 6.4.5.1; RFC 3830 §6.2",
        "realm 3GPP-bootstrapping@bmsc.home1.net",
        "expected bmsc.home1.net, got bsm.home2.net",
        "3GPP-bootstrapping, -uicc, -digest or -akma, @ and an FQDN",
        "urn:oma:xml:bcast:pr:orderqueries:1.0",
        "application/mbms-msk-response+xml",
        "/keymanagement?requesttype=msk-request",
    ],
)
def test_what_is_no_identity_is_kept(kept: str) -> None:
    assert Redaction().redactor(clean()).text(kept) == kept


@given(
    # without a letter or digit it names nobody
    st.text(min_size=5, max_size=60).filter(lambda text: re.search(r"\w", text) and not re.fullmatch(r"[\w.-]+", text)),
    st.booleans(),
)
@example("alice in wonderland", True)
@example('"quoted\\"', False)
@example("\x1b[31m\u202e@x", True)
@example("46000123456789" * 10 + "@ims.mnc001.mcc001.3gppnetwork.org", True)
def test_an_identity_of_any_characters_is_hidden(b_tid: str, padded: bool) -> None:
    terminal = ReferenceTerminal(b_tid=f"{b_tid} at home" if padded else b_tid)
    value = terminal.b_tid.encode("utf-8", "surrogatepass")
    grant = replace(FIRST, counter=7)
    message = ltkm(grant, replace(terminal, b_tid="x"))
    payloads = tuple(Identity(0, value) if each == Identity(0, b"x") else each for each in message.payloads)
    exchange = reference.exchange([grant.msk_id], [(grant, "200 OK", replace(message, payloads=payloads))])
    redaction = Redaction()
    redactor = redaction.redactor(exchange)
    report = inspect(exchange)
    said = [*map(redactor.text, report_text.lines(report)), jsonl.exchange_line(report, redactor=redactor)]
    assert value.hex() not in "\n".join(said)
    if value.isascii() and terminal.b_tid.isprintable() and "\\" not in terminal.b_tid:
        assert f"got {terminal.b_tid}" not in "\n".join(said)


def test_masked_octets_are_as_many_as_before() -> None:
    octets = ltkm(FIRST).encode()
    masked = Redaction().redactor(clean()).message(ltkm(FIRST))
    assert len(masked) == len(octets)
    assert B_TID.encode() not in masked
    assert [place for place, (old, new) in enumerate(zip(octets, masked, strict=True)) if old != new] == [
        place for place in range(len(octets)) if 77 <= place < 115 and octets[place] != ord("*")
    ]


ADDRESS, ADDRESS6, IMSI = "198.18.7.7", "fd00:aaaa:bbbb::9", "234150999999999"
IMPI = f"{IMSI}@ims.mnc015.mcc234.3gppnetwork.org"
A_KID = "rid678.atid00aa11bb22cc@5gc.mnc015.mcc234.3gppnetwork.org"
PLANTED = (ADDRESS, ADDRESS6, IMSI, IMPI, A_KID, "vxzbITJAN8bfXUAb5nd3zA==@bsf.example.net")


def _percent(text: str, times: int = 1) -> str:
    for _ in range(times):
        text = "".join(f"%{octet:02X}" for octet in text.encode())
    return text


SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "percent": _percent,
    "percent twice": lambda text: _percent(text, 2),
    "in part": lambda text: text.replace(".", "%2e").replace("@", "%40").replace(":", "%3A"),
    "in URL": lambda text: f"http://{text}/a/{text}?b={text}&c=d#{text}",
    "userinfo": lambda text: f"http://{text}:x@bmsc.home1.net/",
    "hex": lambda text: text.encode().hex(),
    "hex within": lambda text: f"0100aa{text.encode().hex().upper()}ff",
    "hex apart": lambda text: text.encode().hex(" "),
    "UTF-16 in hex": lambda text: text.encode("utf-16-le").hex(),
    "escapes": lambda text: "".join(f"\\x{octet:02x}" for octet in text.encode()),
    "references": lambda text: "".join(f"&#{ord(character)};" for character in text),
    "hex references": lambda text: "".join(f"&#x{ord(character):X};" for character in text),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64, 1 octet before": lambda text: base64.b64encode(b"\x01" + text.encode() + b"\x02\x03").decode(),
    "base64, 2 octets before": lambda text: base64.urlsafe_b64encode(b"\x01\x02" + text.encode()).decode().rstrip("="),
    "fullwidth": lambda text: "".join(chr(ord(each) + 0xFEE0) if "!" <= each <= "~" else each for each in text),
    "zero width": lambda text: "\u200b".join(text),
    "NUL": lambda text: "\0".join(text),
    "glued": lambda text: f"xy{text}zz",
    "glued to another": lambda text: f"{text}{text}",
    "in quotes": lambda text: f"('{text}', 443)",
    "in brackets": lambda text: f"[{text}]:443",
    "upper case": str.upper,
}
ADDRESSES = [
    *(
        "0198.018.007.007",
        "0306.0022.0007.0007",
        "0xC6.0x12.0x7.0x7",
        "ip-198-18-7-7",
        "198_18_7_7",
        "198[.]18[.]7[.]7",
    ),
    *("::ffff:198.18.7.7", "[::FFFF:198.18.7.7]:80", "http://3323070215/", "http://0xc6120707/x", "http://198.18.1799"),
]
ADDRESSES6 = ["FD00:AAAA:BBBB:0:0:0:0:9", "fd00:aaaa:bbbb:0000:0000:0000:0000:0009", "fd00:aaaa:bbbb::9%25eth0"]
IMSIS = [
    "imsi-234150999999999",
    "imsi234150999999999",
    "234-15-0999999999",
    "supi:234150999999999",
    "5g-guti-23415010041ab",
    *("234 15 0999999999", "234/15/0999999999", "234:15:0999999999", " ".join("234150999999999")),
    *("234 150 999 999 999", "+44 7700 900123", "+44 (7700) 900-123"),
]
GLUED = [
    "/-",
    "ab-",
    "198-",
    "client:",
    "x:",
    "f:",
    "face-",
    "1:",
    "dead:",
    "1-",
    "1.2.3-",
    "3-4-",
    "3_",
    "-",
    "t",
    "c--",
]
"""What stands before an address and could be taken for a part of another."""


def leaked(said: str, planted: Iterable[str] = PLANTED) -> list[str]:
    """Return what was planted and is still there, in any of the simple spellings."""
    readings = [said, unquote(unquote(said)), html.unescape(said), said.replace("\\\\", "\\").replace("\\u200b", "")]
    lower = "\n".join(readings).lower()
    found = [each for each in planted if each.lower() in lower or each.encode().hex() in lower.replace(" ", "")]
    codes = [base64.b64encode(b"\0" * size + each.encode()).decode()[4:-4] for each in planted for size in range(3)]
    return found + [code for code in codes if code in said]


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("identity", PLANTED)
def test_an_identity_is_hidden_in_every_spelling(spelling: str, identity: str) -> None:
    redaction = Redaction()
    said = redaction.text(f"expected nothing, got {SPELLINGS[spelling](identity)} here")
    assert leaked(said) == []
    assert said.startswith("expected nothing, got ")
    assert said.endswith(" here")
    assert redaction.text(said) == said
    is_alone = spelling.startswith(("as", "percent", "hex r", "ref", "esc", "hex", "full", "zero"))
    name = redaction.address(identity) if identity in (ADDRESS, ADDRESS6) else redaction.identity(identity)
    if is_alone and spelling not in ("hex within", "hex apart"):
        assert name in said


@pytest.mark.parametrize("text", [*ADDRESSES, *ADDRESSES6, *IMSIS])
def test_what_is_written_in_other_ways_is_hidden(text: str) -> None:
    redaction = Redaction()
    said = redaction.text(text)
    digits = re.sub("[^0-9]", "", re.sub("(identity|address)-[0-9a-f]{10}|:80|:443", "", said))
    assert len(digits) <= 1
    if text in ADDRESSES + ADDRESSES6:
        assert redaction.address(ADDRESS if text in ADDRESSES else ADDRESS6) in said


@pytest.mark.parametrize("before", GLUED)
@pytest.mark.parametrize(
    "address", [ADDRESS, "198-18-7-7", "198_18_7_7", "198,18,7,7", ADDRESS6, ADDRESS6.replace(":", "-")]
)
def test_what_stands_before_an_address_does_not_show_it(before: str, address: str) -> None:
    said = Redaction().text(f"got {before}{address}, and more")
    assert re.search(r"18.7.7|aaaa|bbbb", re.sub(r"address-[0-9a-f]+", "", said)) is None  # a made-up name may have any
    assert said.startswith("got ")
    assert said.endswith(" and more")


def test_an_identity_in_a_dump_of_words_is_hidden() -> None:
    octets = PLANTED[-1].encode()[:36]
    for size in (2, 4, 8):
        words = [octets[at : at + size] for at in range(0, len(octets), size)]
        for dump in (" ".join(map(bytes.hex, words)), " ".join(word[::-1].hex() for word in words)):
            said = Redaction().text(f"got {dump} here")
            assert said == f"got ({len(octets)} octets) here"


def test_an_identity_with_space_in_it_is_hidden() -> None:
    redaction = Redaction()
    assert redaction.text("of 198 . 18 . 7 . 7 now") == f"of {redaction.address(ADDRESS)} now"
    assert redaction.text("of alice @ ims.example now") == f"of {redaction.identity('alice@ims.example')} now"


def test_a_padded_code_in_quotes_is_hidden() -> None:
    assert Redaction().text("got 'Gq+bng7wYTmfVf/UQUbokg=='") == "got (26 characters)"


def test_addresses_of_an_exchange_are_found_as_numbers() -> None:
    exchange = replace(clean(), client=f"{ADDRESS}:40001", server=f"[{ADDRESS6}]:80")
    redaction = Redaction()
    redactor = redaction.redactor(exchange)
    for number in ("3323070215", "0xC6120707", "c6120707", "030604403407", "198.18.1799"):
        assert redactor.text(f"ip={number}") == f"ip={redaction.address(ADDRESS)}"
    assert redactor.text("fd00aaaabbbb00000000000000000009") == redaction.address(ADDRESS6)
    assert Redaction().text("ip=c6120707") == "ip=c6120707"


def planted(text: str) -> list[Exchange]:
    """Return exchanges with a text in every field that can hold it."""
    exchange = clean("several-keys")
    request, response = exchange.request, exchange.response
    assert response is not None
    headers = request.headers
    for name in ("User-Agent", "X-Forwarded-For", "Forwarded", "Via", "Referer", "Content-Type", text.replace(":", "")):
        headers = headers.put(name, text)
    asked = replace(request, target=f"/{text}?requesttype=msk-request&a={text}", headers=headers, method=f"POST{text}")
    challenge = f'Digest realm="{text}", nonce="{text}", opaque="{text}", qop="{text}", algorithm={text}, x="{text}"'
    refused = Response(401, text, headers=Headers(((b"WWW-Authenticate", challenge.encode()), (b"Via", text.encode()))))
    authorization = ", ".join(
        f'{name}="{text}"' for name in ("username", "realm", "nonce", "uri", "response", "opaque")
    )
    signed = replace(request, headers=request.headers.put("Authorization", f"Digest {authorization}"))
    info = response.headers.put("Authentication-Info", f'rspauth="{text}", cnonce="{text}", nextnonce="{text}"')
    coded = response.headers.put("Content-Encoding", text).put("Content-Type", text)
    body = (response.body or b"").replace(b"200 OK", text.encode()).replace(b"uHCd", text.encode())
    message = ltkm(FIRST, replace(TERMINAL, b_tid=text))
    told = reference.exchange([FIRST.msk_id], [(FIRST, text, message)])
    return [
        replace(exchange, request=asked, id=text, error=text, client=text, server=text, connection=text),
        replace(exchange, request=signed, response=refused),
        replace(exchange, response=None, error=f"[Errno 111] Connect call failed ('{text}', 443)"),
        replace(exchange, response=replace(response, headers=info, reason=text)),
        replace(exchange, response=replace(response, headers=coded)),
        replace(exchange, response=replace(response, body=body), faults=(f"add-noise:text={text}",)),
        replace(told, request=replace(told.request, host=text)),
        *(
            replace(told, response=replace(told.response, body=old.replace(b"</Response>", new)))
            for old in ([told.response.body] if told.response is not None and told.response.body is not None else [])
            for new in (f"<x>{text}</x></Response>".encode(), f"<{text}></Response>".encode())
            if told.response is not None
        ),
    ]


WRITTEN = ["as it is", "percent", "base64", "glued", "in quotes", "hex"]
PAIRS = [(identity, spelling) for identity in PLANTED for spelling in WRITTEN]


@pytest.mark.parametrize(
    ("identity", "spelling"),
    [
        pytest.param(*pair, marks=() if pair[0] == PLANTED[0] or pair[1] == WRITTEN[0] else pytest.mark.sweep)
        for pair in PAIRS
    ],
)
def test_no_report_says_what_was_planted_in_any_field(identity: str, spelling: str, tmp_path: Path) -> None:
    text, redaction, context = SPELLINGS[spelling](identity), Redaction(), Context(session=Session())
    head = jsonl.run_record(["a.flow"], {"fault_terminal": (text,), "fault": (f"x:y={text}",)}, redaction)
    records, said = [head], list[str]()
    for number, exchange in enumerate(planted(text)):
        report = inspect(replace(exchange, started=float(number)), context)
        redactor = redaction.redactor(exchange)
        said += report_text.lines(report, redactor)
        said += [str(redactor.finding(each).line) for each in report.notes]
        records.append(jsonl.exchange_record(report, "a.flow", redactor=redactor))
        with Export("csv", tmp_path / "x.csv", Manner(wording=Wording(redaction))) as export:
            export.add(report)
            export.finish()
        said += [(tmp_path / "x.csv").read_text() if (tmp_path / "x.csv").exists() else ""]
    records.append(jsonl.session_record(context.session or Session(), Wording(redaction)))
    for name in REPORT_FORMATS:
        page = io.StringIO()
        write(name, records, page)
        assert leaked(page.getvalue()) == [], name
        assert "identity-" in page.getvalue() or "address-" in page.getvalue(), name
    assert leaked("\n".join(said)) == []


@pytest.mark.parametrize(
    "text", ["a" * 3000, "a@" * 1000, "=" * 3000, "%40" * 1000, "0a" * 2000, "::1 " * 500, "1." * 900, "\\" * 9000]
)
def test_hostile_text_comes_back_as_text_that_hides_nothing_more(text: str) -> None:
    redaction = Redaction()
    said = redaction.text(text)
    assert redaction.text(said) == said


PARTS = (b"\0", b"\0\0", b"\xff", b"x", b"user@bsf.home1.net", b"u\0s\0e\0r\0@\0a\0.\0b\0", b"\0" + b"2\0" * 15)


@given(st.lists(st.sampled_from(PARTS), max_size=12).map(b"".join))
def test_in_blocks_the_same_octets_are_hidden(octets: bytes) -> None:
    redactor = Redaction().redactor(clean())
    whole = redactor.octets(octets)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redactor_module, "BLOCK", 1)
        assert redactor.octets(octets) == whole


KEY = b"canaries".hex() * 4


def names_in(text: str) -> set[str]:
    return {*re.findall(r"(?:identity|address)-[0-9a-f]{10}", text)}


def redacted(key: Path | None, shape: str = "text") -> str:
    """Return what `check` prints of the trial, redacted with the key of that file; the run record is left out."""
    options = () if key is None else ("--redact-key-file", key)
    done = run_text("check", "--redact", *options, "--format", shape, TRIAL)
    assert done.returncode == 3
    assert KEY not in done.stdout + done.stderr
    return "".join(line for line in done.stdout.splitlines(True) if "ltkm-inspect/run/" not in line)


def test_runs_with_one_key_give_the_same_names_and_all_others_give_their_own(tmp_path: Path) -> None:
    one, other = tmp_path / "one.key", tmp_path / "other.key"
    one.write_text(f"{KEY[:60]}\n{KEY[60:].upper()}\n")  # as xxd -p prints it
    other.write_text(KEY[::-1])
    for shape in ("text", "jsonl"):
        known = redacted(one, shape)
        assert redacted(one, shape) == known
        assert names_in(known)
        for again in (redacted(other, shape), redacted(None, shape)):
            assert names_in(known).isdisjoint(names_in(again))


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        (KEY, 3, "KEY: other users can read this file (mode 644): chmod 600 KEY"),
        (KEY[:-2], 1, "--redact-key-file: KEY: expected 64 hex digits, got 62; to make a key: openssl rand -hex 32"),
        (f'muk = "{KEY}"', 1, "--redact-key-file: KEY: expected 64 hex digits, got other text; to make a key: "),
        (
            TRIAL.read_bytes()[:1000].decode("latin-1"),
            1,
            "--redact-key-file: KEY: expected a redaction key, got a flow",
        ),
    ],
)
def test_a_key_that_others_know_or_that_is_none_is_one_line(content: str, code: int, line: str, tmp_path: Path) -> None:
    key = tmp_path / "redact.key"
    key.write_text(content, encoding="latin-1")
    key.chmod(0o644)
    done = run_text("check", "--redact", "--redact-key-file", key, TRIAL)
    (said,) = done.stderr.splitlines()
    assert said.startswith(f"ltkm-inspect: {line.replace('KEY', str(key))}")
    assert KEY[:-2] not in done.stdout + done.stderr
    assert done.returncode == code


def test_a_key_without_redaction_is_wrong_usage_unless_a_file_gives_it(tmp_path: Path) -> None:
    config, key = tmp_path / "config.toml", tmp_path / "redact.key"
    key.write_text(KEY)
    config.write_text('redact-key-file = "redact.key"\n')
    done = run_text("check", "--redact-key-file", key, TRIAL)
    assert (done.stderr.splitlines()[-1], done.returncode) == (
        "Error: --redact-key-file has no effect without --redact",
        2,
    )
    assert run_text("check", "--config", config, TRIAL).returncode == 3
    assert names_in(run_text("check", "--config", config, "--redact", TRIAL).stdout) == names_in(redacted(key))
