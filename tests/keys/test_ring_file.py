"""The key ring file and the derivations of GBA that it can ask for."""

import os
from pathlib import Path

import pytest

from ltkm_inspect.keys import KeyRing, RingFile, Subscriber, gba, load
from ltkm_inspect.wire.toml_file import TomlError

KS_NAF = "3d2fec766bf9a75e88caaa2e3eae83a339b4c555d8c400412e6e403aad5ec99a"
MUK = bytes(range(0x20, 0x40))
B_TID = 'b_tid = "a@bsf"\n'


def _write(folder: Path, text: str) -> Path:
    path = folder / "keys.toml"
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_ks_naf_is_derived_from_ck_and_ik() -> None:
    naf = gba.naf_id("bmsc.home1.net")
    ks = gba.ks(bytes(range(16)), bytes(range(16, 32)))
    assert gba.ks_naf(ks, bytes(range(16)), "user@home1.net", naf).hex() == KS_NAF


def test_the_mrk_and_its_password_are_derived_from_ks_naf() -> None:
    muk, mrk = gba.gba_me(MUK)
    assert muk == MUK
    assert mrk.hex() == "7c3b5373aa0af6f11311a35052c58b641668e3f7429fac322e0f627bbb55c94b"
    assert Subscriber("b", mrk=mrk).password == b"fDtTc6oK9vETEaNQUsWLZBZo4/dCn6wyLg9ie7tVyUs="


def test_gba_u_takes_its_keys_as_they_are_where_the_card_does_mbms() -> None:
    assert gba.gba_u(MUK, bytes(32)) == (MUK, bytes(32))
    with pytest.raises(ValueError, match="ks_naf: expected 32 octets, got 3"):
        gba.gba_me(b"abc")


def test_keys_are_read_and_derived(tmp_path: Path) -> None:
    text = f"""
[[subscribers]]
b_tid = "a@bsf"
muks = ["{MUK.hex()}", "base64:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="]
[[subscribers]]
b_tid = "b@bsf"
naf = "bmsc.home1.net"
impi = "user@home1.net"
ck = "{bytes(range(16)).hex()}"
ik = "{bytes(range(16, 32)).hex()}"
rand = "{bytes(range(16)).hex()}"
"""
    ring, warnings = load(_write(tmp_path, text))
    assert warnings == []
    assert [subscriber.muks for subscriber in ring.subscribers] == [(MUK, MUK), (bytes.fromhex(KS_NAF),)]


@pytest.mark.parametrize(
    "text",
    [MUK.hex(" "), MUK.hex(":"), f"0x{MUK.hex()}", " ".join(f"0x{each:02X}" for each in MUK), f"hex:{MUK.hex(':')}"],
)
def test_a_key_in_hex_may_be_as_other_programs_print_it(tmp_path: Path, text: str) -> None:
    ring, warnings = load(_write(tmp_path, f'[[subscribers]]\n{B_TID}muk = "{text}"\n'))
    assert warnings == []
    assert [subscriber.muks for subscriber in ring.subscribers] == [(MUK,)]


PLANTED = "c0ffee" * 11
WRONG = {
    "unknown": (f'{B_TID}muck = "{PLANTED}"', "subscribers[1].muck: unknown field; expected one of"),
    "capitals": (f'{B_TID}MUK = "{PLANTED}"', "subscribers[1].MUK: unknown field; did you mean muk?"),
    "key as a field": (f"{B_TID}{PLANTED} = 1", "subscribers[1].(a field): unknown field; expected one of"),
    "neither": (f'{B_TID}muk = "{PLANTED}!"', "subscribers[1].muk: expected 16 to 128 octets in hex or base64"),
    "short": (f'{B_TID}muk = "c0ffee"', "subscribers[1].muk: expected 16 to 128 octets, got 3"),
    "number": (f"{B_TID}muk = 12", "subscribers[1].muk: expected 16 to 128 octets in hex or base64, got a number"),
    "no key": (B_TID, "subscribers[1]: no key: give muk, muks, mrk"),
    "no b_tid": (f'muk = "{PLANTED}"', 'subscribers[1].b_tid: expected a string, b_tid = "…", got nothing'),
    "two ways": (f'{B_TID}ks_naf = "{PLANTED}"\nmuk = "{PLANTED}"', "subscribers[1].muk: use either keys or what"),
    "gba": (f'{B_TID}ks_naf = "{KS_NAF}"\ngba = "{PLANTED}"', "subscribers[1].gba: expected me with"),
    "ck alone": (f'{B_TID}ck = "{PLANTED}"', "subscribers[1]: expected one of: ks_naf;"),
    "two steps of AKMA": (
        f'{B_TID}naf = "n"\nk_af = "{KS_NAF}"\nk_akma = "{KS_NAF}"',
        "subscribers[1]: expected one of: ks_naf; ks_ext_naf; ks_ext_naf with ks_int_naf; ck with ik with rand; k_af; "
        "k_akma; k_ausf; got k_af with k_akma",
    ),
    "AKMA and GBA": (f'{B_TID}k_af = "{KS_NAF}"\nks_naf = "{KS_NAF}"', "subscribers[1]: expected one of: ks_naf;"),
    "AKMA and MUK": (f'{B_TID}k_af = "{KS_NAF}"\nmuk = "{PLANTED}"', "subscribers[1].muk: use either keys or what"),
    "AKMA and gba": (f'{B_TID}k_af = "{KS_NAF}"\ngba = "me"', "subscribers[1].gba: not allowed with k_af"),
    "short K_AF": (f'{B_TID}k_af = "{PLANTED[:32]}"', "subscribers[1].k_af: expected 32 octets, got 16"),
    "long K_AUSF": (
        f'{B_TID}naf = "n"\nsupi = "001010000000001"\nk_ausf = "{PLANTED}"',
        "subscribers[1].k_ausf: expected 32 octets, got 33",
    ),
    "no naf": (f'{B_TID}k_akma = "{KS_NAF}"', "subscribers[1].naf: the FQDN of the BSM is missing"),
    "no supi": (
        f'{B_TID}naf = "n"\nk_ausf = "{KS_NAF}"',
        'subscribers[1].supi: expected a string, supi = "…", got nothing',
    ),
    "supi as a number": (
        f'{B_TID}naf = "n"\nk_ausf = "{KS_NAF}"\nsupi = 1010000000001',
        'subscribers[1].supi: expected a string, supi = "…", got a number',
    ),
    "supi that is a key": (
        f'{B_TID}naf = "n"\nk_ausf = "{KS_NAF}"\nsupi = "{PLANTED}"',
        "subscribers[1].supi: expected an IMSI of 6 to 15 digits or a NAI, got other text",
    ),
    "syntax": (f"{B_TID}muk = {PLANTED}", "line 3, column "),
    "twice": (
        f'{B_TID}muk = "{PLANTED}"\n[[subscribers]]\n{B_TID}muk = "{PLANTED}"',
        "subscribers[2]: b_tid and naf are those of subscribers[1]",
    ),
}


