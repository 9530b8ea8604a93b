"""A report as lines of text."""

from dataclasses import replace

from ltkm_inspect.engine import inspect
from ltkm_inspect.finding import Finding, Level, Place, Report
from ltkm_inspect.reference import reference
from ltkm_inspect.report.text import count, lines


def test_a_clean_exchange_is_one_line_that_counts_what_is_in_it() -> None:
    (exchange,) = reference("several-keys")
    assert lines(inspect(exchange)) == [
        "#- 08:00:00.000Z MTIzNDU2..Q1Ng POST /keymanagement?requesttype=msk-request -> 200: 2 items, 2 LTKMs: clean"
    ]


def test_every_finding_has_a_line_below_the_heading() -> None:
    (exchange,) = reference("download")
    findings = (
        Finding("ltkm-missing", Level.VIOLATION, "No LTKM.", Place(1), "exactly one LTKM", "none"),
        Finding("rand-long", Level.WARNING, "Long.", Place(1, 1, "RAND.value"), "16 octets", "17"),
    )
    heading, *rest = lines(Report(exchange, findings, items=1, ltkms=1))
    assert heading.endswith(" -> 200: 1 item, 1 LTKM: violation")
    assert rest == [f"  {finding.line}" for finding in findings]


def test_text_from_the_wire_cannot_act_on_a_terminal() -> None:
    (exchange,) = reference("download")
    hostile = replace(
        exchange,
        request=replace(exchange.request, method="PO\x1b[2JST", host="\u202eevil", target="/\udcff\n"),
        response=None,
        error="reset\r\nviolation forged",
    )
    (heading,) = lines(Report(hostile))
    assert heading == (
        "#- 08:00:00.000Z MTIzNDU2..Q1Ng PO\\x1b[2JST /\\udcff\\x0a -> "
        "no response (reset\\x0d\\x0aviolation forged): 0 items, 0 LTKMs: clean"
    )


def test_a_long_url_is_cut_and_says_how_long_it_is() -> None:
    (exchange,) = reference("download")
    long = replace(exchange, request=replace(exchange.request, target="/" + "a" * 100_000))
    (heading,) = lines(Report(long))
    assert len(heading) < 400
    assert "... (100001 characters)" in heading


def test_one_is_counted_in_the_singular() -> None:
    assert [count(number, "item") for number in (0, 1, 2)] == ["0 items", "1 item", "2 items"]


def test_the_heading_of_a_faulted_exchange_ends_in_its_faults_safe_to_print() -> None:
    (exchange,) = reference("download")
    faulted = replace(exchange, faults=("shorten-rand:octets=8", "rename-ltkm:name=\x1b[2J" + "x" * 1000))
    heading, below = lines(Report(faulted))
    assert below == "  the faults break no active rule here"
    assert " -> 200 [fault shorten-rand:octets=8] [fault rename-ltkm:name=\\x1b[2Jxxx" in heading
    assert len(heading) < 400
