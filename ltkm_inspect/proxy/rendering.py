"""What is shown of a large flow, made beside the event loop when the flow was inspected."""

from dataclasses import dataclass
from typing import Any

from mitmproxy import ctx, http
from mitmproxy.flow import Flow

from ltkm_inspect.inspecting import ShownTexts
from ltkm_inspect.proxy.configuration import Configuration

SHOWS_CONTENT = 3
"""From this `flow_detail` on mitmdump shows the content of each flow."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """The texts and rows for one flow, with what they were made from."""

    configuration: Configuration
    request: http.RequestData
    response: http.ResponseData | None
    texts: ShownTexts

    @classmethod
    def of(cls, flow: http.HTTPFlow, texts: ShownTexts, configuration: Configuration) -> "Rendering":
        """Return these texts with the flow as it is now."""
        response = None if flow.response is None else flow.response.copy().data
        return cls(configuration, flow.request.copy().data, response, texts)

    def fits(self, flow: Flow | None, configuration: Configuration) -> bool:
        """Tell whether neither the flow nor the options have changed since."""
        if not isinstance(flow, http.HTTPFlow) or self.configuration is not configuration:
            return False
        return self.request == flow.request.data and self.response == (flow.response and flow.response.data)


def is_wanted() -> bool:
    """Tell whether this program may show the content of flows: mitmproxy and mitmweb do, mitmdump only if asked."""
    chain: Any = ctx.master.addons  # mitmproxy gives it no types
    if chain.get("view") is not None:
        return True
    return chain.get("dumper") is not None and ctx.options.flow_detail >= SHOWS_CONTENT
