"""The house: what stands at the top level, one name per class, and no file that is too long to know."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import LONGEST, ROOT

PACKAGE = Path(__file__).resolve().parents[2] / "ltkm_inspect"
MODULES = sorted(PACKAGE.rglob("*.py"))
LOOSE = {
    "__init__",
    "context",
    "digest",
    "fault",
    "finding",
    "parameter",
    "rule",
    "selection",
    "spec",
}
"""The modules that are no room."""
MOST = 400
"""Lines of a file."""
USUAL = 250
"""Lines of a file that needs no reason."""
REASONS: dict[str, str] = {
    "capture/conversation.py": "what may be missing of a connection, decided in one place",
    "capture/entries.py": "one state machine that reads entries of a HAR as they come",
    "capture/har.py": "one reader of an entry, field by field, whose damage goes to one list",
    "capture/http1.py": "one reader of messages, with the places where it may begin again",
    "catalogue/authentication_info.py": "its docstrings are the pages of its rules",
    "catalogue/authorization.py": "its docstrings are the pages of its rules",
    "catalogue/directives.py": "its docstrings are the pages of its rules",
    "catalogue/document.py": "its docstrings are the pages of its rules",
    "catalogue/exchange.py": "its docstrings are the pages of its rules",
    "catalogue/http.py": "its docstrings are the pages of its rules",
    "catalogue/keys.py": "its docstrings are the pages of its rules",
    "catalogue/ltkm.py": "its docstrings are the pages of its rules",
    "catalogue/policy.py": "its docstrings are the pages of its rules",
    "catalogue/profile.py": "its docstrings are the pages of its rules",
    "catalogue/request.py": "its docstrings are the pages of its rules",
    "catalogue/verification.py": "its docstrings are the pages of its rules",
    "checking/parallel.py": "the parent and the workers of one protocol",
    "cli/shared.py": "what the commands share, from their options to the way out",
    "cluster/work.py": "both readings of a piece, of which the second expects what the first found",
    "digest.py": "one grammar, RFC 7616, parsed and written",
    "document/items.py": "one walk over the elements of a response",
    "finding.py": "a finding with its texts, and the report of an event",
    "keys/ring_file.py": "one file format, with a message for each mistake in it",
    "mikey/codes.py": "tables of the numbers that the standards assign",
    "mikey/describe.py": "one walk over a message for tree, text and JSON",
    "mikey/message.py": "decoding and encoding are kept side by side",
    "output/identities.py": "one grammar of identities and addresses in every spelling",
    "output/redactor.py": "one redactor, whose parts call each other",
    "packets/network.py": "one walk through the headers of a packet, and its fragments put together",
    "packets/tcp.py": "one table of connections, with what bounds it",
    "proxy/addon.py": "every hook of mitmproxy that is used",
    "proxy/inspector.py": "one event from a flow to the log, wherever it is inspected",
    "proxy/inspector_process.py": "one process from its start to its end, with what it is asked",
    "reference/exchanges.py": "one builder of the clean exchanges",
    "report/text.py": "the text of an event from its report and from its record, side by side",
    "report/jsonl.py": "one record is built after the other, each as its schema has it",
    "report/summary.py": "the counts of a run, with the words for each",
    "selection.py": "one way of selecting is beside the other, each with what it matched",
    "session/folding.py": "the rounds of one fold, with what passes from one to the next",
    "traffic/http.py": "request and response, with what they share",
}
"""Why a file has more lines than usual."""


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_the_top_level_has_rooms_and_few_modules() -> None:
    assert {path.stem for path in PACKAGE.glob("*.py")} <= LOOSE


def test_no_file_is_too_long() -> None:
    assert not {str(path.relative_to(PACKAGE)) for path in MODULES if lines(path) > MOST}


def test_a_long_file_has_a_reason() -> None:
    long = {str(path.relative_to(PACKAGE)) for path in MODULES if lines(path) > USUAL}
    assert long == REASONS.keys(), "each long file has a reason, and no other file has one"


def classes() -> Iterator[str]:
    """Yield the name of every class."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                yield node.name


def test_each_class_name_is_used_once() -> None:
    assert not [name for name, number in Counter(classes()).items() if number > 1]


@pytest.mark.parametrize("path", [path for path in MODULES if path.name == "__init__.py"], ids=str)
def test_each_room_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


IMPORT = re.compile(r"^ *from (ltkm_inspect\.\w+) import (\([^)]*\)|.*)", re.MULTILINE)


def test_what_a_room_offers_is_taken() -> None:
    root = PACKAGE.parent
    files = {
        path: path.read_text("utf-8") for name in ("ltkm_inspect", "tests") for path in (root / name).rglob("*.py")
    }
    imports = {path: IMPORT.findall(text) for path, text in files.items()}
    attributes = {path: {*re.findall(r"\w\.(\w+)", text)} for path, text in files.items()}
    unused = []
    for facade in PACKAGE.glob("*/__init__.py"):
        room = f"ltkm_inspect.{facade.parent.name}"
        outside = [path for path in files if not path.is_relative_to(facade.parent)]
        taken = {name for path in outside for of, names in imports[path] if of == room for name in words(names)}
        taken |= {name for path in outside for name in attributes[path]}
        tree = ast.parse(files[facade])
        taken |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        offers = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module != "__future__"]
        unused += [f"{room}.{each.name}" for node in offers for each in node.names if each.name not in taken]
    assert unused == []


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def test_the_files_of_tests_that_begin_first_are_there() -> None:
    assert [name for name in LONGEST if not (ROOT / "tests" / name).is_file()] == []
