"""Captures that are elsewhere: what a URL means, what is read there, what fails, and what is never shown."""

import gzip
import json
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import fsspec
import pytest
import zstandard

from ltkm_inspect.capture import stored
from ltkm_inspect.capture.damage import REPLACED
from ltkm_inspect.capture.inputs import NO_CAPTURE, NO_MATCH, Input, inputs
from ltkm_inspect.checking import parallel, pieces, serial
from ltkm_inspect.checking.work import Share, Stretch
from ltkm_inspect.wire.urls import shown_name, without_secrets
from tests.checking.test_parallel import checker, told
from tests.command import run_text
from tests.elsewhere import SECRET, SIGNATURE, object_storage, web_server
from tests.proxy.parts import TRIAL

FLOWS = TRIAL.read_bytes()
PACKETS = (TRIAL.parent / "trial.pcapng").read_bytes()
FILES = {
    "a10.flow": FLOWS,
    "a2.flow.gz": gzip.compress(FLOWS),
    "a #1?x&y::z%20é.flow": FLOWS,
    "b/c.flow.zst": zstandard.compress(FLOWS),
    "b/d.pcapng": PACKETS,
    "b/.hidden/e.flow": FLOWS,
    ".f.flow": FLOWS,
    "empty.flow": b"",
    "readme.txt": b"The probe was moved.",
    "readme.txt.gz": gzip.compress(b"The probe was moved."),
    "noise.zst": zstandard.compress(bytes(range(256)) * 300),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("here")
    for name, octets in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(octets)
    return root


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with object_storage():
        fs = fsspec.filesystem("s3")
        for name, octets in FILES.items():
            fs.pipe_file(f"trial/day/{name}", octets)
        fs.pipe_file("trial/none/", b"")
        fs.pipe_file("trial/odd//a.flow", FLOWS)
        yield "s3://trial"


@pytest.fixture(scope="module")
def memory() -> str:
    for name, octets in FILES.items():
        fsspec.filesystem("memory").pipe_file(f"/day/{name}", octets)
    return "memory://day"


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    files = {"a 1.flow": FLOWS, "b.flow.gz": FILES["a2.flow.gz"], "readme.txt": FILES["readme.txt"]}
    with web_server({**files, **{f"folder/{name}": octets for name, octets in files.items()}}) as at:
        yield at


def relative(names: list[str], root: str) -> list[str]:
    return [each.name.removeprefix(root) for each in inputs(names)]


@pytest.mark.parametrize("typed", ["", "/", "/a*", "/*", "/b*", "/a #1?x&y::z%20é.flow", "/a?0.flow", "/b/"])
def test_a_name_elsewhere_means_the_files_that_it_means_here(
    typed: str, folder: Path, bucket: str, memory: str
) -> None:
    here = relative([f"{folder}{typed}"], str(folder))
    assert here
    for root in (memory, f"{bucket}/day"):
        assert relative([f"{root}{typed}"], root) == here


def test_what_is_read_in_object_storage_is_what_is_read_here(
    folder: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "STRETCH", 20_000)
    monkeypatch.setattr("ltkm_inspect.capture.remote.FETCH", 30_000)
    root = f"{bucket}/day"

    def known(results: object) -> list[object]:
        said = told(results)  # type: ignore[arg-type]
        return [(name.replace(root, ""), str(what).replace(root, "")) for name, what in said]

    here, there = [*inputs([str(folder)])], [*inputs([root])]
    expected = [
        (name.replace(str(folder), ""), str(what).replace(str(folder), ""))
        for name, what in told(serial.check(here, checker()))
    ]
    assert len(expected) > 200
    assert known(serial.check(there, checker())) == expected
    assert known(parallel.check(there, checker(), 2)) == expected


def test_a_file_that_was_replaced_elsewhere_is_said_to_be(
    bucket: str, memory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ltkm_inspect.capture.remote.FETCH", 1000)
    for scheme, path in (("s3", "trial/changed.flow"), ("memory", "/changed.flow")):
        fs, url = fsspec.filesystem(scheme), f"{scheme}://{path}"
        fs.pipe_file(path, FLOWS)
        with closing(stored(url)) as file:
            identity = file.identity()
            assert file.read(10) == FLOWS[:10]
            fs.pipe_file(path, FLOWS[:-1] + b"?")
            with pytest.raises(OSError, match=REPLACED):
                assert [*iter(lambda: file.read(1000), b"")]
        with closing(Share(checker())) as share:
            found = share.find(0, Stretch(url, url, identity, 0, None, len(FLOWS), True))
        assert found.error == REPLACED, scheme


@pytest.mark.parametrize(
    ("name", "line", "code"),
    [
        ("s3://trial/nothing", "there is no such file, folder or bucket", 1),
        ("s3://nothing/a.flow", "there is no such file, folder or bucket", 1),
        ("s3://trial/nothing*", NO_MATCH, 1),
        ("s3://trial/none/", NO_CAPTURE, 1),
        ("gopher://trial/a", "expected a path, or a URL such as s3://bucket/key, got gopher://", 1),
        ("gs://trial/a", "gs:// takes the Python package gcsfs, which is missing: pip install gcsfs", 1),
        ("http://WEB/denied/b.flow.gz", "access denied: check the credentials, and what they allow (Forbidden)", 1),
        ("http://WEB/plain/c.flow", "there is no such file", 1),
        ("http://", "expected http://HOST/PATH, got a URL that cannot be used", 1),
        ("http://WEB/plain/**", "expected a pattern without **, as the folders of a web server are not searched", 1),
        ("http://127.0.0.1:1/a", "Connect call failed ('127.0.0.1', 1)", 1),
        ("s3://trial/day/empty.flow", "the file is empty", 4),
    ],
)
def test_what_fails_elsewhere_is_one_line(name: str, line: str, code: int, bucket: str, web: str) -> None:
    name = name.replace("WEB", web)
    done = run_text("check", name)
    (said,) = done.stderr.splitlines()
    assert said.startswith(f"ltkm-inspect: {name}: {line}")
    assert done.returncode == code
    if code == 1:
        assert run_text("check", TRIAL, name).returncode == 5


def test_wrong_credentials_are_one_line_that_does_not_show_them(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moto.settings.INITIAL_NO_AUTH_ACTION_COUNT", 0)
    done = run_text("check", f"{bucket}/day/a10.flow")
    (said,) = done.stderr.splitlines()
    assert said.startswith("ltkm-inspect: s3://trial/day/a10.flow: access denied: check the credentials")
    assert SECRET not in said
    assert done.returncode == 1


def test_without_fsspec_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    done = run_text("check", "s3://trial/a.flow")
    assert done.stderr.splitlines() == [
        "ltkm-inspect: s3://trial/a.flow: a URL takes the Python package fsspec, which is missing: "
        "pip install 'ltkm-inspect[cluster]'"
    ]
    assert done.returncode == 1


@pytest.mark.parametrize(
    "name",
    [
        "plain/a 1.flow",
        "ranges/a 1.flow",
        "chunked/a%201.flow",
        "plain/b.flow.gz",
        "chunked/b.flow.gz",
        f"signed/a%201.flow{SIGNATURE}",
    ],
)
def test_a_web_server_need_not_know_lengths_or_ranges(name: str, web: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ltkm_inspect.capture.remote.FETCH", 30_000)
    done = run_text("check", f"http://{web}/{name}")
    assert (done.stderr, done.returncode) == ("", 3)
    assert done.stdout == run_text("check", TRIAL).stdout
    with closing(stored(f"http://{web}/{name}")) as file:
        assert file.is_seekable == name.startswith("ranges")


def test_the_index_of_a_web_server_is_a_folder_with_what_is_in_it(web: str) -> None:
    root = f"http://{web}/plain/folder/"
    assert relative([root], root) == ["a%201.flow", "b.flow.gz"]
    assert relative([f"{root}*.gz"], root) == ["b.flow.gz"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:pass@host/a.flow", "https://***@host/a.flow"),
        ("https://token@host:8443/a@b.flow", "https://***@host:8443/a@b.flow"),
        ("https://user:pa/s?s#@host/a.flow", "https://***@host/a.flow"),
        ("https://h/a.flow?X-Amz-Signature=abc&x=&flag#t=1", "https://h/a.flow?X-Amz-Signature=***&x=&***#t=***"),
        ("s3://bucket/a@b#1.flow?versionId=3", "s3://bucket/a@b#1.flow?versionId=3"),
        ("abfs://trial@account.dfs.core.windows.net/a", "abfs://trial@account.dfs.core.windows.net/a"),
        ("http://[2001:db8::1]:80/a", "http://[2001:db8::1]:80/a"),
        ("/tmp/a?b=c#d", "/tmp/a?b=c#d"),
        ("simplecache::https://u:secret@host/a?k=secret", "simplecache::https://***@host/a?k=***"),
    ],
)
def test_a_url_is_shown_without_what_is_secret_in_it(url: str, shown: str) -> None:
    assert shown_name(url) == shown
    assert without_secrets(f"no {url} here") == f"no {shown} here"


def test_no_output_has_the_secrets_of_a_url(web: str, tmp_path: Path) -> None:
    canaries = ("canary-of-a-user", "canary-of-a-password", "canary-of-a-signature", "canary%20of")
    for way in ("ranges/a 1.flow", "chunked/nothing.flow", "denied/a", "ranges/a*.flow"):
        url = f"http://{canaries[0]}:{canaries[1]}@{web}/{way}?X-Amz-Signature={canaries[2]}&t={canaries[3]}"
        report = tmp_path / "report.jsonl"
        done = run_text("check", "--report", report, "--jobs", "2", url, TRIAL)
        said = done.stdout + done.stderr + report.read_text()
        calls = (("diff", url, url), ("match", url, url), ("export", "csv", url))
        others = [run_text(*words).stderr for words in calls]
        for canary in canaries:
            assert not [text for text in (said, *others) if canary in text or canary.replace("%20", " ") in text]
        assert "http://***@" in said


def test_records_elsewhere_are_reported(tmp_path: Path) -> None:
    report = tmp_path / "run.jsonl"
    run_text("check", "--report", report, TRIAL)
    with web_server({"run.jsonl": report.read_bytes()}) as at:
        done = run_text("report", f"http://{at}/plain/run.jsonl")
        assert (done.stdout, done.returncode) == (run_text("report", report).stdout, 3)
        done = run_text("report", f"http://user@{at}/plain/walk.jsonl")
        assert done.stderr == f"ltkm-inspect: http://***@{at}/plain/walk.jsonl: there is no such file\n"
        assert done.returncode == 1


def test_a_file_elsewhere_is_not_followed(memory: str) -> None:
    done = run_text("check", "--follow", f"{memory}/a10.flow")
    assert "--follow: expected one file, got a URL" in done.stderr
    assert done.returncode == 2


@pytest.mark.parametrize("words", [("fault", "strip-ltkm", "URL", "out.flow"), ("decode", "URL")])
def test_commands_that_take_no_url_do_not_show_its_secrets(words: tuple[str, ...]) -> None:
    done = run_text(*(word.replace("URL", "https://user:canary@host/a.flow?k=canary") for word in words))
    assert "https://***@host/a.flow?k=***" in done.stderr
    assert "canary" not in done.stderr
    assert done.returncode in (1, 2)


def test_the_url_of_a_file_here_is_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    (tmp_path / "a b%20c.flow").write_bytes(FLOWS)
    done = run_text("check", (tmp_path / "a b%20c.flow").as_uri())
    assert (done.stdout, done.stderr) == (run_text("check", tmp_path / "a b%20c.flow").stdout, "")


def test_an_empty_name_in_a_path_and_a_scheme_in_capitals_are_kept(bucket: str) -> None:
    assert relative([f"{bucket}/odd"], bucket) == ["/odd//a.flow"]
    assert run_text("check", "S3://trial/odd//a.flow").returncode == 3


def test_the_url_is_that_of_the_artifact_in_sarif(memory: str, tmp_path: Path) -> None:
    run_text("check", "--report", tmp_path / "run.sarif", f"{memory}/a #1?x&y::z%20é.flow")
    (run,) = json.loads((tmp_path / "run.sarif").read_text())["runs"]
    assert [each["location"]["uri"] for each in run["artifacts"]] == ["memory://day/a%20#1?x&y::z%20%C3%A9.flow"]


def test_an_input_knows_its_size(bucket: str) -> None:
    assert [*inputs([f"{bucket}/day/a10.flow"])] == [
        Input(f"{bucket}/day/a10.flow", "", f"{bucket}/day/a10.flow", len(FLOWS))
    ]
