"""What is printed on standard error about inputs."""

import pytest

from ltkm_inspect.output.console import COULD_NOT_RUN, INCOMPLETE, MOST_LINES, OK, InputErrors


def test_the_damage_of_each_input_is_listed_up_to_a_bound_and_then_counted(capsys: pytest.CaptureFixture[str]) -> None:
    trouble = InputErrors()
    for number in range(MOST_LINES + 3):
        trouble.say("a.pcap", f"packet {number}: cut", unread=False)
    trouble.say("b.pcap", "packet 1: cut", unread=False)
    assert trouble.exit_code(2, OK) == INCOMPLETE
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == MOST_LINES + 2
    assert lines[-2:] == [
        "ltkm-inspect: b.pcap: packet 1: cut",
        "ltkm-inspect: a.pcap: 3 more damaged places, not listed",
    ]


def test_an_input_that_could_not_be_read_is_no_damage(capsys: pytest.CaptureFixture[str]) -> None:
    trouble = InputErrors()
    trouble.say("a.pcap", "No such file or directory", unread=True)
    assert trouble.exit_code(1, OK) == COULD_NOT_RUN
    assert trouble.exit_code(2, OK) == INCOMPLETE
    assert capsys.readouterr().err == "ltkm-inspect: a.pcap: No such file or directory\n"
