"""The commands that tell of the catalogue: `rules`, `faults`, `explain`; and `addon`."""

from pathlib import Path

import click

from ltkm_inspect.cli.group import commands
from ltkm_inspect.cli.shared import leave, shaped
from ltkm_inspect.options.words import did_you_mean
from ltkm_inspect.output.console import COULD_NOT_RUN, complain, say
from ltkm_inspect.wire import printable


@commands.command()
@shaped("text", "json")
def rules(shape: str) -> None:
    """List the rules, by what they look at."""
    from ltkm_inspect.report import listing

    say([listing.rules_json()] if shape == "json" else listing.rule_lines())


@commands.command()
@shaped("text", "json")
def faults(shape: str) -> None:
    """List the faults, by what they damage."""
    from ltkm_inspect.report import listing

    say([listing.faults_json()] if shape == "json" else listing.fault_lines())


@commands.command()
@click.argument("rule")
def explain(rule: str) -> None:
    """Explain a rule or a fault.

    What the clause says, why it matters, what to do about it, and an example.
    """
    from ltkm_inspect import explain as room

    page = room.page(rule)
    if page is None:
        raise click.UsageError(f"unknown rule {printable(rule)}{did_you_mean(rule, room.names())}")
    say(page.splitlines())


@commands.command()
def addon() -> None:
    """Print the path of the addon script, for `mitmdump -s`."""
    try:
        say([str(addon_script())])
    except FileNotFoundError as error:
        complain(str(error))
        leave(COULD_NOT_RUN)


def addon_script() -> Path:
    """The script that `mitmdump -s` takes, as an absolute path.

    An installed wheel carries it alone in a folder of its own: mitmproxy puts the folder of a script first on
    `sys.path`, where any other module in it could hide one of the same name. In a checkout it stands in `addons/`,
    beside the package. Raises FileNotFoundError where neither is there.
    """
    package = Path(__file__).resolve().parent.parent
    places = (package / "addon_script" / "ltkm.py", package.parent / "addons" / "ltkm.py")
    for place in places:
        if place.is_file():
            return place
    raise FileNotFoundError(f"expected the addon script at {places[0]} or {places[1]}, got neither")
