"""LTKMs made from a description: what is asked for is in them, what is left open is filled, mistakes are one line."""

import base64
from dataclasses import replace
from pathlib import Path

import pytest

from ltkm_inspect import catalogue, mikey
from ltkm_inspect.context import Context, Settings
from ltkm_inspect.engine import inject, inspect
from ltkm_inspect.fault import FaultError, parse_application, prepare
from ltkm_inspect.keys import KeyRing, OpenedMessage, Subscriber, Verdict, interval_of
from ltkm_inspect.mikey import OmaBcast, Rand, Timestamp
from ltkm_inspect.mitm.sources import READERS
from ltkm_inspect.reference import B_TID, BSM, FIRST, KEYS, MRK, MUK, SECOND, reference
from ltkm_inspect.session import Session
from ltkm_inspect.sources import parse_recipe
from ltkm_inspect.traffic import Exchange

catalogue.load()
MSK = "000102030405060708090a0b0c0d0e0f"


def made(
    tmp_path: Path, recipe: str, exchanges: tuple[Exchange, ...], keys: KeyRing = KEYS, fault: str = "replace-ltkm"
) -> Exchange:
    """Return the last exchange with an LTKM of this description in it, after the others went by."""
    path = tmp_path / "recipe.toml"
    path.write_text(recipe)
    context = Context(Settings(debug=True), keys, Session())
    for exchange in exchanges[:-1]:
        inspect(exchange, context)
    name, _, rest = fault.partition(":")
    application = prepare(parse_application(f"{name}:synthetic={path}{',' * bool(rest)}{rest}"), READERS)
    return inject(exchanges[-1], [application], context)


def opened(
    exchange: Exchange, keys: KeyRing = KEYS, item: int = 0, number: int = 0
) -> tuple[mikey.Message, OpenedMessage]:
    """Return an LTKM of an exchange and what its MUK says of it, which must be that it is authentic."""
    assert exchange.document is not None
    ltkm = exchange.document.items[item].ltkms[number]
    assert ltkm.message is not None
    assert ltkm.octets is not None
    found = keys.open(ltkm.message, ltkm.octets)
    assert found.verdict is Verdict.VALID, found.reason
    return ltkm.message, found


def test_what_is_described_is_in_the_message(tmp_path: Path) -> None:
    recipe = f"""
        msk = "{MSK}"
        key_domain = "0102ff"
        msk_id = "aabbccdd"
        seq_l = "00000001"
        seq_u = "fffffffe"
        counter = 4294967295
        csb_id = 7
        rand = "{"5a" * 16}"
        management_data = "00ff"
    """
    message, found = opened(made(tmp_path, recipe, reference("download")))
    assert found.key_data is not None
    (entry,) = found.key_data.entries
    interval = interval_of(entry)
    assert entry.key.hex() == MSK
    assert interval is not None
    assert (interval.seq_l, interval.seq_u, interval.octets) == (1, 0xFFFFFFFE, (4, 4))
    assert (message.key_id(0), message.key_id(1)) == (b"\x01\x02\xff", b"\xaa\xbb\xcc\xdd")
    assert message.header is not None
    assert message.header.csb_id == 7
    assert message.of(Timestamp)[0].value == b"\xff" * 4
    assert message.of(Rand)[0].value == b"\x5a" * 16
    assert [each.value for each in message.of(mikey.Identity)] == [BSM.encode(), B_TID.encode()]
    (bcast,) = [each.value for each in message.of(mikey.GeneralExtension) if isinstance(each.value, OmaBcast)]
    assert bcast.data == b"\x00\xff"


def test_what_is_left_open_follows_on_what_the_terminal_got(tmp_path: Path) -> None:
    """The counter is one above the last one, MSK and MUK are those of the item, RAND the one that came with the MSK."""
    exchange = made(tmp_path, "", reference("renewal"))
    message, found = opened(exchange)
    assert message.of(Timestamp)[0].value == (0x2C).to_bytes(4)  # 0x2A before, 0x2B in this response
    assert (message.key_id(0), message.key_id(1)) == (FIRST.key_domain, FIRST.msk_id)
    assert message.of(Rand)[0].value == FIRST.rand
    assert found.muk == MUK
    context = Context(Settings(debug=True), KEYS, Session())
    inspect(reference("renewal")[0], context)
    # The key of a recipe is not the one that the terminal got before (3GPP TS 33.246 6.5.3: it replaces it).
    assert list(inspect(exchange, context).rules) == ["msk-key-changed"]


def test_what_is_random_is_another_each_time(tmp_path: Path) -> None:
    recipe = 'msk = "random"\ncsb_id = "random"\nrand = "random"\ncounter = "continue"'
    both = [opened(made(tmp_path, recipe, reference("download"))) for _ in range(2)]
    keys = [found.key_data.entries[0].key for _, found in both if found.key_data is not None]
    assert len(set(keys)) == 2
    assert {len(key) for key in keys} == {16}
    assert len({message.header.csb_id for message, _ in both if message.header is not None}) == 2
    assert len({message.of(Rand)[0].value for message, _ in both}) == 2


