"""The HTML page in a real Chromium: what a reader can do with it, and that hostile wire text stays text."""

import base64
import copy
import json
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ltkm_inspect.mikey import Identity
from ltkm_inspect.reference import FIRST, exchange, ltkm, reference
from ltkm_inspect.traffic import Headers
from tests.proxy.parts import TRIAL, edited, flawed
from tests.report.browser import Browser, browser
from tests.report.pages import Record, page_of, record_of, recorded

pytestmark = pytest.mark.needs("chromium")

SHOWN = "return [...document.querySelectorAll('details.exchange:not([hidden])')].map(each => Number(each.id.slice(1)))"
LIT = "return [...document.querySelectorAll('.octet.lit')].map(each => Number(each.dataset.at))"
LIT_FIELDS = "return [...document.querySelectorAll('.field.lit .name')].map(each => each.textContent)"
READOUT = "return [...document.querySelectorAll('.readout')].map(each => each.textContent).filter(Boolean).join()"
FOCUSED = "return [document.activeElement.dataset.field, document.activeElement.dataset.at]"

type Show = Callable[..., Browser]


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser window."""
    with browser(tmp_path_factory.mktemp("chromium")) as window:
        yield window


@pytest.fixture
def show(window: Browser, tmp_path: Path) -> Show:
    """Makes a page of records and opens it."""

    def show(records: list[Record]) -> Browser:
        path = tmp_path / "report.html"
        path.write_text(page_of(records), "utf-8")
        window.log()
        window.requests()
        return window.open(path)

    return show


@pytest.fixture(scope="module")
def trial() -> list[Record]:
    """The records of the recorded trial."""
    return recorded(TRIAL)


def of_terminal(trial: list[Record], terminal: str) -> Callable[[Record], bool]:
    """Return what tells whether an exchange is of a terminal; a 401 is of the one that answers it."""
    answered = {record["answers"] for record in trial if record.get("answers") and record["terminal"] == terminal}
    return lambda record: record["terminal"] == terminal or record.get("id") in answered


def numbered(records: list[Record], fits: Callable[[Record], Any]) -> list[int]:
    """Return the numbers on the page of the exchanges that fit."""
    return [
        number for number, record in enumerate(records) if "findings" in record and "url" in record and fits(record)
    ]


def unfolded(window: Browser, number: int) -> str:
    """Open an exchange as a user does; return how to select it."""
    window.run("document.querySelector(arguments[0]).scrollIntoView({block: 'center'})", f"#x{number}")
    window.click(f"#x{number} > summary")
    window.wait("return document.querySelector(arguments[0]).dataset.filled", f"#x{number}")
    return f"#x{number}"


def numbers(window: Browser) -> dict[str, int]:
    """Return the numbers beside the kinds of exchanges in the filter."""
    found: dict[str, int] = window.run(
        "return Object.fromEntries([...document.querySelectorAll('input[name=kind]')]"
        ".map(each => [each.value, Number(each.parentNode.querySelector('b').textContent)]))"
    )
    return found


def kinds(records: list[Record]) -> dict[str, int]:
    """Return how many exchanges have findings, and how many have none."""
    flawed = len(numbered(records, lambda record: record["findings"]))
    return {"flawed": flawed, "clean": len(records) - 1 - flawed}


def test_the_filter_shows_what_fits_and_says_how_many(show: Show, trial: list[Record]) -> None:
    window = show(trial)
    total = len(trial) - 1
    assert window.run("return document.querySelector('#shown').textContent") == f"{total} of {total} shown"
    assert window.run("return document.querySelector('#shown').getAttribute('aria-live')") == "polite"

    assert numbers(window) == kinds(trial)
    window.type("#by-level", "violation")
    violations = numbered(trial, lambda record: record["verdict"] == "violation")
    assert sorted(window.run(SHOWN)) == violations
    assert window.run("return document.querySelector('#shown').textContent") == f"{len(violations)} of {total} shown"
    window.click("button[type=reset]")
    window.wait("return document.querySelectorAll('details.exchange:not([hidden])').length === arguments[0]", total)

    window.type("#by-rule", "msk-id-mismatch")
    named = numbered(trial, lambda record: any(each["rule"] == "msk-id-mismatch" for each in record["findings"]))
    assert window.run(SHOWN) == named
    assert numbers(window) == {"flawed": len(named), "clean": 0}
    window.click("input[value=flawed]")
    assert window.run(SHOWN) == []
    assert numbers(window) == {"flawed": len(named), "clean": 0}  # how many there would be
    window.click("button[type=reset]")

    terminal = trial[named[0]]["terminal"]
    window.type("#by-terminal", terminal)
    assert sorted(window.run(SHOWN)) == numbered(trial, of_terminal(trial, terminal))
    window.click("button[type=reset]")

    octets = trial[named[0]]["items"][0]["ltkms"][0]["octets"]
    window.type("#words", octets[-24:].upper())
    expected = numbered(trial, lambda record: octets[-24:] in json.dumps(record))
    window.wait(
        "return document.querySelectorAll('details.exchange:not([hidden])').length === arguments[0]", len(expected)
    )
    assert sorted(window.run(SHOWN)) == expected
    window.type("#words", " nowhere")
    window.wait("return !document.querySelector('details.exchange:not([hidden])')")
    assert window.run("return document.querySelector('.none').checkVisibility()")
    assert numbers(window) == {"flawed": 0, "clean": 0}
    assert window.log() == []


def test_a_rule_and_a_terminal_lead_to_their_exchanges(show: Show, trial: list[Record]) -> None:
    window = show(trial)
    window.click("#rule-octets-left-over > summary")
    window.click("#rule-octets-left-over .only-rule")
    expected = numbered(trial, lambda record: any(each["rule"] == "octets-left-over" for each in record["findings"]))
    assert window.run(SHOWN) == expected
    window.click("button.who")
    name = window.run("return document.querySelector('button.who').textContent")
    assert sorted(window.run(SHOWN)) == numbered(trial, of_terminal(trial, name))


def test_a_field_lights_its_octets_and_an_octet_its_field(show: Show, trial: list[Record]) -> None:
    window = show(trial)
    number = numbered(trial, lambda record: record["verdict"] == "clean" and record["items"])[0]
    at = unfolded(window, number)
    fields = window.run(
        "return [...document.querySelectorAll(arguments[0])].map(each => each.textContent)", f"{at} .name"
    )
    rand = len(fields) - 1 - fields[::-1].index("RAND")
    field = f"{at} [data-field='{rand}']"
    window.run("document.querySelector(arguments[0]).scrollIntoView({block: 'center'})", field)
    # RAND is the payload of 18 octets behind HDR (10), EXT (15), EXT (6) and T (6)
    window.hover(field)
    assert window.run(LIT) == list(range(37, 55))
    window.click(field)
    assert window.run(LIT) == list(range(37, 55))
    window.press("ArrowDown", "ArrowDown", "ArrowDown")
    assert window.run(LIT_FIELDS) == ["value"]
    assert window.run(LIT) == list(range(39, 55))
    assert window.run(READOUT).startswith("octets 39–54 · RAND.value: ")

    window.press("Enter")
    assert window.run(FOCUSED) == [None, "39"]
    window.press("ArrowLeft")
    assert window.run(LIT_FIELDS) == ["length"]
    assert window.run("return document.activeElement.getAttribute('aria-label')").startswith(
        "10, octet 38 · RAND.length: 16"
    )
    window.press("ArrowDown")
    assert window.run(FOCUSED) == [None, "54"]
    window.press("Enter")
    assert window.run("return document.activeElement.querySelector('.name').textContent") == "value"

    octet = f"{at} [data-at='32']"
    window.run("document.querySelector(arguments[0]).scrollIntoView({block: 'center'})", octet)
    window.hover(octet)
    assert window.run(LIT) == [32]
    assert window.run(LIT_FIELDS) == ["type"]
    window.hover(f"{at} > summary")
    assert window.run(LIT_FIELDS) == ["value"]  # what has the focus is lit again


def test_there_is_one_stop_for_the_tab_key_in_the_tree_and_one_in_the_dump(show: Show, trial: list[Record]) -> None:
    window = show(trial)
    at = unfolded(window, numbered(trial, lambda record: record["items"] and record["items"][0]["ltkms"])[0])
    for kind in ("field", "octet"):
        stops = "return [...document.querySelectorAll(arguments[0])].filter(each => each.tabIndex === 0).length"
        viewers = window.run("return document.querySelectorAll(arguments[0]).length", f"{at} .viewer")
        assert window.run(stops, f"{at} .{kind}") == viewers > 0


def test_a_finding_leads_to_its_place(show: Show, trial: list[Record]) -> None:
    window = show(trial)
    placed = numbered(trial, lambda record: any(each["octets_of"] == "message" for each in record["findings"]))
    assert len(placed) > 10
    for number in placed:
        at = unfolded(window, number)
        for finding in trial[number]["findings"]:
            if finding["octets_of"] != "message":
                continue
            item, octets = finding["place"]["item"], list(range(*finding["octets"]))
            button = f"{at} .flaws .finding.{finding['level']}[data-item='{item}'][data-rule='{finding['rule']}'] .jump"
            window.run("document.querySelector(arguments[0]).scrollIntoView({block: 'center'})", button)
            window.click(button)
            assert window.run(LIT) == octets
            ltkm = f"{at} .item[data-item='{item}'] .ltkm[data-ltkm='{finding['place']['ltkm']}']"
            marked = "return [...document.querySelectorAll(arguments[0])].map(each => Number(each.dataset.at))"
            assert set(octets) <= set(window.run(marked, f"{ltkm} .octet.flawed"))
            assert finding["rule"] in window.run(READOUT)
            assert window.run("return document.activeElement.matches(arguments[0])", f"{ltkm} .octet.lit")
            seen = window.run(
                "const box = document.activeElement.getBoundingClientRect();"
                "return box.top >= 0 && box.bottom <= innerHeight"
            )
            assert seen


def test_a_finding_leads_to_the_element_in_the_body(show: Show) -> None:
    record = record_of(flawed())
    (finding,) = record["findings"]
    window = show([record])
    at = unfolded(window, 0)
    window.click(f"{at} .finding .jump")
    (place,) = (place for place in record["response"]["places"] if place[:2] == finding["octets"])
    element = record["response"]["body"][slice(*place[2:])]
    lit = "return [...document.querySelectorAll('.body .lit')].map(each => each.textContent).join('')"
    assert window.run(lit) == element
    assert element.startswith("<Response>")
    assert window.run("return document.activeElement.textContent") == "<Response>"
    marked = "return [...document.querySelectorAll('.body .flawed')].map(each => each.textContent).join('')"
    assert window.run(marked) == element
    window.run("document.querySelector('.body .flawed').scrollIntoView({block: 'center'})")
    window.hover(f"{at} .body .flawed + .tag")
    path = window.run("return document.querySelector('.side:last-child .readout').textContent")
    assert path == "mbmsMSKResponse / Response / MSK"


def test_a_finding_leads_to_its_header_field(show: Show, trial: list[Record]) -> None:
    window = show(trial)
    paths = ("request.headers.", "response.headers.", "request.method", "response.status")
    placed = numbered(trial, lambda record: any(each["place"]["path"].startswith(paths) for each in record["findings"]))
    assert len(placed) > 5
    for number in placed:
        at = unfolded(window, number)
        for finding in trial[number]["findings"]:
            path = finding["place"]["path"]
            if not path.startswith(paths):
                continue
            button = f"{at} .finding[data-path='{path}'][data-rule='{finding['rule']}'] .jump"
            window.run("document.querySelector(arguments[0]).scrollIntoView({block: 'center'})", button)
            window.click(button)
            line = window.run("return document.activeElement.textContent")
            assert finding["rule"] in line
            side, part, *name = path.split(".")
            if part == "headers":
                assert line.startswith(f"{name[0]}:")
            else:
                assert line.startswith(trial[number][side]["line"])
            assert window.run("return document.activeElement.matches('.lit.flawed')")


def test_a_record_without_evidence_says_so_and_leads_to_its_item(show: Show) -> None:
    """As records of earlier versions are."""
    window = show([{**record_of(flawed()), "request": None, "response": None}])
    at = unfolded(window, 0)
    assert "has no request and response" in window.run("return document.querySelector('.evidence').textContent")
    window.click(f"{at} .finding .jump")
    assert window.run("return document.activeElement.textContent") == "Item 2"


def test_trees_are_made_only_when_an_exchange_is_opened(show: Show, trial: list[Record]) -> None:
    window = show(trial[:-1] * 10)
    assert window.run("return document.querySelectorAll('details.exchange').length") == 10 * (len(trial) - 1)
    assert window.run("return document.querySelectorAll('.tree, .octet, .field').length") == 0
    unfolded(window, 13)
    assert window.run("return document.querySelectorAll('.tree').length") == 1


def test_the_timeline_can_be_walked_with_the_arrow_keys_and_opens_an_exchange(show: Show, trial: list[Record]) -> None:
    window = show(trial)
    assert window.run("return document.querySelectorAll('.strip [tabindex=\"0\"]').length") == 1
    window.run("document.querySelector('.strip [tabindex=\"0\"]').focus()")
    window.press("ArrowRight")
    row = "return [...document.querySelectorAll('.strip')].indexOf(document.activeElement.parentNode)"
    assert window.run(row) == 0
    window.press("ArrowDown")
    assert window.run(row) == 1
    label = window.run("return document.activeElement.getAttribute('aria-label')")
    number = int(window.run("return document.activeElement.dataset.x"))
    assert trial[number]["started"][11:19] in label
    window.click("input[value=clean]")
    window.click("input[value=flawed]")
    window.run("document.querySelector('.strip [tabindex=\"0\"]').focus()")
    window.press("Enter")
    assert window.run("return document.activeElement.parentNode.id") == f"x{number}"
    assert window.run("return document.querySelector(arguments[0]).open", f"#x{number}")


def test_a_link_to_an_exchange_opens_it(show: Show, trial: list[Record]) -> None:
    window = show(trial)
    window.run("location.hash = 'x13'")
    window.wait("return document.querySelector('#x13').open && document.querySelector('#x13 .tree') !== null")
    window.run("location.hash = '%'")
    assert window.log() == []


def test_on_paper_the_findings_of_closed_exchanges_are_there_and_clean_ones_are_not(
    show: Show, trial: list[Record]
) -> None:
    window = show(trial)
    visible = "return [...document.querySelectorAll(arguments[0])].filter(each => each.checkVisibility()).length"
    findings = sum(len(record["findings"]) for record in trial[:-1])
    assert window.run(visible, ".exchange .finding") == 0
    window.emulate("print")
    try:
        assert window.run(visible, ".exchange .finding") == findings
        assert window.run(visible, "#findings .remedy p") > 0
        assert window.run(visible, "#clean .exchange, .filter, nav, button.jump") == 0
    finally:
        window.emulate("")


def test_light_and_dark_follow_the_system_until_the_reader_chooses(show: Show) -> None:
    window = show([record_of(*reference("download"))])
    colour = "return getComputedStyle(document.body).backgroundColor"
    light = window.run(colour)
    window.emulate("", colour="dark")
    try:
        dark = window.run(colour)
        assert dark != light
        window.click("#theme")
        assert window.run(colour) == light
    finally:
        window.emulate("", colour="light")
    assert window.run(colour) == light
    window.click("#theme")
    assert window.run(colour) == dark


def test_every_control_has_a_name(show: Show, trial: list[Record]) -> None:
    window = show(trial)
    for number in (13, 21):
        unfolded(window, number)
    nameless = """
        const controls = 'button, input, select, [role], summary, section, nav, form';
        return [...document.querySelectorAll(controls)].filter(each =>
            !each.matches('[role=row], [role=rowheader], [role=gridcell], [role=treeitem]') &&
            !(each.getAttribute('aria-label') || each.getAttribute('aria-labelledby') || each.labels?.length ||
              each.textContent.trim())).map(each => each.outerHTML.slice(0, 80))
    """
    assert window.run(nameless) == []
    assert (
        window.run(
            "return ['header', 'nav', 'main', 'footer', 'h1'].map(each => document.querySelectorAll(each).length)"
        )
        == [1] * 5
    )


HOSTILE = (
    "</script><script>document.title='pwned'</script><img src=x onerror=\"document.title='pwned'\">"
    "'\"`--><svg onload=alert(1)>{{7*7}}{% raw %}&lt;&#60;\u202eevil\u2066\x1b[31m\x00\u2028\x7f\\end"
)
SAFE = (
    "</script><script>document.title='pwned'</script><img src=x onerror=\"document.title='pwned'\">"
    "'\"`--><svg onload=alert(1)>{{7*7}}{% raw %}&lt;&#60;\\u202eevil\\u2066\\x1b[31m\\x00\\u2028\\x7f\\\\end"
)
"""The same as a reader sees it: markup as it came, what acts on a reader's eyes or terminal as escapes."""
WORDS = frozenset({"schema", "verdict", "level", "answer", "octets", "octets_of", "started", "ended"})
"""Fields that hold a word or a number of ours, never text from the wire."""


