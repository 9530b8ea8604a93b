"""A plugin for pytest: a mitmdump with the addon between what a test suite tests (`pytest -p ltkm_inspect.pytest`)."""

import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ltkm_inspect.pytest.proxy import LtkmProxy
from ltkm_inspect.pytest.running import StartError

__all__ = ["LtkmProxy", "ltkm_proxy", "start_ltkm_proxy"]

_RUNNING = pytest.StashKey[list[LtkmProxy]]()
_SETTINGS = {
    "upstream": ("URL", "Put the proxy in front of this server (reverse mode).  [default: a regular proxy]"),
    "keys": ("FILE", "Read the keys of the terminals from this key ring."),
    "keep": ("FOLDER", "Keep capture, report and log of failed tests here.  [default: a temporary folder]"),
}
"""The options that take one value, each of which may be in the configuration file too: metavar and help."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer the options, and the same for the configuration file."""
    group = parser.getgroup("ltkm-inspect", "LTKMs in MSK responses")
    for name, (metavar, help) in _SETTINGS.items():
        group.addoption(f"--ltkm-{name}", metavar=metavar, help=help)
        parser.addini(f"ltkm_{name}", help)
    help = "Set this option of mitmproxy or of the addon (ltkm_profile=bcast); may be repeated."
    group.addoption("--ltkm-set", metavar="NAME=VALUE", action="append", default=[], help=help)
    parser.addini("ltkm_set", help, type="linelist")


def pytest_configure(config: pytest.Config) -> None:
    """Remember which proxies run."""
    config.stash[_RUNNING] = []


def pytest_unconfigure(config: pytest.Config) -> None:
    """End what no fixture has ended."""
    for proxy in config.stash.get(_RUNNING, []):
        proxy.kill()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the files of the proxies that run while a test fails, and say where they are."""
    report = yield
    if report.failed:
        for proxy in item.config.stash[_RUNNING]:
            proxy.is_kept = True
            kept = f"capture: {proxy.capture}\nreport: {proxy.report}\nlog: {proxy.log}"
            report.sections.append(("ltkm-inspect kept", kept))
    return report


type Start = Callable[..., Any]


@pytest.fixture(scope="session")
def start_ltkm_proxy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Return a function that starts a proxy, for fixtures of any scope: `with start_ltkm_proxy(upstream=…) as proxy:`.

    It takes `upstream`, `keys`, `options` and `arguments` of `LtkmProxy`; what is not given is as on the command line.
    All proxies of a run have one certificate authority.
    """
    config = request.config
    confdir = tmp_path_factory.mktemp("ltkm-ca")
    keep = _setting(config, "keep", is_path=True)

    @contextmanager
    def start(
        *,
        upstream: str | None = None,
        keys: str | Path | None = None,
        options: Mapping[str, object] | None = None,
        arguments: Sequence[str | Path] = (),
    ) -> Iterator[LtkmProxy]:
        if keep:
            Path(keep).mkdir(parents=True, exist_ok=True)
        proxy = LtkmProxy(
            Path(tempfile.mkdtemp(prefix="proxy-", dir=keep)) if keep else tmp_path_factory.mktemp("ltkm-proxy"),
            confdir,
            upstream=_setting(config, "upstream") if upstream is None else upstream,
            keys=keys or _setting(config, "keys", is_path=True) or None,
            options={**_set_options(config), **(options or {})},
            arguments=arguments,
        )
        try:
            proxy.__enter__()
        except StartError as error:
            pytest.fail(f"ltkm-inspect: {error}", pytrace=False)
        running = config.stash[_RUNNING]
        running.append(proxy)
        try:
            yield proxy
        finally:
            running.remove(proxy)
            proxy.__exit__(None, None, None)

    yield start
    shutil.rmtree(confdir, ignore_errors=True)


@pytest.fixture
def ltkm_proxy(start_ltkm_proxy: Start) -> Iterator[LtkmProxy]:
    """A proxy for one test, as the options say: `url`, `port`, `ca`, `set(…)`, `assert_clean(…)`."""
    with start_ltkm_proxy() as proxy:
        yield proxy


def _setting(config: pytest.Config, name: str, *, is_path: bool = False) -> str:
    """Return a value as typed, else as in the configuration file; a path is one from where it was written."""
    typed = config.getoption(f"--ltkm-{name}")
    value, folder = (typed, config.invocation_params.dir) if typed else (config.getini(f"ltkm_{name}"), config.rootpath)
    return str(folder / value) if is_path and value else str(value or "")


def _set_options(config: pytest.Config) -> dict[str, object]:
    """Return the options that are set; those on the command line come last, and of one name all are taken."""
    found: dict[str, object] = {}
    for part in (config.getini("ltkm_set"), config.getoption("--ltkm-set")):
        lists: dict[str, list[str]] = {}
        for word in part:
            name, sign, value = word.partition("=")
            if not sign:
                raise pytest.UsageError(f"--ltkm-set: expected NAME=VALUE, got {word}")
            lists.setdefault(name.strip(), []).append(value)
        found.update(lists)
    return found
