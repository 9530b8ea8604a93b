"""Photographs what the README shows: the view in the real mitmproxy, and the HTML report in a real Chromium.

python -m tests.screenshots

Needs tmux, chromium and chromedriver. Nothing compares the pictures: fonts differ from machine to machine.
"""

import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir
from html import escape
from pathlib import Path

from click.testing import CliRunner
from mitmproxy.utils import emoji

from ltkm_inspect.cli.program import commands
from ltkm_inspect.finding import Level
from ltkm_inspect.mitm.marking import MARKS
from tests.generated import ROOT
from tests.proxy.console import Console
from tests.proxy.parts import TRIAL, inspected
from tests.report.browser import Browser, browser

IMAGES = ROOT / "docs/images"
RULE = "key-domain-mismatch"
"""The pictures show the first exchange that breaks it."""
SIZE = (132, 44)
"""Columns and lines of the terminal."""
_SEQUENCE = re.compile(r"\x1b\[([\d;]*)m|\x1b[^m]*m|[\x0e\x0f]")
_MARKER = re.compile(re.escape(emoji.emoji[MARKS[Level.VIOLATION]]))
"""It takes two columns, and few machines have a font for it."""
_NORMAL = ("#1e1e1e", "#cd3131", "#0dbc79", "#e5e510", "#5a9bd8", "#bc3fbc", "#11a8cd", "#e5e5e5")
_BRIGHT = ("#666666", "#f14c4c", "#23d18b", "#f5f543", "#79b8ff", "#d670d6", "#29b8db", "#ffffff")
_STYLE = """
body { margin: 0; background: #1e1e1e; width: max-content }
pre { margin: 0; padding: 10px; color: #d4d4d4; font: 15px/1.25 "DejaVu Sans Mono", monospace }
"""


def main() -> int:
    """Take both pictures."""
    number = next(at for at, report in enumerate(inspected(TRIAL)) if report is not None and RULE in report.rules)
    with tempfile.TemporaryDirectory(prefix="ltkm-") as name:
        folder = Path(name)
        page = folder / "view.html"
        page.write_text(f"<meta charset=utf-8><style>{_STYLE}</style><pre>{_colored(_view(folder, number))}</pre>")
        report = folder / "trial.html"
        with chdir(ROOT):  # the page shows the name of the file as it is typed
            CliRunner().invoke(commands, ["check", "--report", f"html={report}", str(TRIAL.relative_to(ROOT))])
        IMAGES.mkdir(exist_ok=True)
        with browser(folder, "--window-size=1240,940") as window:
            window.open(page)
            width, height = window.run("const box = document.body; return [box.scrollWidth, box.scrollHeight]")
            window.resize(width, height)
            window.screenshot(IMAGES / "view.png")
            window.resize(1240, 940)
            _open_exchange(window.open(report))
            window.screenshot(IMAGES / "page.png")
    return 0


def _view(folder: Path, number: int) -> str:
    """Return the screen of mitmproxy with that flow of the trial opened at its response."""
    console = Console(folder, size=SIZE)
    try:
        console.screen(lambda shown: f"/{len(inspected(TRIAL))}]" in shown)
        console.command(f"view.focus.go {number}")
        console.screen(lambda shown: f"[{number + 1}/" in shown)
        console.press("Enter")
        console.screen(lambda shown: "Flow Details" in shown)
        console.press("Tab")
        console.screen(lambda shown: f" {RULE}: " in shown)
        return console.colored_screen()
    finally:
        console.close()


def _open_exchange(window: Browser) -> None:
    """Filter the page by the rule, and open the exchange, so that finding, fields and octets are seen."""
    window.type("#by-rule", RULE)
    window.wait("return document.querySelectorAll('details.exchange:not([hidden])').length === 1")
    window.run("document.querySelector('details.exchange:not([hidden])').scrollIntoView()")
    window.click("details.exchange:not([hidden]) > summary")
    window.wait("return document.querySelector('details.exchange:not([hidden])').dataset.filled")


def _colored(screen: str) -> str:
    """Return a screen with SGR sequences as HTML."""
    return _MARKER.sub('<span style="color:#e5484d">● </span>', "".join(_spans(screen.rstrip("\n"))))


def _spans(screen: str) -> Iterator[str]:
    style: dict[str, str] = {}
    at = 0
    for found in _SEQUENCE.finditer(screen):
        yield _span(screen[at : found.start()], style)
        if found[1] is not None:
            _apply([int(code or 0) for code in found[1].split(";")], style)
        at = found.end()
    yield _span(screen[at:], style)


def _span(text: str, style: dict[str, str]) -> str:
    colors = dict(style)
    if colors.pop("inverse", ""):
        front, back = colors.get("color", "#d4d4d4"), colors.get("background", "#1e1e1e")
        colors |= {"color": back, "background": front}
    css = ";".join(f"{name}:{value}" for name, value in colors.items())
    return f'<span style="{css}">{escape(text)}</span>' if css and text else escape(text)


def _apply(codes: list[int], style: dict[str, str]) -> None:
    """Change a style as the codes of an SGR sequence say."""
    rest = iter(codes)
    for code in rest:
        match code:
            case 0:
                style.clear()
            case 1:
                style["font-weight"] = "bold"
            case 2:
                style["opacity"] = "0.7"
            case 4:
                style["text-decoration"] = "underline"
            case 7:
                style["inverse"] = "yes"
            case 22:
                style.pop("font-weight", None)
                style.pop("opacity", None)
            case 24:
                style.pop("text-decoration", None)
            case 27:
                style.pop("inverse", None)
            case 38 | 48:
                style["color" if code == 38 else "background"] = _palette(next(rest), rest)
            case 39 | 49:
                style.pop("color" if code == 39 else "background", None)
            case _ if 30 <= code <= 37 or 40 <= code <= 47:
                style["color" if code < 40 else "background"] = _NORMAL[code % 10]
            case _ if 90 <= code <= 97 or 100 <= code <= 107:
                style["color" if code < 100 else "background"] = _BRIGHT[code % 10]


def _palette(kind: int, rest: Iterator[int]) -> str:
    """Return the color that follows 38 or 48: of 256 (5) or as red, green and blue (2)."""
    if kind == 2:
        return f"rgb({next(rest)},{next(rest)},{next(rest)})"
    number = next(rest)
    if number < 16:
        return (_NORMAL + _BRIGHT)[number]
    if number < 232:
        levels = (0, 95, 135, 175, 215, 255)
        red, green, blue = ((number - 16) // 36, (number - 16) // 6 % 6, (number - 16) % 6)
        return f"rgb({levels[red]},{levels[green]},{levels[blue]})"
    gray = 8 + 10 * (number - 232)
    return f"rgb({gray},{gray},{gray})"


if __name__ == "__main__":
    sys.exit(main())
