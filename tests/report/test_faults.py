"""The list of faults."""

import json

from ltkm_inspect.fault import FAULTS, parse_application
from ltkm_inspect.report.listing import fault_lines, faults_json, faults_with


def test_every_fault_is_in_the_json_list_with_what_it_takes_breaks_and_leaves() -> None:
    listed = {each["id"]: each for each in json.loads(faults_json(faults_with(())))}
    assert set(listed) == set(FAULTS)
    for id, fault in FAULTS.items():
        each = listed[id]
        assert each["subject"] == fault.subject
        assert each["title"] == fault.title
        assert each["reference"] == fault.reference
        assert set(each["trips"]) == fault.trips
        assert set(each["leaves"]) == fault.leaves
        assert each["within"] is ("item" in [known.name for known in fault.accepted if known not in fault.parameters])
        assert [parameter["name"] for parameter in each["parameters"]] == [known.name for known in fault.parameters]


def test_a_default_of_the_json_list_can_be_typed() -> None:
    for each in json.loads(faults_json(faults_with(()))):
        for parameter in each["parameters"]:
            assert parameter["type"] in ("boolean", "integer", "octets", "text", "choice", "file")
            default = parameter["default"]
            if default is None:  # nothing was typed
                continue
            typed = str(default).lower() if isinstance(default, bool) else str(default)
            if "," not in typed:
                (value,) = parse_application(f"{each['id']}:{parameter['name']}={typed}").values.values()
                known = {known.name: known.default for known in FAULTS[each["id"]].parameters}
                assert value == known[parameter["name"]]


def test_every_fault_is_in_the_text_list_below_its_subject() -> None:
    subject = ""
    listed = {}
    for line in fault_lines(faults_with(())):
        if not line.startswith(" "):
            subject = line.removesuffix(":")
        elif not line.startswith("   "):
            listed[line.split()[0].removesuffix(":")] = subject
    assert listed == {id: fault.subject for id, fault in FAULTS.items()}
    assert "    takes octets=8 · breaks rand-length-wrong · reference download" in list(fault_lines(faults_with(())))


def test_a_choice_is_listed_with_its_words_and_a_file_as_one() -> None:
    (inject,) = (each for each in json.loads(faults_json(faults_with(()))) if each["id"] == "inject-ltkm")
    parameters = {each["name"]: each for each in inject["parameters"]}
    assert parameters["at"]["type"] == "choice"
    assert parameters["at"]["default"] == "auto"
    assert parameters["at"]["words"] == ["auto", "empty", "second", "refused", "before-code", "msk", "root"]
    assert {parameters[name]["type"] for name in ("file", "flow", "synthetic")} == {"file"}
    assert parameters["base64"] == {"name": "base64", "type": "text", "default": None}
