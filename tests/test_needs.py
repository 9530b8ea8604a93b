"""The plumbing of conftest.py: what a missing program does to a test, with REQUIRE and without."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

NEEDS_TMUX = """
    import pytest

    @pytest.mark.needs("tmux")
    def test_in_a_terminal():
        pass
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """An empty suite with our conftest.py, on a machine without any program."""
    pytester.makeconftest((Path(__file__).parent / "conftest.py").read_text())
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("REQUIRE", raising=False)
    return pytester


def run(suite: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return suite.runpytest("-p", "no:cacheprovider", *arguments)


def test_a_missing_program_skips_and_is_listed(suite: pytest.Pytester) -> None:
    suite.makepyfile(test_list=NEEDS_TMUX)
    result = run(suite)
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(
        ["*= skipped =*", "1 skipped: needs tmux: apt-get install tmux", "    test_list.py (1)"]
    )


def test_a_missing_program_that_is_required_fails(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUIRE", "tshark tmux")
    suite.makepyfile(NEEDS_TMUX)
    result = run(suite)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["REQUIRE names tmux, but *test_in_a_terminal was skipped: needs tmux: *"])


def test_a_program_that_is_there_skips_nothing(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "tmux"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    suite.makepyfile(NEEDS_TMUX)
    result = run(suite)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["nothing was skipped"])


@pytest.mark.parametrize(
    ("source", "outcome"),
    [
        pytest.param("def test_x():\n    pytest.skip('no tmux here')", {"failed": 1}, id="in-the-test"),
        pytest.param("pytest.skip('no tmux here', allow_module_level=True)", {"errors": 1}, id="whole-module"),
        pytest.param("@pytest.mark.skip(reason='no tmux')\ndef test_x():\n    pass", {"errors": 1}, id="by-mark"),
        pytest.param("def test_x():\n    pytest.skip('tmuxinator')", {"skipped": 1}, id="part-of-a-word"),
        pytest.param("def test_x():\n    pytest.xfail('tmux')", {"xfailed": 1}, id="expected-failure"),
    ],
)
def test_a_required_word_counts_however_the_skip_came_about(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, source: str, outcome: dict[str, int]
) -> None:
    monkeypatch.setenv("REQUIRE", "tmux")
    suite.makepyfile(f"import pytest\n{source}\n")
    run(suite).assert_outcomes(**outcome)


def test_a_requirement_that_nothing_knows_is_refused(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUIRE", "tmuxx")
    suite.makepyfile(NEEDS_TMUX)
    result = run(suite)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*expected one of *tmux*, got 'tmuxx'"])


def test_a_need_that_nothing_knows_is_an_error(suite: pytest.Pytester) -> None:
    suite.makepyfile("import pytest\n@pytest.mark.needs('tmuxx')\ndef test_x():\n    pass\n")
    run(suite).assert_outcomes(errors=1)
