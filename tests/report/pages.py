"""Records to make HTML pages from, and the pages taken apart again."""

import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import unescape
from pathlib import Path
from typing import Any

from ltkm_inspect.context import Context
from ltkm_inspect.engine import inspect
from ltkm_inspect.finding import Report
from ltkm_inspect.output.json_line import to_json
from ltkm_inspect.report import html, jsonl
from ltkm_inspect.report.summary import Summary
from ltkm_inspect.session import Session
from ltkm_inspect.traffic import Exchange
from tests.proxy.parts import inspected

type Record = dict[str, Any]


def page_of(records: Iterable[Mapping[str, Any]]) -> str:
    """Return the page of these records, which are gone through twice."""
    file = io.StringIO()
    html.write(records if not isinstance(records, Iterator) else list(records), file)
    return file.getvalue()


def records_of(reports: Iterable[Report | None], file: str | None = None) -> Iterator[Record]:
    """Yield the records of a run: an object for each exchange, and the summary."""
    summary = Summary()
    for report in reports:
        if report is None:
            summary.other()
            continue
        summary.add(report)
        yield json.loads(jsonl.exchange_line(report, file, for_page=True))
    yield json.loads(to_json(jsonl.summary_record(summary)))


def recorded(path: Path) -> list[Record]:
    """Return the records of a flow file."""
    return list(records_of(inspected(path), path.name))


def record_of(*exchanges: Exchange) -> Record:
    """Return the record of the last of these exchanges, which make up a session."""
    context = Context(session=Session())
    reports = [inspect(exchange, context) for exchange in exchanges]
    record: Record = json.loads(jsonl.exchange_line(reports[-1], for_page=True))
    return record


def tiles(page: str) -> dict[str, int]:
    """Return the numbers at the top of a page, by what stands below them."""
    top = page[page.index('<dl class="tiles">') : page.index("</header>")]
    found = re.findall(r"<dt>(?:<svg.*?</svg>)?(.*?)</dt><dd>([\d,]+)</dd>", top)
    return {name: int(number.replace(",", "")) for name, number in found}


def headline(page: str) -> str:
    """Return the first heading."""
    found = re.search(r"<h1[^>]*>(?:<svg.*?</svg>)?(.*?)</h1>", page)
    assert found is not None
    return unescape(found[1])


def rows(page: str) -> list[int]:
    """Return the numbers of the exchanges that are on the page, in its order."""
    return [int(number) for number in re.findall(r'<details class="exchange" id="x(\d+)"', page)]


def data_of(page: str, number: int) -> dict[str, Any]:
    """Return the data from which an exchange is unfolded."""
    start = page.index(f'<details class="exchange" id="x{number}"')
    found = re.compile(r'<script type="application/json">(.*?)</script>', re.S).search(page, start)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def ltkms(data: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    """Return what is shown of the LTKMs of an exchange."""
    return [ltkm for item in data["i"] for ltkm in item["l"]]


def text_of(page: str) -> str:
    """Return the text of the page without script, style and data, as a reader sees it."""
    bare = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.S)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", bare)).split())
