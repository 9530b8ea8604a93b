"""Datagrams on the HTML page: their rows, their message, and the two ways of delivery in the timeline."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ltkm_inspect import reference
from ltkm_inspect.context import Context
from ltkm_inspect.engine import inspect
from ltkm_inspect.output.json_line import to_json
from ltkm_inspect.report import jsonl
from ltkm_inspect.report.datagram import event_line
from ltkm_inspect.report.keys import Keys
from ltkm_inspect.report.summary import Summary
from ltkm_inspect.session import Session
from ltkm_inspect.traffic import Direction, Event
from tests.datagrams import BSM, PUSH, STKM, TERMINAL, datagram, push, verification
from tests.report.browser import Browser, browser
from tests.report.pages import headline, page_of, tiles

EXCHANGES = reference.reference("renewal")
DATAGRAMS = (
    datagram(push(reference.STREAMING, v=True), 4000, id="u.1", place=1),
    datagram(verification(reference.STREAMING), 4001, id="u.2", place=2, direction=Direction.FROM_TERMINAL),
    datagram(PUSH[:-5], 4002, id="u.3", place=3),
    datagram(STKM, 4003, id="u.4", place=4),
)


def records(*events: Event, keys: Keys | None = None) -> list[dict[str, Any]]:
    """Return the records of a run of these events, each the next flow."""
    keys = keys or Keys()
    context, summary, found = Context(keys=keys.ring, session=Session()), Summary(), []
    for number, event in enumerate(events, 1):
        report = inspect(event, context)
        report.number = number
        summary.add(report)
        found.append(json.loads(event_line(report, keys=keys, for_page=True)))
    assert context.session is not None
    return [
        *found,
        json.loads(to_json(jsonl.session_record(context.session))),
        json.loads(to_json(jsonl.summary_record(summary))),
    ]


@pytest.fixture(scope="module")
def both() -> list[dict[str, Any]]:
    return records(*EXCHANGES, *DATAGRAMS)


def test_the_top_counts_datagrams_by_kind(both: list[dict[str, Any]]) -> None:
    page = page_of(both)
    assert headline(page) == "1 of 5 exchanges and datagrams breaks the rules"
    assert tiles(page)["datagrams"] == 4
    assert "Datagrams: 2 pushes, 1 verification message, 1 STKM." in page


def test_a_page_of_datagrams_alone_speaks_of_datagrams() -> None:
    page = page_of(records(DATAGRAMS[0]))
    assert headline(page) == "Nothing is wrong in 1 datagram"
    assert '<h2 id="exchanges-h">Datagrams' in page
    assert 'id="by-path"' not in page
    assert "over UDP</span>" in page


def test_a_page_of_exchanges_alone_does_not(both: list[dict[str, Any]]) -> None:
    page = page_of(records(*EXCHANGES))
    for word in ('id="by-path"', 'href="#u-', "atagrams", "over UDP"):
        assert word not in page[page.index("<header") : page.index("<script>")]


def test_only_datagrams_that_no_rule_applies_to_say_that_nothing_was_checked() -> None:
    assert headline(page_of(records(DATAGRAMS[3]))) == "No MSK exchange was seen, so nothing was checked"


def test_a_row_names_kind_and_key_of_a_datagram(both: list[dict[str, Any]]) -> None:
    page = page_of(both)
    found = re.findall(
        r'<details class="exchange" id="x\d+" data-kind="(\w+)" data-path="udp".*?</details>', page, re.DOTALL
    )
    assert found == ["clean", "clean", "flawed", "unchecked"]
    row = page[page.index('id="x2"') :]
    assert f'title="push {BSM} to {TERMINAL}"' in row
    assert "UDP push</b> MSK 24cb4400" in row
    assert "#3.1</span>" in row


def test_the_timeline_keeps_the_two_ways_of_delivery_apart(both: list[dict[str, Any]]) -> None:
    page = page_of(both)
    marks = re.findall(r'<use class="(\w+)" href="#([su])-\w+" x="[\d.]+%" y="(\d+)%"', page)
    assert {(shape, y) for _, shape, y in marks} == {("s", "26"), ("u", "74")}
    assert [verdict for verdict, shape, _ in marks if shape == "s"] == ["clean", "clean"]
    assert "over HTTP (above the line)" in page
    assert "over UDP (below the line)" in page
    assert 'class="strip lanes"' in page
    labels = re.findall(r'aria-label="([^"]*over UDP)"', page)
    assert any("violation" in label for label in labels)


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("chromium")) as window:
        yield window


@pytest.mark.needs("chromium")
def test_a_reader_can_filter_by_path_and_open_a_datagram(window: Browser, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(page_of(records(*EXCHANGES, *DATAGRAMS, keys=Keys(reference.KEYS))), "utf-8")
    window.open(path)
    shown = "return [...document.querySelectorAll('details.exchange:not([hidden])')].map(each => each.id)"
    choose = (
        "const box = document.querySelector('#by-path'); box.value = arguments[0];"
        "box.dispatchEvent(new Event('change', {bubbles: true}))"
    )
    ways = {"udp": ["x2", "x3", "x4", "x5"], "http": ["x0", "x1"], "": [f"x{number}" for number in range(6)]}
    for way, rows in ways.items():
        window.run(choose, way)
        assert window.run(shown) == rows
    text = "const row = document.querySelector(arguments[0]); row.open = true; return row.innerText"
    window.run(text, "#x2")
    window.wait("return document.querySelector('#x2 .field')")
    opened = window.run(text, "#x2")
    for words in (
        "push, to the terminal",
        BSM,
        TERMINAL,
        "Asks for a verification message",
        "LTKM 1 · ",
        "MAC",
        "valid",
    ):
        assert words in opened
    assert "The record of this exchange has no request and response" not in opened
    assert window.run("return document.querySelectorAll('#x2 .octet').length") > 100
    window.run(text, "#x3")
    window.wait("return document.querySelector('#x3 .field')")
    assert "Message · " in window.run(text, "#x3")
    window.run("document.querySelector('#x4').open = true")
    window.wait("return document.querySelector('#x4 .jump')")
    window.click("#x4 .jump")
    assert window.run("return document.querySelectorAll('#x4 .octet.lit').length") >= 1
    assert [entry["message"] for entry in window.log()] == []
