"""What the shell completes: each path by files, each closed set by its words."""

import re
from collections.abc import Iterator

import click
import pytest
from click.shell_completion import get_completion_class

from ltkm_inspect.cli.program import commands
from ltkm_inspect.context import PROFILES
from ltkm_inspect.output.console import PROGRAM
from tests.command import run_text

NAMES_FILE = re.compile(r"(?<![\w-])(?:FILE|PATH|OUT|IN|A|B|ARGUMENT|RUN\.jsonl)(?![\w-])")
"""How a parameter is shown that takes the name of a file."""
OPEN = {"since", "until", "msks", "terminals", "flows", "fault_msk", "fault_terminal", "fault_filter"}
OPEN |= {"encoding", "time_format"}
"""The options whose values nobody can know."""
NUMBERS = {"jobs", "clock_skew", "msk_hours", "session_limit", "window"}


def every(group: click.Group, above: str = "") -> Iterator[tuple[str, click.Command, click.Parameter]]:
    """Yield every parameter of every command that takes a value."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from every(command, f"{above}{name} ")
        for parameter in command.params:
            if not (isinstance(parameter, click.Option) and parameter.is_flag):
                yield f"{above}{name} {parameter.name}", command, parameter


EVERY = [pytest.param(command, parameter, id=id) for id, command, parameter in every(commands)]


def kinds(command: click.Command, parameter: click.Parameter, typed: str) -> set[str]:
    return {each.type for each in parameter.shell_complete(click.Context(command), typed)}


@pytest.mark.parametrize(("command", "parameter"), EVERY)
def test_a_value_is_completed_by_files_if_it_names_one_and_else_by_its_words(
    command: click.Command, parameter: click.Parameter
) -> None:
    metavar = parameter.make_metavar(click.Context(command))
    if isinstance(parameter.type, click.Path) or NAMES_FILE.search(metavar):
        assert kinds(command, parameter, "flows/t") == {"file"}
    elif parameter.name in OPEN | NUMBERS:
        assert kinds(command, parameter, "") == set()
    else:
        assert kinds(command, parameter, "") == {"plain"}


def completed(line: str, monkeypatch: pytest.MonkeyPatch, shell: str = "bash") -> list[str]:
    """Return what a shell gets for a line up to the cursor."""
    monkeypatch.setenv("COMP_WORDS", f"{PROGRAM} {line}")
    monkeypatch.setenv("COMP_CWORD", str(len(line.split(" "))))
    monkeypatch.setenv("COMP_WORDBREAKS", " \t\n\"'><=;|&(:")
    kind = get_completion_class(shell)
    assert kind is not None
    return kind(commands, {}, PROGRAM, "_LTKM_INSPECT_COMPLETE").complete().splitlines()


@pytest.mark.parametrize(
    ("line", "file"),
    [
        ("check --keys flows/t", "flows/t"),
        ("check --keys=flows/t", "flows/t"),
        ("check --report faul", "faul"),
        ("check --report html=faul", "faul"),
        ("check --config l", "l"),
        ("export csv -o fau", "fau"),
        ("export csv a.flow flows/", "flows/"),
        ("dump -nr flows/t", "flows/t"),
        ("web --config l", "l"),
        ("decode flows/trial.k", "flows/trial.k"),
        ("keys derive c", "c"),
        ("fault strip-ltkm i", "i"),
        ("fault strip-ltkm in.flow o", "o"),
        ("fault inject-ltkm:flow=flows/t", "flows/t"),
    ],
)
def test_bash_completes_the_name_of_a_file_by_itself(line: str, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert completed(line, monkeypatch) == [f"file,{file}"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("fault strip-l", ["strip-ltkm"]),
        ("fault shorten-rand:", ["octets=", "item=", "all="]),
        ("fault shorten-rand:all=", ["true", "false"]),
        ("fault strip-ltkm a.flow b.flow --also shorten-rand", ["shorten-rand"]),
        ("fault no-such:", []),
        ("check --select ltkm-mis", ["ltkm-missing", "ltkm-misnamed", "ltkm-misplaced"]),
        ("check --ignore item,ts332", ["item,ts33246", "item,ts33220"]),
        ("check --severity ltkm-missing=", ["off", "note", "warning", "violation"]),
        ("check --profile ", list(PROFILES)),
        ("check --profile=usim,b", ["usim,bcast"]),
        ("check --rule counter-", ["counter-gap:"]),
        ("check --rule counter-gap:", ["more_than="]),
        ("check --limit ta", ["tags="]),
        ("check --namespaces 1.", ["1.0", "1.1", "1.2", "1.3"]),
        ("check --terminal-by ", ["auto", "connection", "address", "header:"]),
        ("fault strip-ltkm a.flow b.flow --when ", ["always", "first", "nth=", "every=", "until=", "probability="]),
        ("export p", ["pcap", "pcapng"]),
        ("keys c", ["check"]),
        ("explain ltkm-missi", ["ltkm-missing"]),
    ],
)
def test_bash_completes_the_words_of_a_closed_set(line: str, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert sorted(completed(line, monkeypatch)) == sorted(f"plain,{word}" for word in words)


def test_a_shell_that_breaks_no_words_gets_them_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "shorten-rand:octets=" in completed("fault shorten-rand:", monkeypatch, "zsh")


def test_the_completion_for_bash_passes_the_line_up_to_the_cursor() -> None:
    script = run_text("completion", "bash").stdout
    assert 'COMP_WORDS="${COMP_LINE:0:COMP_POINT}"' in script
    assert "compopt -o default" in script
