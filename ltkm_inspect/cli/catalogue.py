"""The commands about the catalogue: `rules`, `faults`, `explain`; and `addon` and `completion`."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import click

from ltkm_inspect.cli.completion import complete_names, complete_rule_words
from ltkm_inspect.cli.group import commands
from ltkm_inspect.cli.shared import Word, leave, shaped
from ltkm_inspect.options.words import did_you_mean
from ltkm_inspect.output.console import COULD_NOT_RUN, PROGRAM, complain, say
from ltkm_inspect.wire import printable

MOST_SUGGESTED = 5
"""How many ids an error names that contain what was typed."""


@commands.command()
@click.argument("words", nargs=-1, metavar="[WORD]...", shell_complete=complete_rule_words)
@shaped("text", "json")
def rules(words: tuple[str, ...], shape: str) -> None:
    """List the rules by subject.

    With WORDs, list only rules whose id, title, subject, level, clauses or documents contain all of them.
    """
    from ltkm_inspect.report import listing

    listed = listing.rules_with(words)
    _require(listed, "rule", words)
    say([listing.rules_json(listed)] if shape == "json" else listing.rule_lines(listed))


@commands.command()
@click.argument("words", nargs=-1, metavar="[WORD]...", shell_complete=complete_names)
@shaped("text", "json")
def faults(words: tuple[str, ...], shape: str) -> None:
    """List the faults by subject.

    With WORDs, list only faults whose id, title, subject, broken rules or their documents contain all of them.
    """
    from ltkm_inspect.report import listing

    listed = listing.faults_with(words)
    _require(listed, "fault", words)
    say([listing.faults_json(listed)] if shape == "json" else listing.fault_lines(listed))


def _require(listed: Collection[Any], what: str, words: tuple[str, ...]) -> None:
    """Raise a usage error where no rule or fault has these words."""
    if not listed:
        from ltkm_inspect.explain import names

        close = did_you_mean(words[0], names()) if len(words) == 1 else "; try fewer words"
        shown = " and ".join(map(printable, words))
        raise click.UsageError(f"no {what} matches {shown}{close or f'; without a word, {what}s lists all'}")


@commands.command()
@click.argument("rule", shell_complete=complete_names)
def explain(rule: str) -> None:
    """Explain a rule or a fault.

    Shows the clauses, why the rule matters, what to do, and an example.
    """
    from ltkm_inspect import explain as room

    page = room.page(rule)
    if page is None:
        raise click.UsageError(f"unknown rule or fault {printable(rule)}{_suggested(rule, room.names())}")
    say(page.splitlines())


def _suggested(word: str, names: list[str]) -> str:
    """Return the ids that contain a word, else the one that comes closest, else the commands that list all."""
    found = [name for name in names if word and word.lower() in name]
    if len(found) == 1:
        return f"; did you mean {found[0]}?"
    if not found:
        return did_you_mean(word, names) or "; ltkm-inspect rules and ltkm-inspect faults list what there is"
    more = len(found) - MOST_SUGGESTED
    listed = ", ".join(found[:MOST_SUGGESTED]) + (f" and {more} more" if more > 0 else "")
    return f"; ids that contain it: {listed} (ltkm-inspect rules {word.lower()} and faults {word.lower()} list them)"


@commands.command()
@click.argument("shell", type=Word(("bash", "zsh", "fish")), metavar="bash|zsh|fish")
def completion(shell: str) -> None:
    """Print the completions for a shell.

    \b
    bash: add   eval "$(ltkm-inspect completion bash)"   to ~/.bashrc
    zsh:  add   eval "$(ltkm-inspect completion zsh)"    to ~/.zshrc
    fish: type  ltkm-inspect completion fish > ~/.config/fish/completions/ltkm-inspect.fish
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    say(kind(commands, {}, PROGRAM, f"_{PROGRAM.upper().replace('-', '_')}_COMPLETE").source().splitlines())


@commands.command()
def addon() -> None:
    """Print the path of the addon script, for `mitmdump -s`."""
    try:
        say([str(addon_script())])
    except FileNotFoundError as error:
        complain(str(error))
        leave(COULD_NOT_RUN)


def addon_script() -> Path:
    """Return the absolute path of the script for `mitmdump -s`.

    An installed wheel has it alone in its own folder: mitmproxy puts the folder of a script first on `sys.path`, where
    any other module in it could hide one of the same name. In a checkout it is in `addons/`, beside the package. Raises
    FileNotFoundError if there is neither.
    """
    package = Path(__file__).resolve().parent.parent
    places = (package / "addon_script" / "ltkm.py", package.parent / "addons" / "ltkm.py")
    for place in places:
        if place.is_file():
            return place
    raise FileNotFoundError(f"expected the addon script at {places[0]} or {places[1]}, got neither")
