"""The editor of the console, with what comes again after a mistake, and the keys that the docs show."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mitmproxy import exceptions
from ruamel.yaml import YAML

from ltkm_inspect.proxy.console import BINDINGS, CONTEXTS, equip
from ltkm_inspect.proxy.editor import HELP, Drafts, Editor
from ltkm_inspect.proxy.view import LtkmView
from tests.proxy.editor import Edit, several
from tests.proxy.parts import ROOT


class Keymap(dict[tuple[str, str], str]):
    """The keys of a console: that of mitmproxy needs urwid, which warns when other tests look at its modules."""

    def get(self, context: str, key: str) -> str | None:  # type: ignore[override]
        return dict.get(self, (context, key))

    def add(self, key: str, command: str, contexts: list[str], help: str) -> None:
        assert help
        self |= {(context, key): command for context in contexts}


class Console:
    """What the editor asks of the console; the user's part is a function from text to text."""

    def __init__(self, folder: Path) -> None:
        self.files: list[str] = []
        self.user: Callable[[str], str] = str
        self.keymap = Keymap()
        self._folder = folder

    def spawn_editor(self, data: object) -> object:
        return f"mitmproxy's own way: {data}"

    def get_editor(self) -> str:
        return "true"

    @contextmanager
    def uistopped(self) -> Iterator[None]:
        (path,) = self._folder.glob("ltkm-*")
        self.files.append(path.read_text())
        path.write_text(self.user(self.files[-1]))
        assert path.suffix == ".yaml"
        assert path.stat().st_mode & 0o777 == 0o600
        yield


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Console:
    """A console whose editor puts its files into a folder of the test."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return Console(tmp_path)


def change(edit: Edit, console: Console, user: Callable[[str], str]) -> None:
    """Show the body, open the editor on it as mitmproxy does, and take back what the user left."""
    console.user = user
    assert edit.message is not None
    shown = edit.view.prettify(edit.message.content or b"", edit.metadata)
    edit.message.content = edit.view.reencode(console.spawn_editor(shown), edit.metadata)  # type: ignore[arg-type]


def test_a_mistake_stands_above_its_line_until_it_is_mended(console: Console) -> None:
    drafts = Drafts()
    Editor(console, drafts)
    edit = several(LtkmView(drafts=drafts))
    with pytest.raises(exceptions.CommandError, match=r"^LTKM not changed: line 12: response_code: "):
        change(edit, console, lambda text: text.replace(' "200 OK"', "", 1))
    with pytest.raises(exceptions.CommandError, match=r": key_group: expected octets"):
        change(
            edit,
            console,
            lambda text: text.replace("    response_code:\n", "    response_code: 404\n", 1).replace("24cb ", "x ", 1),
        )
    change(edit, console, lambda text: text.replace("x ", "24cc ", 1))
    first, second, third = console.files
    assert first.splitlines()[:3] == second.splitlines()[:3] == [*HELP]
    mistake = "    # MISTAKE: response_code: expected a code such as 404, or none, got nothing\n    response_code:\n"
    assert mistake in second
    assert third.count("MISTAKE") == 1
    assert "    # MISTAKE: key_group: expected octets" in third
    assert edit.message is not None
    assert b">404<" in (edit.message.content or b"")
    assert "key_group: 24cc (9420)" in edit.view.prettify(edit.message.content or b"", edit.metadata)


def test_the_draft_is_gone_once_all_lines_are_deleted_and_the_flow_is_as_it_was(console: Console) -> None:
    drafts = Drafts()
    Editor(console, drafts)
    edit = several(LtkmView(drafts=drafts))
    state = edit.flow.get_state()
    with pytest.raises(exceptions.CommandError, match=r"line \d+: expected `name: value`, got no"):
        change(edit, console, lambda text: text + "no\n")
    change(edit, console, lambda _: "\n")
    change(edit, console, str)
    assert "no\n" in console.files[1]
    assert "MISTAKE" not in console.files[2]
    assert edit.flow.get_state() == state


def test_other_text_is_left_to_mitmproxy(console: Console) -> None:
    Editor(console, Drafts())
    assert console.spawn_editor("http://bmsc.example/") == "mitmproxy's own way: http://bmsc.example/"
    assert console.spawn_editor(b"body") == "mitmproxy's own way: b'body'"


def test_keys_are_bound_if_asked_for_and_a_key_that_the_user_bound_stays(console: Console) -> None:
    own = {("flowlist", "ctrl t"): "my.own"}
    ours = {(context, key): command for context in CONTEXTS for key, command, _ in BINDINGS}
    for bindings in (False, True):
        console.keymap = Keymap(own)
        equip(console, Drafts(), bindings=bindings)
        assert console.keymap == (ours | own if bindings else own)


def test_the_docs_show_the_keys_that_are_bound() -> None:
    page = (ROOT / "docs/faults.md").read_text("utf-8")
    shown = YAML(typ="safe").load(page[page.index("- key: ") :].partition("```")[0])
    assert [(each["key"], each["cmd"], each["help"]) for each in shown] == [*BINDINGS]
    assert all(each["ctx"] == [*CONTEXTS] for each in shown)
