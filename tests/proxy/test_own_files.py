"""The files of a running proxy: read again when they change, and kept as they were if they cannot be used."""

import logging
from pathlib import Path

import pytest

from ltkm_inspect.baseline import BaselineFile
from ltkm_inspect.names import NamesFile
from ltkm_inspect.output.wording import Wording
from ltkm_inspect.proxy.configuration import Configuration
from ltkm_inspect.proxy.own_files import refreshed


def test_names_and_baseline_are_taken_over_when_their_files_change(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    now = [0.0]
    names, known = tmp_path / "names.toml", tmp_path / "known.toml"
    names.write_text('[key_domains]\nb8709d = "Alpha"\n')
    known.write_text("")
    names_file, baseline_file = NamesFile(names, lambda: now[0]), BaselineFile(known, lambda: now[0])
    configuration = Configuration(
        names_file=names_file, baseline_file=baseline_file, wording=Wording(names=names_file.content)
    )
    assert refreshed(configuration) is configuration
    names.write_text('[key_domains]\nb8709d = "Beta"\n')
    known.write_text('[[accepted]]\nrule = "ltkm-missing"\nreason = "lab only"\n')
    now[0] = 5.0
    with caplog.at_level(logging.INFO):
        configuration = refreshed(configuration)
    assert configuration.wording.names.of_selector("b8709d") == "Beta"
    assert [entry.rule for entry in configuration.baseline.entries] == ["ltkm-missing"]
    assert [record.getMessage().replace(f"{tmp_path}/", "") for record in caplog.records] == [
        "ltkm: read known.toml again: 1 entry",
        "ltkm: read names.toml again: 1 name",
    ]
    caplog.clear()
    names.write_text("[key_domains]\nb870 = 1\n")
    known.write_text('[[accepted]]\nrule = "ltkm-missing"\n')
    now[0] = 9.0
    same = refreshed(configuration)
    assert same.wording.names.of_selector("b8709d") == "Beta"
    assert [entry.rule for entry in same.baseline.entries] == ["ltkm-missing"]
    assert [record.getMessage().rpartition("; ")[2] for record in caplog.records] == [
        "still using the old baseline",
        "still using the old names",
    ]
