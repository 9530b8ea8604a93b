"""The records of a run as JSON Lines, the one source of every report format.

Every record stands on one line of ASCII and begins with `schema`, which names its kind and the version of its fields.
Octets are in hex. Octets of text that are not UTF-8 stand in it as `\\xNN`. A field that cannot be known is null.
`ltkm-inspect report --schema` prints the JSON Schema of all of them.

Record `ltkm-inspect/run/1`, the first of a run, and again where options are changed while it goes on: `version` (of the
program), `started` (when the run began), `sources` (the files that are read; null beside live traffic), `options` (in
force, by name, as typed; null where there is no such option) and `redacted` (names stand for identities and addresses).

Record `ltkm-inspect/exchange/1`, one for each MSK exchange:

| field | what |
|---|---|
| `file` | that the exchange was read from; null beside live traffic |
| `id` | of the flow |
| `method`, `url`, `status` | of the exchange; `status` is null where no response came |
| `started`, `ended` | times in ISO 8601, UTC, with milliseconds |
| `client`, `server` | addresses with ports, as the proxy saw them |
| `number` | ordinal of the flow, from 1, among all flows of its file or run, whatever they are; null in old records |
| `terminal` | B-TID of the credentials, else the TCP connection |
| `terminal_name` | how lines name it: by its name in the key ring, else its B-TID shortened, else the client |
| `error` | what ended the connection, where it did not end well |
| `damage`, `lacks` | what the capture damaged of it, and what it does not keep, each with `field` (as the capture names it: `response.content.text`) and `reason`; no rule judges that |
| `faults` | that were put into it, as typed; what is wrong with it is then not the server's doing |
| `verdict` | `clean`, `warning` or `violation` |
| `counts` | `items`, `ltkms`, `violations`, `warnings`, `notes`, and the answers of the rules: `passed`, `broken`, `not_applicable` |
| `items` | each with `item` (ordinal from 1), `key_domain_id`, `msk_id`, `key_group`, `key_number` (the halves of an MSK ID of 4 octets), `response_code` (as written), `ltkms` |
| `ltkms_outside` | LTKMs outside every item |
| `findings`, `notes` | each with `rule`, `level`, `title`, `place` (`item`, `ltkm`: ordinals from 1, or null; `path`: field path), `expected`, `got`, `hint`, `octets` (first, and the one after the last, counted from 0), `octets_of` (`message` or `body`), `clauses` |
| `outcomes` | the answer of every rule by its id: `answer` (`passed`, `broken`, `not applicable`) and `reason` |
| `request`, `response` | as text; null where no response came, and in the record of an exchange without findings and faults, unless the run itself writes an HTML report |
| `more` | how many more `items` and `ltkms` there are than are listed, and `findings` (and notes): each with `rule`, `level`, `number` |

A request or response has `line` (its first line), `headers` and `trailers` (each field as name and value, at most 100 of each), `body` (its text without content coding, at most
16,384 characters; null where it was not captured), `length` (octets of the body without its content coding) and `places`: for the octets of the body that findings name, the first, the
one after the last, and the same in characters of `body`. Long values are cut. Cookies, and credentials that are no digest, are only counted. So is text in base64 or hex that holds a key in the clear, unless keys are to be shown.

Where a limit is set, only LTKMs within it are listed. An LTKM has `ltkm` (ordinal from 1 within its item), `element` (its name with namespace), `problem` (why its text is not
base64), `length` (octets of its message), `sha256` (the first 16 hex digits of the SHA-256 of those octets), `octets` (all of them; zeros stand for keys that are not encrypted,
unless keys are to be shown, asterisks for identities in a run that is redacted), `message` (as `ltkm-inspect decode --format jsonl` gives it but for `key`, or null) and `key`: null without a key ring (unless a key in the clear is to be shown), else

| field of `key` | what |
|---|---|
| `text` | all that is told, in one line |
| `verdict` | `valid`, `invalid`, `no key`, `not authenticated` (a NULL MAC) or `not checkable` |
| `reason` | why the MAC is not valid, or why the key data cannot be read |
| `b_tid` | of the entry of the key ring that was used; `*` is its wild card |
| `muk`, `tried` | which MUK of that entry verified the MAC, or decrypted a message with a NULL MAC (ordinal from 1), and how many were tried |
| `type`, `type_name`, `length` | of the key that the LTKM delivers: the key data type with its name, and its octets |
| `seq_l`, `seq_u` | the limits of its interval, where it has one |
| `valid_from`, `valid_to` | the same as times, where both have 4 octets; unverified |
| `spi` | the SPI or MKI that it belongs to, where its validity is told so |
| `check_value` | the first 3 octets of AES(key, 16 zero octets) |
| `key` | the key itself, only where the keys are to be shown |
| `further` | more keys in the same LTKM, each with the fields from `type` to `key` |

Record `ltkm-inspect/session/1`, near the end: what the session remembers of the run.

| field of a session | what |
|---|---|
| `terminals` | each with `terminal`, `exchanges`, `first` and `last` (when the first and the latest began); the same exchange captured twice counts once |
| `muks` | each with `idi` and `idr` (and `idi_text`, `idr_text`), which name a MUK: in a run that is redacted the first is null where the other is a made-up name, `counter` (the newest that was delivered), `delivered` (when), `ltkms` (how many) |
| `forgotten` | how many keys each register of the session forgot: `exchanges`, `copies` (exchanges with the same octets), `challenges`, `nonces`, `terminals`, `muks`, `senders`, `connections`, `msks`, `key_groups`, `rands`, `proofs` (keys of the key ring); one that came again later is listed as if it were new |

Record `ltkm-inspect/summary/1`, the last of a run: `exchanges`, `others` (flows that were not MSK),
`unselected` (exchanges that `check --terminal` and the like left out),
`forgotten` (exchanges that the session forgot, because it had seen too many), `damaged` (exchanges of which the capture
damaged something), `verdicts`,
`counts` as above, `findings`: each with `rule`, `level`, `number`, and `faulted`: how many of the `exchanges` have faults
in them, and their `violations` and `warnings`. What the rules say of those counts nowhere else.
"""  # noqa: E501 - a row of a table is one line

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, TextIO