@pytest.mark.parametrize(("text", "line"), WRONG.values(), ids=WRONG)
def test_an_error_names_the_place_and_no_value(tmp_path: Path, text: str, line: str) -> None:
    path = _write(tmp_path, f"[[subscribers]]\n{text}\n")
    with pytest.raises(TomlError) as caught:
        load(path)
    told = str(caught.value)
    assert told.startswith(f"{path}: {line}")
    assert "\n" not in told
    assert "c0ffee" not in told.lower()


def test_a_file_that_is_none_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "octets").write_bytes(b"\xff")
    (tmp_path / "empty").touch()
    for path in (tmp_path, tmp_path / "absent", tmp_path / "octets", tmp_path / "empty"):
        with pytest.raises(TomlError, match=r"^[^\n]+$"):
            load(path)


def test_a_file_that_others_can_read_is_warned_of(tmp_path: Path) -> None:
    path = _write(tmp_path, f'[[subscribers]]\n{B_TID}muk = "{MUK.hex()}"')
    path.chmod(0o644)
    assert "mode 644" in load(path)[1][0]


def test_a_changed_file_is_read_again_and_a_broken_one_leaves_the_ring(tmp_path: Path) -> None:
    now = [0.0]
    path = _write(tmp_path, f'[[subscribers]]\n{B_TID}muk = "{MUK.hex()}"')
    file = RingFile(path, lambda: now[0])
    before = file.ring
    path.write_text("broken")
    assert file.refresh() is None
    now[0] = 2
    told = file.refresh()
    assert told is not None
    assert len(told) == 1
    assert file.ring is before
    now[0] = 4
    assert file.refresh() is None
    path.write_text(f'[[subscribers]]\nb_tid = "*"\nmuk = "{MUK.hex()}"')
    now[0] = 6
    assert file.refresh() == []
    assert file.ring.find("anybody") is not None


def test_look_up_goes_from_the_exact_entry_to_the_wild_card() -> None:
    one, two, wild = Subscriber("a", "x"), Subscriber("a", "y"), Subscriber("*", "z")
    ring = KeyRing((one, two, wild, Subscriber("b", "x")))
    assert ring.find("a", "Y") is two
    assert ring.find("a", "q") is None
    assert ring.find("b", "q") is ring.subscribers[3]
    assert ring.find("c", "z") is wild
    assert ring.find("c", "q") is None


def _moving(tmp_path: Path) -> tuple[Path, RingFile, list[float]]:
    now = [0.0]
    path = _write(tmp_path, _ring_of("a"))
    return path, RingFile(path, lambda: now[0]), now


def _ring_of(b_tid: str) -> str:
    return f'[[subscribers]]\nb_tid = "{b_tid}"\nmuk = "{MUK.hex()}"\n'


def _later(file: RingFile, now: list[float]) -> list[str] | None:
    now[0] += 2
    return file.refresh()


def test_a_file_that_was_replaced_is_read_again(tmp_path: Path) -> None:
    path, file, now = _moving(tmp_path)
    other = tmp_path / "other"
    other.write_text(_ring_of("b"))
    other.chmod(0o600)
    other.rename(path)
    assert _later(file, now) == []
    assert file.ring.find("b") is not None
    assert _later(file, now) is None


