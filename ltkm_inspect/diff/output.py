"""A comparison of two captures, as text and as JSON."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ltkm_inspect.diff.compare import Comparison, Difference, ExchangeComparison
from ltkm_inspect.diff.facts import EXCHANGE
from ltkm_inspect.diff.pairing import CapturedExchange
from ltkm_inspect.finding import shorten
from ltkm_inspect.output.json_line import to_json
from ltkm_inspect.output.redactor import NO_REDACTOR
from ltkm_inspect.output.wording import PLAIN, Wording
from ltkm_inspect.report.text import count

SCHEMA = "ltkm-inspect/diff/1"


def text_lines(comparison: Comparison, wording: Wording = PLAIN) -> Iterator[str]:
    """Yield a heading for every step that differs with its differences below, then the summary."""
    for each in comparison.differing:
        sides = [wording.redactor(step.report.event).names for step in (each.pair.a, each.pair.b) if step is not None]
        for line in (_heading(each, wording), *(f"  {_line(each)}" for each in _redacted(each, wording))):
            for names in sides:
                line = names.text(line)
            yield line
    yield from _summary(comparison)


def _heading(each: ExchangeComparison, wording: Wording) -> str:
    terminals = dict.fromkeys(step.terminal for step in (each.pair.a, each.pair.b) if step is not None)
    named = [shorten(wording.terminal(name)) for name in terminals if name]
    who = f"terminal {' -> '.join(named)}" if named else "a terminal without B-TID"
    msks = " ".join(map(wording.text, each.step.asked))
    asked = f" for {shorten(msks)}" if msks else ""
    how = "" if each.step.authenticated else " without credentials"
    faults = "".join(f" [fault {shorten(wording.text(fault))}]" for fault in each.step.report.event.faults)
    what = "request" if each.step.datagram is None else each.step.datagram.value
    return f"{who}, {what} {each.pair.number}{asked}{how}{faults}:"


def _redacted(each: ExchangeComparison, wording: Wording) -> Iterator[Difference]:
    """Yield the differences of a step, each side redacted by the redactor of its exchange."""
    if wording.redaction is None:
        yield from each.differences
        return
    sides = (each.pair.a, each.pair.b)
    a, b = (NO_REDACTOR if step is None else wording.redactor(step.report.event) for step in sides)
    for difference in each.differences:
        yield replace(
            difference,
            spot=difference.spot._replace(msk=wording.text(difference.spot.msk)),
            what=wording.text(difference.what),
            a=None if difference.a is None else a.text(difference.a),
            b=None if difference.b is None else b.text(difference.b),
        )


def _line(difference: Difference) -> str:
    if difference.kind == "exchange":
        return f"{difference.sign} only in {'A' if difference.b is None else 'B'}"
    if difference.kind == "finding":
        return f"{difference.sign} {difference.name}: {difference.a or difference.b}"
    at = f"{difference.spot}, " if difference.spot != EXCHANGE else ""
    return f"~ {at}{difference.what}: {difference.a or 'missing'} -> {difference.b or 'missing'}"


def _summary(comparison: Comparison) -> Iterator[str]:
    exchanges = f"{count(comparison.a, comparison.noun)} in A, {comparison.b} in B, {len(comparison.both)} in both"
    paired = f"; {comparison.by_order} of these paired by MSK ID and order" if comparison.by_order else ""
    yield f"summary: {exchanges}{paired}"
    if comparison.by_order:
        yield "summary: a B-TID changes with each bootstrapping; pairs by order may mix up terminals"
    number = _numbers(comparison)
    differ = f"{count(number['fields'], 'field')} {'differs' if number['fields'] == 1 else 'differ'}"
    yield f"summary: {count(number['came'], 'finding')} only in B, {number['went']} only in A, {differ}"
    totals = Counter((each.sign, each.name) for each in comparison.differences)
    yield from (f"summary: {sign} {name}: {times}" for (sign, name), times in sorted(totals.items()))


def _numbers(comparison: Comparison) -> dict[str, int]:
    signs = Counter(each.sign for each in comparison.differences)
    return {"came": signs["+"], "went": signs["-"], "fields": signs["~"]}


def json_text(comparison: Comparison, a: str, b: str, wording: Wording = PLAIN) -> str:
    """Return the comparison of two files as one object of JSON, on one line."""
    return to_json(
        {
            "schema": SCHEMA,
            "a": {"file": a, "exchanges": comparison.a},
            "b": {"file": b, "exchanges": comparison.b},
            "paired": len(comparison.both),
            "paired_by_order": comparison.by_order,
            "counts": _numbers(comparison),
            "steps": [_step(each, wording) for each in comparison.differing],
        }
    )


def _step(each: ExchangeComparison, wording: Wording) -> dict[str, Any]:
    return {
        "a": _side(each.pair.a, wording),
        "b": _side(each.pair.b, wording),
        "msks": [*map(wording.text, each.step.asked)],
        "request": each.pair.number,
        "datagram": None if each.step.datagram is None else each.step.datagram.key,
        "authenticated": each.step.authenticated,
        "by_terminal": each.pair.by_terminal,
        "differences": [_difference(difference) for difference in _redacted(each, wording)],
    }


def _side(step: CapturedExchange | None, wording: Wording) -> dict[str, Any] | None:
    if step is None:
        return None
    return {
        "id": wording.text(step.report.event.id),
        "terminal": wording.terminal(step.terminal) if step.terminal else None,
        "verdict": step.report.verdict,
        "faults": [*map(wording.text, step.report.event.faults)],
        "names": wording.redactor(step.report.event).names.plain,
    }


def _difference(difference: Difference) -> dict[str, Any]:
    return {
        "kind": difference.kind,
        "what": difference.what,
        "level": difference.level and difference.level.word,
        "msk": difference.spot.msk or None,
        "number": difference.spot.number,
        "ltkm": difference.spot.ltkm,
        "a": difference.a,
        "b": difference.b,
    }
