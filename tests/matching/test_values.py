"""One value, however logs spell it: B-TIDs, MSK IDs, TS and times."""

from datetime import UTC, datetime

import pytest

from ltkm_inspect.matching.times import log_times, of_format, parse_time_format
from ltkm_inspect.matching.values import DOMAIN_READINGS, MSK_READINGS, TS_READINGS, b_tid_of, likeliest
from ltkm_inspect.options.words import OptionError

RAND = bytes.fromhex("120f19a9886a9153bb18867c89336bff")
B_TIDS = (
    "Eg8ZqYhqkVO7GIZ8iTNr/w==@bsf.home1.net",
    "Eg8ZqYhqkVO7GIZ8iTNr_w==@BSF.home1.net.",
    "Eg8ZqYhqkVO7GIZ8iTNr/w@bsf.home1.net",
    "Eg8ZqYhqkVO7GIZ8iTNr%2Fw%3D%3D%40bsf.home1.net",
    ' "Eg8ZqYhqkVO7GIZ8iTNr/w==@bsf.home1.net"',
    "120F19A9886A9153BB18867C89336BFF@bsf.home1.net",
)
MOMENT = datetime(2009, 10, 28, 8, 1, 2, 250_000, UTC).timestamp()


@pytest.mark.parametrize("text", B_TIDS)
def test_a_b_tid_is_the_same_in_every_spelling(text: str) -> None:
    assert b_tid_of(text) == (RAND.hex(), "bsf.home1.net")


def test_a_b_tid_without_realm_or_rand_keeps_what_it_has() -> None:
    assert b_tid_of("Eg8ZqYhqkVO7GIZ8iTNr/w==") == (RAND.hex(), "")
    assert b_tid_of("rid0012.a-b_C@home") == ("rid0012.a-b_C", "home")


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("24CB4400", None),
        ("0x24cb4400", None),
        ("24:cb:44:00", None),
        ("24 cb 44 00", None),
        ("24cb/4400", None),
        ("b8709d/24cb/4400", "b8709d"),
        ("0xb8709d 0x24cb4400", "b8709d"),
        ("JMtEAA==", None),
        ("uHCdJMtEAA==", "b8709d"),
        ("uHCd JMtEAA==", "b8709d"),
        ("617300992", None),
        ("9419/17408", None),
    ],
)
def test_an_msk_id_is_the_same_in_every_spelling(text: str, domain: str | None) -> None:
    wanted = None if domain is None else bytes.fromhex(domain), bytes.fromhex("24cb4400")
    assert likeliest(MSK_READINGS, [text], {wanted}).read(text) == wanted


@pytest.mark.parametrize("text", ["b8709d", "0xB8709D", "b8:70:9d", "uHCd", "12087453"])
def test_a_key_domain_id_is_the_same_in_every_spelling(text: str) -> None:
    wanted = bytes.fromhex("b8709d")
    assert likeliest(DOMAIN_READINGS, [text], {wanted}).read(text) == wanted


@pytest.mark.parametrize(
    ("text", "ts"),
    [
        ("17", 17),
        ("17", 0x17),
        ("17.0", 17),
        ("0x11", 17),
        ("00000011", 17),
        ("AAAAEQ==", 17),
        ("2009-10-28T08:01:02Z", 3_465_705_662),  # seconds since 1900: 40 years with 27 leap days, and the rest
        ("ce921afe.80000000", 0xCE921AFE80000000),
    ],
)
def test_ts_is_read_in_the_way_that_the_captures_know(text: str, ts: int) -> None:
    assert likeliest(TS_READINGS, [text], {ts}).read(text) == ts


@pytest.mark.parametrize(
    "text",
    [
        "2009-10-28T08:01:02.250Z",
        "2009-10-28 08:01:02,250",
        "2009-10-28 08:01:02.250 UTC",
        "2009-10-28T09:01:02.25+01:00",
        "20091028T080102.250",
        "1256716862.250",
        "1256716862,25",
        "1256716862250",
        "1256716862250000",
        "1256716862250000000",
        "20091028080102250",
        "28.10.2009 08:01:02.250",
        "28/10/2009, 08:01:02.250",
        "10/28/2009 8:01:02.250 AM",
        "2009/10/28 08:01:02.250",
        "28.10.09 08:01:02,250",
        "28/Oct/2009:09:01:02.250 +0100",
        "Wed, 28 Oct 2009 08:01:02.250 GMT",
        "28-Oct-2009 08:01:02.250",
        "Wed Oct 28 08:01:02.250 2009",
        "Wed Oct 28 08:01:02.250 UTC 2009",
        "Oct 28, 2009 8:01:02.250 a.m.",
        "Oct 28 08:01:02.250",
    ],
)
def test_a_time_is_the_same_in_every_usual_format(text: str) -> None:
    assert log_times([text], MOMENT + 86_400).read(text) == pytest.approx(MOMENT, abs=1e-5)


def test_a_date_that_may_be_read_in_two_orders_is_the_one_nearer_to_the_capture() -> None:
    march, april = (datetime(2009, month, day, 8, tzinfo=UTC).timestamp() for month, day in ((3, 4), (4, 3)))
    for near in (march, april):
        assert log_times(["03/04/2009 08:00:00"], near).read("03/04/2009 08:00:00") == near
    sure = log_times(["03/04/2009 08:00:00", "03/25/2009 08:00:00"], april)
    assert sure.read("03/04/2009 08:00:00") == march


def test_a_format_may_be_given_and_lack_the_year() -> None:
    assert of_format("%d|%m|%Y %H:%M:%S.%f", None).read("28|10|2009 08:01:02.250") == MOMENT
    assert of_format("%d%b %H:%M:%S.%f", MOMENT).read("28Oct 08:01:02.250") == MOMENT
    with pytest.raises(OptionError, match="with a day"):
        parse_time_format("%H:%M")
    with pytest.raises(OptionError, match="strptime"):
        parse_time_format("%d %Q")
