"""A comparison of two captures, as text and as JSON."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ltkm_inspect.diff.compare import Comparison, Difference, ExchangeComparison
from ltkm_inspect.diff.facts import EXCHANGE
from ltkm_inspect.finding import shorten
from ltkm_inspect.output.json_line import to_json
from ltkm_inspect.output.redaction import NO_REDACTOR, Redaction
from ltkm_inspect.report.text import count

SCHEMA = "ltkm-inspect/diff/1"


def text_lines(comparison: Comparison, redaction: Redaction | None = None) -> Iterator[str]:
    """Yield a heading for every step that differs with its differences below, then the summary."""
    for each in comparison.differing:
        yield _heading(each, redaction)
        yield from (f"  {_line(difference)}" for difference in _redacted(each, redaction))
    yield from _summary(comparison)


def _heading(each: ExchangeComparison, redaction: Redaction | None) -> str:
    first, second = each.pair.a, each.pair.b
    a = first.terminal if first is not None else ""
    b = second.terminal if second is not None else ""
    named = [shorten(_name(name, redaction)) for name in dict.fromkeys((a, b)) if name]
    who = f"terminal {' -> '.join(named)}" if named else "a terminal without B-TID"
    hidden = NO_REDACTOR.text if redaction is None else redaction.text
    asked = f" for {shorten(' '.join(map(hidden, each.step.asked)))}" if each.step.asked else ""
    how = "" if each.step.authenticated else " without credentials"
    faults = "".join(f" [fault {shorten(hidden(fault))}]" for fault in each.step.report.exchange.faults)
    return f"{who}, request {each.pair.number}{asked}{how}{faults}:"


def _name(terminal: str, redaction: Redaction | None) -> str:
    return terminal if redaction is None else redaction.terminal(terminal)


def _redacted(each: ExchangeComparison, redaction: Redaction | None) -> Iterator[Difference]:
    """Yield the differences of a step, each side redacted by the redactor of its exchange."""
    if redaction is None:
        yield from each.differences
        return
    sides = (each.pair.a, each.pair.b)
    a, b = (NO_REDACTOR if step is None else redaction.redactor(step.report.exchange) for step in sides)
    for difference in each.differences:
        yield replace(
            difference,
            spot=difference.spot._replace(msk=redaction.text(difference.spot.msk)),
            what=redaction.text(difference.what),
            a=None if difference.a is None else a.text(difference.a),
            b=None if difference.b is None else b.text(difference.b),
        )


def _line(difference: Difference) -> str:
    sign = "-" if difference.b is None else "+"
    at = f"{difference.spot}, " if difference.spot != EXCHANGE else ""
    if difference.kind == "exchange":
        return f"{sign} only in {'A' if difference.b is None else 'B'}"
    if difference.kind == "finding":
        assert difference.level is not None
        said = difference.a if difference.b is None else difference.b
        return f"{sign} {difference.level.word} {difference.what}: {said}"
    return f"~ {at}{difference.what}: {difference.a or 'not there'} -> {difference.b or 'not there'}"


def _summary(comparison: Comparison) -> Iterator[str]:
    exchanges = f"{count(comparison.a, 'MSK exchange')} in A, {comparison.b} in B, {comparison.both} in both"
    yield (
        f"summary: {exchanges}; {comparison.by_order} of them paired by MSK ID and order"
        if comparison.by_order
        else (f"summary: {exchanges}")
    )
    if comparison.by_order:
        yield "summary: a B-TID changes at each bootstrapping; what was paired by order may be another terminal's"
    number = _numbers(comparison)
    yield (
        f"summary: {count(number['came'], 'finding')} came, {number['went']} went, {count(number['fields'], 'field')} "
        f"{'differs' if number['fields'] == 1 else 'differ'}"
    )
    for (sign, what), times in sorted(_totals(comparison).items()):
        yield f"summary: {sign} {what}: {times}"


def _numbers(comparison: Comparison) -> dict[str, int]:
    found = Counter(
        "fields" if difference.kind == "field" else "came" if difference.a is None else "went"
        for each in comparison.differing
        for difference in each.differences
        if difference.kind != "exchange"
    )
    return {name: found[name] for name in ("came", "went", "fields")}


def _totals(comparison: Comparison) -> Counter[tuple[str, str]]:
    """Return how often each rule came or went and each field differs."""
    found: Counter[tuple[str, str]] = Counter()
    for each in comparison.differing:
        for difference in each.differences:
            if difference.kind == "finding":
                assert difference.level is not None
                sign = "+" if difference.a is None else "-"
                found[sign, f"{difference.level.word} {difference.what}"] += 1
            elif difference.kind == "field":
                found["~", difference.what] += 1
    return found


def json_text(comparison: Comparison, a: str, b: str, redaction: Redaction | None = None) -> str:
    """Return the comparison of two files as one object of JSON, on one line."""
    return to_json(
        {
            "schema": SCHEMA,
            "a": {"file": a, "exchanges": comparison.a},
            "b": {"file": b, "exchanges": comparison.b},
            "paired": comparison.both,
            "paired_by_order": comparison.by_order,
            "counts": _numbers(comparison),
            "steps": [_step(each, redaction) for each in comparison.differing],
        }
    )


def _step(each: ExchangeComparison, redaction: Redaction | None) -> dict[str, Any]:
    sides = {"a": each.pair.a, "b": each.pair.b}
    hidden = NO_REDACTOR.text if redaction is None else redaction.text
    return {
        **{
            name: None
            if step is None
            else {
                "id": hidden(step.report.exchange.id),
                "terminal": _name(step.terminal, redaction) if step.terminal else None,
                "verdict": step.report.verdict,
                "faults": [*map(hidden, step.report.exchange.faults)],
            }
            for name, step in sides.items()
        },
        "msks": [*map(hidden, each.step.asked)],
        "request": each.pair.number,
        "authenticated": each.step.authenticated,
        "by_terminal": each.pair.by_terminal,
        "differences": [_difference(difference) for difference in _redacted(each, redaction)],
    }


def _difference(difference: Difference) -> dict[str, Any]:
    return {
        "kind": difference.kind,
        "what": difference.what,
        "level": difference.level.word if difference.level is not None else None,
        "msk": difference.spot.msk or None,
        "number": difference.spot.number,
        "ltkm": difference.spot.ltkm,
        "a": difference.a,
        "b": difference.b,
    }