def planted(value: Any, name: str = "") -> Any:
    """Return an object with hostile text behind every text in it that can have come from the wire."""
    if isinstance(value, dict):
        return {key: each if key in WORDS else planted(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [planted(each, name) for each in value]
    return f"{name}:{HOSTILE}" if isinstance(value, str) else value


def assert_nothing_ran(window: Browser, exchanges: int) -> str:
    """Open everything, and return the text that is shown; no planted script may have run, and none may be there."""
    window.run("for (const each of document.querySelectorAll('details')) each.open = true")
    window.wait("return !document.querySelector('details.exchange:not([data-filled])')")
    window.run("for (const each of document.querySelectorAll('details')) each.open = true")
    assert "pwned" not in window.run("return document.title")
    assert window.run("return document.querySelectorAll('img, iframe, object, embed, link, base').length") == 0
    kinds = window.run("return [...document.scripts].map(each => each.type)")
    assert kinds == ["application/json"] * exchanges + [""]
    handlers = (
        "return [...document.querySelectorAll('*')].flatMap(each => each.getAttributeNames())"
        ".filter(each => each.startsWith('on'))"
    )
    assert window.run(handlers) == []
    assert window.log() == []
    text: str = window.run("return document.body.innerText")
    forbidden = re.findall(r"[\x00-\x08\x0b-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]", text)
    assert forbidden == []
    return text


def test_hostile_text_in_every_field_of_every_record_stays_text(show: Show, trial: list[Record]) -> None:
    records = [planted(record) for record in trial[:-1] if record["findings"]]
    clear = copy.deepcopy(records[0])
    for record in records[1::2]:  # without octets every value is shown as the record has it
        for item in record["items"]:
            for each in item["ltkms"]:
                each["octets"] = None
    run = {"schema": "ltkm-inspect/run/1", "version": "1", "sources": ["a"], "options": {"keys": "a"}, "started": ""}
    muk = {"idi": "a", "idi_text": "a", "idr": "a", "idr_text": "a", "counter": 1, "delivered": None, "ltkms": 1}
    session = {"schema": "ltkm-inspect/session/1", "terminals": [], "muks": [muk], "forgotten": {}}
    window = show([planted(run), *records, {**clear, "faults": [HOSTILE]}, planted(session)])
    text = assert_nothing_ran(window, len(records) + 1)
    names = (
        *("method", "url", "client", "server", "terminal", "id", "file", "expected", "got", "hint", "path", "rule"),
        *("title", "clauses", "element", "response_code", "msk_id", "key_domain_id", "reason", "value", "value_text"),
        *("sources", "keys", "idi_text", "idr_text"),
    )
    for name in names:
        assert f"{name}:{SAFE}" in text, name
    assert f"fault {SAFE}" in text


def test_hostile_text_from_the_wire_stays_text(show: Show) -> None:
    """The same through decoding and checking: in URL, B-TID, reason, header, MSK, response code, names, identities."""
    markup = "</script><script>document.title='pwned'</script>\u202e"
    escaped = markup.replace("&", "&amp;").replace("<", "&lt;")
    message = ltkm(FIRST)
    payloads = tuple(
        replace(payload, value=f"{markup}\x1b\0".encode()) if isinstance(payload, Identity) else payload
        for payload in message.payloads
    )
    clean = exchange([FIRST.msk_id], [(FIRST, "200 OK", replace(message, payloads=payloads))])
    odd = edited(clean, "<ResponseCode>200 OK", f"<ResponseCode>{escaped}")
    odd = edited(
        odd,
        "<bcast:LTKM>",
        f'<bcast:LTKM xmlns:evil="urn:{escaped}" evil:a="{escaped}" version="{escaped}">',
    )
    odd = edited(odd, "<MSKID>", f"<MSKID>{escaped}")
    encoded = base64.b64encode(message.encode()).decode()
    second = f'<x:LTKM xmlns:x="{escaped}">{encoded}</x:LTKM></Response>'
    odd = edited(odd, "</Response>", second)
    assert odd.response is not None
    authorization = odd.request.headers.get("Authorization") or ""
    assert 'username="' in authorization
    fields = [
        (
            name,
            re.sub(rb'username="[^"]*"', f'username="{markup}"'.encode(), value)
            if name.lower() == b"authorization"
            else value,
        )
        for name, value in odd.request.headers.fields
    ]
    response = replace(
        odd.response,
        reason=markup,
        headers=Headers(
            (*odd.response.headers.fields, (b"X-Odd", markup.encode()), (b"Content-Encoding", markup.encode()))
        ),
    )
    request = replace(odd.request, headers=Headers(tuple(fields)), target=f"/keymanagement?{markup}\x07", method=markup)
    hostile = replace(odd, request=request, faults=())
    with_body = record_of(hostile)
    records = [
        with_body,
        record_of(replace(hostile, response=response)),
        record_of(replace(hostile, response=None, error=markup)),
    ]
    assert {element["element"] for item in with_body["items"] for element in item["ltkms"]} > {f"{{{markup}}}LTKM"}
    window = show(records)
    text = assert_nothing_ran(window, 3)
    shown = markup.replace("\u202e", "\\u202e")
    assert f"/keymanagement?{shown}\\x07" in text
    assert f"{{{shown}}}LTKM" in text
    assert f"{shown}\\x1b\\x00" in text  # the identities
    assert f"no response ({shown})" in text
    assert text.count(shown) > 12


def test_a_page_asks_the_network_for_nothing(show: Show, trial: list[Record]) -> None:
    window = show(trial)
    unfolded(window, 13)
    window.click("#theme")
    asked = window.requests()
    assert len(asked) == 1
    assert asked[0].startswith("file://")
    # the policy is in force: what the page itself does not do cannot be done in it either
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/"
        window.run("document.body.append(Object.assign(new Image(), {src: arguments[0]}))", address)
        window.run("fetch(arguments[0]).catch(() => 0)", address)
        with pytest.raises(TimeoutError):
            server.accept()
    planted = (
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'document.title = 1'}))"
    )
    window.run(planted)
    assert window.run("return document.title") != "1"
    assert sum("Content Security Policy" in entry["message"] for entry in window.log()) >= 3