def test_a_file_that_goes_away_and_comes_back_is_told_once_each(tmp_path: Path) -> None:
    path, file, now = _moving(tmp_path)
    before = file.ring
    path.unlink()
    told = _later(file, now)
    assert told is not None
    assert [line.partition(": ")[2] for line in told] == ["expected a key ring file, got: no such file or directory"]
    assert _later(file, now) is None
    assert file.ring is before
    _write(tmp_path, _ring_of("b"))
    assert _later(file, now) == []
    assert file.ring.find("b") is not None


def test_a_file_that_is_written_bit_by_bit_is_told_once(tmp_path: Path) -> None:
    path, file, now = _moving(tmp_path)
    before, lines = file.ring, []
    whole = _ring_of("b")
    for end in range(45, len(whole) - 2, 10):  # always inside the key
        path.write_text(whole[:end])
        lines.append(_later(file, now))
        assert file.ring is before
    assert [line for line in lines if line is not None] == lines[:1]
    path.write_text(whole)
    assert _later(file, now) == []
    assert file.ring.find("b") is not None


def test_a_permission_that_is_lost_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, file, now = _moving(tmp_path)
    before = file.ring

    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", denied)
        path.chmod(0)  # changes no octet and no time of the content
        told = _later(file, now)
        assert told is not None
        assert "permission denied" in told[0]
        path.chmod(0o200)
        assert _later(file, now) is None
    assert file.ring is before
    path.chmod(0o600)
    assert _later(file, now) == []


def test_a_pipe_in_place_of_the_file_does_not_hang(tmp_path: Path) -> None:
    path, file, now = _moving(tmp_path)
    path.unlink()
    os.mkfifo(path)
    told = _later(file, now)
    assert told is not None
    assert "expected a regular file" in told[0]
    assert _later(file, now) is None
    path.unlink()
    _write(tmp_path, _ring_of("b"))
    assert _later(file, now) == []


def test_a_field_given_twice_is_said_so(tmp_path: Path) -> None:
    path = _write(tmp_path, f'[[subscribers]]\n{B_TID}muk = "{PLANTED}"\nmuk = "{PLANTED}"\n')
    with pytest.raises(TomlError, match=r"line 4, column .*: a field or table appears twice"):
        load(path)


@pytest.mark.parametrize(
    ("text", "octets", "warned"),
    [
        ("ab" * 32, 32, False),
        ("AB" * 16, 16, False),
        ("ab" * 24, 24, True),
        ("hex:" + "ab" * 24, 24, False),
        ("base64:" + "ab" * 24, 36, False),
        ("base64:" + "ab" * 32, 48, False),
        ("ab" * 8, 12, False),
    ],
    ids=["32 octets", "16 octets", "both", "hex:", "base64:", "64 digits as base64", "too short"],
)
def test_hex_goes_before_base64_and_a_doubt_is_told(tmp_path: Path, text: str, octets: int, warned: bool) -> None:
    path = _write(tmp_path, f'[[subscribers]]\n{B_TID}muk = "{text}"\n')
    if octets < 16:
        with pytest.raises(TomlError, match="expected 16 to 128 octets, got 8"):
            load(path)
        return
    ring, warnings = load(path)
    assert len(ring.subscribers[0].muks[0]) == octets
    assert [line.partition(": ")[2] for line in warnings] == (
        ["subscribers[1].muk: read as hex, but it may be base64; write hex: or base64: before it"] if warned else []
    )


@pytest.mark.parametrize(
    ("fields", "source"),
    [
        ('muk = "{0}"', "given"),
        ('ks_naf = "{0}"', "derived from Ks_NAF"),
        ('ks_ext_naf = "{0}"\nks_int_naf = "{0}"', "derived from Ks_ext_NAF and Ks_int_NAF"),
        ('naf = "n"\nimpi = "i"\nck = "{1}"\nik = "{1}"\nrand = "{1}"', "derived from CK and IK"),
        ('k_af = "{0}"', "derived from K_AF"),
        ('naf = "n"\nk_akma = "{0}"', "derived from K_AKMA"),
        ('naf = "n"\nk_ausf = "{0}"\nsupi = "imsi-001010000000001"', "derived from K_AUSF"),
    ],
)
def test_a_subscriber_says_where_its_keys_come_from(tmp_path: Path, fields: str, source: str) -> None:
    text = fields.format(MUK.hex(), MUK[:16].hex())
    ring, _ = load(_write(tmp_path, f"[[subscribers]]\n{B_TID}{text}\n"))
    assert ring.subscribers[0].source == source


def test_the_wild_card_comes_after_entries_of_other_bm_scs() -> None:
    one, two, wild = Subscriber("a", "x"), Subscriber("a", "y"), Subscriber("*")
    ring = KeyRing((one, two, wild))
    assert ring.find("a", "q") is wild
    assert KeyRing((one, wild)).find("a", "q") is one
    assert ring.find("*", "q") is wild
    assert ring.find(None, None) is wild
