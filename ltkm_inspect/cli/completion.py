"""What a shell completes: names of files, and the words of options and arguments."""

import os
import re
from collections.abc import Callable, Iterable, Mapping

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class, split_arg_string

from ltkm_inspect.options.rule_words import known_rules, rule_words
from ltkm_inspect.options.table import DEFAULTS, Option
from ltkm_inspect.parameter import FileName, Parameter

type Completions = list[CompletionItem[str]]
type Completer = Callable[[click.Context, click.Parameter, str], Completions]
"""Completes what was typed of a value; click calls it."""
LEVELS = ("off", "note", "warning", "violation")


@add_completion_class
class BashCompletion(BashComplete):
    """Completion for bash, which gives words apart that an equals sign or a colon joins, and expects them so."""

    source_template = """\
%(complete_func)s() {
    local IFS=$'\\n' response completion value
    COMPREPLY=()
    response=$(env COMP_WORDS="${COMP_LINE:0:COMP_POINT}" COMP_WORDBREAKS="$COMP_WORDBREAKS" \\
        %(complete_var)s=bash_complete "$1")
    for completion in $response; do
        value=${completion#*,}
        case ${completion%%%%,*} in
            file) compopt -o default ;;
            plain)
                COMPREPLY+=("$value")
                [[ $value == *[=:] ]] && compopt -o nospace
                ;;
        esac
    done
    return 0
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words of the line up to the cursor, and the last one, which is completed."""
        line = os.environ["COMP_WORDS"]
        _, *words = split_arg_string(line)
        return (words, "") if not words or line[-1].isspace() else (words[:-1], words[-1])

    def get_completions(self, args: list[str], incomplete: str) -> Completions:
        """Return the completions without the part before the last break, which bash keeps."""
        typed = incomplete.partition("=")[2] if incomplete.startswith("--") else incomplete
        breaks = os.environ.get("COMP_WORDBREAKS", "=:")
        kept = typed[: max((typed.rfind(each) for each in breaks), default=-1) + 1]
        items = super().get_completions(args, incomplete)
        return [CompletionItem(each.value.removeprefix(kept), each.type) for each in items]


def complete_files(context: click.Context, parameter: click.Parameter, incomplete: str) -> Completions:
    """Let the shell complete the name of a file."""
    return [CompletionItem(incomplete, "file")]


def complete_faults(context: click.Context, parameter: click.Parameter, incomplete: str) -> Completions:
    """Complete a fault, and behind a colon its parameters and their values."""
    from ltkm_inspect import catalogue
    from ltkm_inspect.fault import FAULTS

    catalogue.load()
    return _application(incomplete, {fault.id: fault.accepted for fault in FAULTS.values()})


def complete_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> Completions:
    """Complete the name of what can be explained."""
    from ltkm_inspect.explain import names

    return _begun(incomplete, names())


def completer_of(name: str) -> Completer | None:
    """Return what completes the values of that option of the option table; None where they can be anything."""
    row = DEFAULTS[name]
    if row.kind == "path":
        return complete_files
    if name in _COMPLETERS:
        return _COMPLETERS[name]
    words = _words(row)
    return _each(lambda: words) if words else None


def _complete_rule_options(context: click.Context, parameter: click.Parameter, incomplete: str) -> Completions:
    """Complete a rule that has options, and behind the colon these and their values."""
    known = {rule.id: rule.parameters for rule in known_rules().values() if rule.parameters}
    return _application(incomplete, known) if ":" in incomplete else _begun(incomplete, (f"{id}:" for id in known))


def _complete_severity(context: click.Context, parameter: click.Parameter, incomplete: str) -> Completions:
    """Complete a rule and its level, behind those that are typed already."""
    typed = incomplete.rpartition(",")[2]
    id = typed.partition("=")[0]
    words = [f"{id}={level}" for level in LEVELS] if "=" in typed else [f"{id}=" for id in known_rules()]
    return _each(lambda: words)(context, parameter, incomplete)


def _versions() -> Iterable[str]:
    from ltkm_inspect.options.settings import namespace_versions

    return namespace_versions()


def _each(words: Callable[[], Iterable[str]]) -> Completer:
    """Return what completes the last one of words with commas between them."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> Completions:
        head, comma, typed = incomplete.rpartition(",")
        return _begun(typed, words(), head + comma)

    return complete


def _columns() -> Iterable[str]:
    from ltkm_inspect.matching.columns import COLUMNS

    return (f"{name}=" for name in COLUMNS)


def _separators() -> Iterable[str]:
    from ltkm_inspect.matching.table import SEPARATORS

    return SEPARATORS


complete_separators = _each(_separators)
"""Completes the separators of a log that have names."""
complete_columns = _each(_columns)
"""Completes what columns of a log can say."""
complete_cluster = _each(lambda: ("local", "local:", "tls://", "tcp://"))
"""Completes where a cluster can be."""
complete_rule_words = _each(rule_words)
"""Completes words that select rules."""
_COMPLETERS: dict[str, Completer] = {
    "select": complete_rule_words,
    "ignore": complete_rule_words,
    "severity": _complete_severity,
    "rule": _complete_rule_options,
    "report": complete_files,
    "namespaces": _each(_versions),
}


def _words(row: Option) -> list[str]:
    """Return the words that an option takes, as its help or its default lists them, up to what a user fills in."""
    listed = str(row.default).split(",") if row.metavar.startswith("PART=") else row.metavar.split("|")
    words = (re.match(r"[a-z]+[=:]?", word) for word in listed)
    return [word[0] for word in words if word is not None]


def _application(incomplete: str, known: Mapping[str, Iterable[Parameter]]) -> Completions:
    """Complete `ID:NAME=VALUE,…` for what has these parameters."""
    id, colon, rest = incomplete.partition(":")
    if not colon:
        return _begun(incomplete, known)
    parameters = {each.name: each for each in known.get(id, ())}
    done, comma, pair = rest.rpartition(",")
    head = f"{id}:{done}{comma}"
    name, equals, value = pair.partition("=")
    if not equals:
        typed = {each.partition("=")[0] for each in done.split(",")}
        return _begun(name, (f"{each}=" for each in parameters if each not in typed), head)
    parameter = parameters.get(name)
    if parameter is None:
        return []
    if isinstance(parameter.type, type) and issubclass(parameter.type, FileName):
        return [CompletionItem(incomplete, "file")]
    words = ("true", "false") if parameter.type is bool else parameter.words
    return _begun(value, words, f"{head}{name}=")


def _begun(typed: str, words: Iterable[str], head: str = "") -> Completions:
    """Return the words that begin like what was typed, behind what comes before it."""
    return [CompletionItem(head + word) for word in words if word.startswith(typed.lower())]