def test_a_terminal_that_got_nothing_gets_its_first_counter_and_its_names_from_request_and_ring(tmp_path: Path) -> None:
    exchange = made(tmp_path, "", reference("plain-mbms"), fault="inject-ltkm")
    message, _ = opened(exchange)
    assert message.of(Timestamp)[0].value == (1).to_bytes(4)
    assert [each.value for each in message.of(mikey.Identity)] == [BSM.encode(), B_TID.encode()]
    assert list(inspect(exchange, Context(Settings(debug=True), KEYS)).rules) == []


def test_several_in_one_response_have_counters_in_order(tmp_path: Path) -> None:
    exchange = made(tmp_path, "", reference("several-keys"), fault="replace-ltkm:all=true")
    counters = [opened(exchange, item=item)[0].of(Timestamp)[0].value for item in range(2)]
    assert counters == [(0x2C).to_bytes(4), (0x2D).to_bytes(4)]
    ids = [opened(exchange, item=item)[0].key_id(1) for item in range(2)]
    assert ids == [FIRST.msk_id, SECOND.msk_id]
    assert list(inspect(exchange, Context(Settings(debug=True), KEYS)).rules) == []


def test_of_several_muks_it_is_the_one_that_the_terminal_is_served_with(tmp_path: Path) -> None:
    keys = KeyRing((Subscriber(B_TID, BSM, (bytes(32), MUK), MRK),))
    assert opened(made(tmp_path, "", reference("renewal"), keys), keys)[1].muk_number == 2


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (KeyRing(), "fault replace-ltkm: needs the terminal's MUK, but there is no key ring"),
        (
            KeyRing((Subscriber("other@x", BSM, (MUK,)),)),
            "fault replace-ltkm: needs the terminal's MUK, but the key ring has no entry for this terminal; "
            "add one with its MUK",
        ),
    ],
    ids=["no keys", "no key that fits"],
)
def test_without_the_muk_there_is_none_and_one_line_says_why(tmp_path: Path, keys: KeyRing, said: str) -> None:
    with pytest.raises(FaultError) as raised:
        made(tmp_path, "", reference("download"), keys)
    assert str(raised.value) == said


def test_an_item_without_an_msk_that_can_be_read_takes_one_from_the_description(tmp_path: Path) -> None:
    (exchange,) = reference("download")
    garbled = inject(exchange, [parse_application("garble-msk-id")])
    with pytest.raises(FaultError, match="the item has no readable MSK: add key_domain and msk_id"):
        made(tmp_path, "", (garbled,))
    message, _ = opened(made(tmp_path, 'key_domain = "b8709d"\nmsk_id = "24cb4400"', (garbled,)))
    assert message.key_id(1) == FIRST.msk_id


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("msk = 1", "msk: expected 16 octets or 24 or 32 in hex", id="a number for a key"),
        pytest.param(f'msk = "{MSK[:-2]}"', "msk: expected 16 octets or 24 or 32 in hex", id="a short key"),
        pytest.param(f'msk = "{MSK[:-2]}zz"', "msk: expected 16 octets or 24 or 32 in hex", id="no hex"),
        pytest.param("counter = -1", "counter: expected a whole number from 0 to 4294967295", id="negative"),
        pytest.param("counter = true", "counter: expected a whole number", id="a truth"),
        pytest.param('counter = "next"', "counter: expected a whole number", id="another word"),
        pytest.param('seq_l = "000000"', r"seq_l: expected 2 octets \(MTK ID\) or 4 octets", id="3 octets"),
        pytest.param('seq_l = "00000000"', "seq_l, seq_u: expected the same number of octets", id="unlike limits"),
        pytest.param('mks = "00"', "unknown field mks; did you mean msk", id="did you mean"),
        pytest.param(f'{MSK} = "00"', r"unknown field \(not shown: it may be a key\)", id="a key as a name"),
        pytest.param(f"msk = {MSK}", r"expected TOML, got an error at line 1, column", id="no TOML"),
        pytest.param("a = " + "[" * 9999, "expected TOML, got", id="deep"),
        pytest.param("msk = [", "expected TOML, got", id="ends early"),
    ],
)
def test_a_mistake_in_a_description_is_one_line_without_a_key(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}") as raised:
        parse_recipe(text.encode())
    assert str(raised.value).isprintable()
    assert MSK[:28] not in str(raised.value)


def test_octets_that_are_no_text_are_refused() -> None:
    with pytest.raises(ValueError, match="expected UTF-8, got another octet at offset 3"):
        parse_recipe(b"a =\xff")


def test_neither_key_shows_in_a_repr(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(f'msk = "{MSK}"')
    application = prepare(parse_application(f"inject-ltkm:synthetic={path}"), READERS)
    for secret in (MSK, base64.b64encode(bytes.fromhex(MSK)).decode(), repr(bytes.fromhex(MSK))):
        assert secret not in repr(application)
        assert secret not in str(application)
    assert str(application) == f"inject-ltkm:synthetic={path}"


def test_a_description_for_another_msk_of_the_terminal_takes_the_rand_of_that(tmp_path: Path) -> None:
    before = reference("several-keys")[0]
    last = replace(reference("download")[0], id="later", started=(before.started or 0) + 9)
    message, _ = opened(made(tmp_path, 'msk_id = "68c90001"', (before, last)))
    assert message.of(Rand)[0].value == SECOND.rand