from ltkm_inspect import __version__, mikey
from ltkm_inspect.finding import Answer, Finding, Level, Report
from ltkm_inspect.mikey import Room
from ltkm_inspect.options.table import DEFAULTS
from ltkm_inspect.output.json_line import to_json
from ltkm_inspect.output.redaction import NO_REDACTOR, Redaction, Redactor
from ltkm_inspect.report.evidence import evidence
from ltkm_inspect.report.keys import NO_KEYS, Keys
from ltkm_inspect.report.summary import Summary
from ltkm_inspect.selection import short_name
from ltkm_inspect.session import Muk, MukHistory, Session
from ltkm_inspect.traffic import Gap, Item, Ltkm
from ltkm_inspect.wire import cut, printable_octets

type Record = Mapping[str, Any]
"""One object of JSON Lines."""

RUN_SCHEMA = "ltkm-inspect/run/1"
EXCHANGE_SCHEMA = "ltkm-inspect/exchange/1"
SESSION_SCHEMA = "ltkm-inspect/session/1"
SUMMARY_SCHEMA = "ltkm-inspect/summary/1"
LARGE, PIECES = 1 << 16, 8
"""From so many octets of document on a record is encoded piece by piece, down to so many levels: to its payloads."""
LEAST_PARTS = 1000
"""How many items, LTKMs, payloads and the like a record has room for, however small the response is."""
OCTETS_OF_PART = 16
"""For so many octets of the response there is room for one more; in a clean one there are twice as many."""
PARTS_OF_ITEM = 4
"""What an item costs of that room, without its LTKMs: an empty one has ten octets, and its record 120."""
FINGERPRINT = 16
"""How many hex digits of the SHA-256 of a message are told."""


def write(records: Iterable[Record], file: TextIO) -> None:
    """Write records, a line each."""
    for record in records:
        file.write(to_json(record) + "\n")


def run_record(
    sources: Sequence[str] | None,
    values: Mapping[str, Any],
    redaction: Redaction | None = None,
    *,
    started: float | None = None,
) -> Record:
    """Return the record that a run begins with; it began now, where no time is given (seconds since 1970 UTC).

    `values` are the options as typed, by the names of the option table.
    """
    typed = {name: _typed(values[name]) if name in values else None for name in DEFAULTS}
    return {
        "schema": RUN_SCHEMA,
        "version": __version__,
        "started": time_of(time.time() if started is None else started),
        "sources": None if sources is None else list(sources),
        "options": typed if redaction is None else redaction.options(typed),
        "redacted": redaction is not None,
    }


