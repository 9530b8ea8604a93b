"""What is shown of a large flow, made beside the event loop when the flow was inspected."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mitmproxy import ctx, http
from mitmproxy.flow import Flow

from ltkm_inspect.finding import Report
from ltkm_inspect.output.redaction import Redactor
from ltkm_inspect.proxy.configuration import Configuration
from ltkm_inspect.proxy.outline import request_lines, response_lines
from ltkm_inspect.report.text import exchange_text

SHOWS_CONTENT = 3
"""From this `flow_detail` on mitmdump shows the content of each flow."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """The texts and rows for one flow, with what they were made from."""

    configuration: Configuration
    request: http.RequestData
    response: http.ResponseData | None
    request_text: str
    response_text: str
    rows: tuple[list[str], ...]
    """Its findings and notes, as `ltkm.findings` shows them."""

    def fits(self, flow: Flow | None, configuration: Configuration) -> bool:
        """Tell whether neither the flow nor the options have changed since."""
        if not isinstance(flow, http.HTTPFlow) or self.configuration is not configuration:
            return False
        return self.request == flow.request.data and self.response == (flow.response and flow.response.data)


def render(flow: http.HTTPFlow, report: Report, redactor: Redactor, configuration: Configuration) -> Rendering:
    """Return what is to be shown of a flow, from its report."""
    request, response = flow.request.copy(), None if flow.response is None else flow.response.copy()
    content = b"" if response is None else response.get_content(strict=False) or b""
    return Rendering(
        configuration,
        request.data,
        None if response is None else response.data,
        joined(request_lines(report, redactor)),
        joined(response_lines(report, content, configuration.keys, redactor)),
        tuple(rows(report, redactor)),
    )


def rows(report: Report, redactor: Redactor) -> Iterator[list[str]]:
    """Yield the findings and notes of a report as rows of a table: flow, rule, place, what."""
    exchange = exchange_text(report, redactor, notes=True)
    for finding in exchange.findings:
        yield [exchange.flow, f"{finding.level} {finding.rule}", finding.place, finding.text]


def joined(lines: Iterator[str]) -> str:
    """Return lines as one text, with an end of line behind each."""
    return "".join(f"{line}\n" for line in lines)


def is_wanted() -> bool:
    """Tell whether this program may show the content of flows: mitmproxy and mitmweb do, mitmdump only if asked."""
    chain: Any = ctx.master.addons  # mitmproxy gives it no types
    if chain.get("view") is not None:
        return True
    return chain.get("dumper") is not None and ctx.options.flow_detail >= SHOWS_CONTENT