def exchange_record(
    report: Report,
    file: str | None = None,
    keys: Keys = NO_KEYS,
    redactor: Redactor = NO_REDACTOR,
    *,
    for_page: bool = False,
) -> Record:
    """Return the record of one exchange, read from that file.

    Request and response are in it if something is wrong, or if it is for an HTML page, which shows those of every
    exchange. With them a record takes a tenth more room and a third more time; most exchanges of a long run are clean.
    """
    exchange = report.exchange
    document = exchange.document
    # Law 1: beside live traffic no more is decoded for the report than was for the rules.
    looked_at = frozenset(document.ltkms[: exchange.limits.ltkms]) if document else frozenset()
    octets = exchange.content.octets if exchange.content is not None else None
    listing = _Listing(looked_at, keys, redactor, Room(LEAST_PARTS + len(octets or b"") // OCTETS_OF_PART))
    answers = [outcome.answer for outcome in report.outcomes.values()]
    record: dict[str, Any] = {
        "schema": EXCHANGE_SCHEMA,
        "file": file,
        "id": exchange.id,
        "number": report.number,
        "method": exchange.request.method,
        "url": exchange.request.url,
        "status": exchange.response.status if exchange.response is not None else None,
        "started": time_of(exchange.started),
        "ended": time_of(exchange.ended),
        "client": exchange.client,
        "server": exchange.server,
        "terminal": exchange.terminal,
        "terminal_name": terminal_name(report, redactor),
        "error": exchange.error,
        "damage": [_gap(gap) for gap in exchange.damage],
        "lacks": [_gap(gap) for gap in exchange.lacks],
        "faults": list(exchange.faults),
        "verdict": report.verdict,
        "counts": {
            "items": report.items,
            "ltkms": report.ltkms,
            "violations": report.count(Level.VIOLATION),
            "warnings": report.count(Level.WARNING),
            "notes": report.count(Level.NOTE),
            **{answer.key: answers.count(answer) for answer in Answer},
        },
        "items": listing.items(document.items) if document else [],
        "ltkms_outside": listing.ltkms([each.ltkm for each in document.elements_outside_items]) if document else [],
        "findings": [_finding(finding) for finding in report.findings],
        "notes": [_finding(note) for note in report.notes],
        "outcomes": {
            rule: {"answer": outcome.answer.value, "reason": outcome.reason}
            for rule, outcome in report.outcomes.items()
        },
    }
    record["more"] = {"items": listing.items_left_out, "ltkms": listing.ltkms_left_out, "findings": _more(report)}
    seen: Record = {"request": None, "response": None}
    if report.findings or exchange.faults or for_page:
        seen = evidence(report, looked_at, redactor, show_keys=keys.show)
    return {**redactor.plain(record), **seen}


def session_record(session: Session, redaction: Redaction | None = None) -> Record:
    """Return the record of what a session remembers: its terminals, by when they came, and its MUKs, by their names."""
    terminals = sorted(session.terminals.items(), key=lambda entry: (entry[1].first or 0, entry[0]))
    muks = sorted(session.muks.items(), key=lambda entry: entry[0])
    return {
        "schema": SESSION_SCHEMA,
        "terminals": [
            {
                "terminal": terminal if redaction is None else redaction.terminal(terminal),
                "exchanges": history.exchanges,
                "first": time_of(history.first),
                "last": time_of(history.last),
            }
            for terminal, history in terminals
        ],
        "muks": [_muk(muk, protected, redaction) for muk, protected in muks],
        "forgotten": dict(session.forgotten),
    }


def summary_record(summary: Summary) -> Record:
    """Return the record of a whole run."""
    return {
        "schema": SUMMARY_SCHEMA,
        "exchanges": summary.exchanges,
        "others": summary.others,
        "unselected": summary.unselected,
        "forgotten": summary.forgotten["exchanges"],
        "damaged": summary.damaged,
        "verdicts": {verdict: summary.verdicts[verdict] for verdict in ("clean", "warning", "violation")},
        "counts": {
            "items": summary.items,
            "ltkms": summary.ltkms,
            "violations": summary.total(Level.VIOLATION),
            "warnings": summary.total(Level.WARNING),
            "notes": summary.notes,
            **{answer.key: summary.answers[answer] for answer in Answer},
        },
        "findings": [
            {"rule": rule, "level": level.word, "number": number} for level, rule, number in summary.by_rule()
        ],
        "faulted": {
            "exchanges": summary.faulted,
            "violations": summary.put_in[Level.VIOLATION],
            "warnings": summary.put_in[Level.WARNING],
        },
    }


def exchange_line(
    report: Report,
    file: str | None = None,
    keys: Keys = NO_KEYS,
    redactor: Redactor = NO_REDACTOR,
    *,
    for_page: bool = False,
) -> str:
    """Return the record of one exchange, as `exchange_record` does, as a line without its end."""
    content = report.exchange.content
    is_large = content is not None and len(content.octets or b"") > LARGE
    record = exchange_record(report, file, keys, redactor, for_page=for_page)
    return to_json(record, PIECES if is_large else 0)


def _typed(value: Any) -> Any:
    if value is None:
        return ""
    return value if isinstance(value, str | bool) else list(value)


def _muk(muk: Muk, protected: MukHistory, redaction: Redaction | None) -> Record:
    idi, idr = ((each, printable_octets(each)) if redaction is None else redaction.named(each) for each in muk)
    return {
        "idi": _hex(idi[0]),
        "idi_text": idi[1],
        "idr": _hex(idr[0]),
        "idr_text": idr[1],
        "counter": protected.counter,
        "delivered": time_of(protected.at),
        "ltkms": protected.number,
    }


@dataclass(slots=True)
class _Listing:
    """Lists items and LTKMs, as far as there is room in a record: what is written is in proportion to the response."""

    looked_at: frozenset[Ltkm]
    keys: Keys
    redactor: Redactor
    room: Room
    items_left_out: int = 0
    ltkms_left_out: int = 0
    """How many there was no room for."""

    def items(self, items: Sequence[Item]) -> list[dict[str, Any]]:
        found = []
        for number, item in enumerate(items):
            if len(self.room.take((item,) * PARTS_OF_ITEM)) < PARTS_OF_ITEM:
                self.items_left_out = len(items) - number
                break
            found.append({**item_record(item), "ltkms": self.ltkms(item.ltkms)})
        return found

    def ltkms(self, ltkms: Sequence[Ltkm]) -> list[dict[str, Any]]:
        known = [ltkm for ltkm in ltkms if ltkm in self.looked_at]
        taken = self.room.take(known)
        self.ltkms_left_out += len(known) - len(taken)
        return [ltkm_record(ltkm, self.keys, self.redactor, self.room) for ltkm in taken]


def _more(report: Report) -> list[dict[str, Any]]:
    """Return how many findings and notes of each rule and level were not kept."""
    return [{"rule": rule, "level": level.word, "number": number} for (rule, level), number in report.left_out.items()]


def item_record(item: Item) -> dict[str, Any]:
    """Return what is told of an item, but for its LTKMs."""
    msk_id = item.msk_id.octets if item.msk_id else None
    halves = (msk_id[:2].hex(), msk_id[2:].hex()) if msk_id and len(msk_id) == 4 else (None, None)
    return {
        "item": item.number,
        "key_domain_id": _hex(item.key_domain_id.octets if item.key_domain_id else None),
        "msk_id": _hex(msk_id),
        "key_group": halves[0],
        "key_number": halves[1],
        "response_code": item.code,
    }


def ltkm_record(ltkm: Ltkm, keys: Keys, redactor: Redactor = NO_REDACTOR, room: Room | None = None) -> dict[str, Any]:
    """Return what is told of an LTKM, with the fields of its message, as far as there is room, and of its key."""
    message, octets, name = ltkm.message, ltkm.octets, ltkm.carrier.element_name
    said = keys.of(message, octets)
    return {
        "ltkm": ltkm.number,
        "element": None if name is None else cut(name),
        "problem": ltkm.carrier.problem,
        "length": None if octets is None else len(octets),
        "sha256": None if octets is None else sha256(octets).hexdigest()[:FINGERPRINT],
        "octets": _hex(octets if message is None else redactor.message(message, show_keys=keys.show)),
        "message": None if message is None else mikey.to_plain(message, show_keys=keys.show, room=room),
        "key": None if said is None else said.plain,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "level": finding.level.word,
        "title": finding.title,
        "place": {"item": finding.place.item, "ltkm": finding.place.ltkm, "path": finding.place.path},
        "expected": cut(finding.expected),
        "got": cut(finding.got),
        "hint": cut(finding.hint),
        "octets": [finding.span.start, finding.span.end] if finding.span else None,
        "octets_of": finding.span_of or None,
        "clauses": [str(clause) for clause in finding.clauses],
    }


def _gap(gap: Gap) -> dict[str, str]:
    return {"field": gap.field, "reason": gap.reason}


def _hex(octets: bytes | None) -> str | None:
    return None if octets is None else octets.hex()


def terminal_name(report: Report, redactor: Redactor = NO_REDACTOR) -> str:
    """Return how lines name the terminal: by its name in the key ring, else its B-TID shortened, else the client."""
    event = report.event
    if event.terminal in (event.connection, event.client):
        return redactor.text(event.client or event.terminal)
    return redactor.terminal(event.terminal, report.name or short_name(event.terminal))


def time_of(seconds: float | None) -> str | None:
    """Return a time as text; None where there is none, or a damaged flow claims one that no calendar has."""
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):
        return None
