"""The derivations of AKMA, against values worked out with another program and against OpenSSL."""

import subprocess
from pathlib import Path

import pytest

from ltkm_inspect.digest import a_tid_of, identity_kind
from ltkm_inspect.keys import KeyRing, akma, load

K_AUSF = bytes.fromhex("49a304b75df13bb9318868be69192c89da0f525fbd0800a8fed00bae6609a2b4")
SUPI = "234150999999999"
MBSSF = "mbssf.mbs.example.net"
A_KID = "rid0012.atid{}@5gc.mnc015.mcc234.3gppnetwork.org"
K_AKMA = "5016b9069d985dfa97242b1b835ad0ed8f1dfdd54ba2401f29474c7f40e537f7"
A_TID = "ea104fbb13118cfe15033685d81532a3bdd18658fd35b739638b26aa78685b0d"
AF_ID = "6d627373662e6d62732e6578616d706c652e6e65740100000001"
K_AF = "0dcf1e3cb95acb9396e2287a75ddf932aea9f80b3712f9bcef82ce11b9b44af4"
MRK = "64e740ae446f771cbfb1a4b84999a21afb6251e1ec8c5fef746df6e2276e89f4"


def test_the_worked_values_follow_from_k_ausf() -> None:
    af_id = akma.af_id(MBSSF)
    k_akma = akma.k_akma(K_AUSF, SUPI)
    k_af = akma.k_af(k_akma, af_id)
    found = [k_akma, akma.a_tid(K_AUSF, SUPI), af_id, k_af, *akma.muk_and_mrk(k_af)]
    assert [each.hex() for each in found] == [K_AKMA, A_TID, AF_ID, K_AF, K_AF, MRK]


@pytest.mark.needs("openssl")
@pytest.mark.parametrize(
    ("key", "function", "parameter", "result"),
    [
        pytest.param(K_AUSF.hex(), "80", (b"AKMA", SUPI.encode()), K_AKMA, id="K_AKMA"),
        pytest.param(K_AUSF.hex(), "81", (b"A-TID", SUPI.encode()), A_TID, id="A-TID"),
        pytest.param(K_AKMA, "82", (bytes.fromhex(AF_ID),), K_AF, id="K_AF"),
        pytest.param(K_AF, "01", (b"mbms-mrk",), MRK, id="MRK"),
    ],
)
def test_openssl_agrees(key: str, function: str, parameter: tuple[bytes, ...], result: str) -> None:
    text = bytes.fromhex(function) + b"".join(each + len(each).to_bytes(2) for each in parameter)
    command = ["openssl", "mac", "-digest", "SHA256", "-macopt", f"hexkey:{key}", "-in", "-", "HMAC"]
    done = subprocess.run(command, input=text, capture_output=True, check=True, timeout=30)
    assert done.stdout.decode().strip().lower() == result


@pytest.mark.parametrize(
    ("supi", "octets"),
    [
        ("234150999999999", b"234150999999999"),
        ("imsi-234150999999999", b"234150999999999"),
        ("IMSI-00101123456789", b"00101123456789"),
        ("nai-user@home.example", b"user@home.example"),
        ("user@home.example", b"user@home.example"),
    ],
)
def test_a_supi_is_the_digits_of_its_imsi_or_a_nai(supi: str, octets: bytes) -> None:
    assert akma.supi_octets(supi) == octets


@pytest.mark.parametrize("supi", ["", "imsi-", "12345", "2341509999999990", "²34150", "234 150999999999", "user"])
def test_another_supi_is_refused_without_being_shown(supi: str) -> None:
    with pytest.raises(ValueError, match=r"^supi: expected an IMSI of 6 to 15 digits or a NAI, got other text$"):
        akma.k_akma(K_AUSF, supi)


@pytest.mark.parametrize(
    "fields",
    [f'k_af = "{K_AF}"', f'k_akma = "{K_AKMA}"', f'k_ausf = "{K_AUSF.hex()}"\nsupi = "imsi-{SUPI}"'],
    ids=["K_AF", "K_AKMA", "K_AUSF"],
)
def test_a_key_ring_may_begin_at_each_step(fields: str, tmp_path: Path) -> None:
    (subscriber,) = _loaded(tmp_path, A_KID.format(A_TID), fields)[0].subscribers
    assert [*subscriber.muks, subscriber.mrk] == [bytes.fromhex(K_AF), bytes.fromhex(MRK)]


@pytest.mark.parametrize(
    ("name", "warned"),
    [
        pytest.param(A_KID.format(A_TID.upper()), False, id="its own A-TID"),
        pytest.param(A_KID.format(A_TID[:-1] + "c"), True, id="another A-TID"),
        pytest.param(A_KID.format("-as-base64"), False, id="no A-TID in hex"),
        pytest.param("*", False, id="wild card"),
    ],
)
def test_an_a_kid_with_another_a_tid_than_k_ausf_gives_is_warned_of(name: str, warned: bool, tmp_path: Path) -> None:
    _, warnings = _loaded(tmp_path, name, f'k_ausf = "{K_AUSF.hex()}"\nsupi = "{SUPI}"')
    assert [line.partition(": ")[2] for line in warnings] == (
        ["subscribers[1].b_tid: its A-TID does not follow from k_ausf and supi"] if warned else []
    )


def _loaded(folder: Path, name: str, fields: str) -> tuple[KeyRing, list[str]]:
    path = folder / "keys.toml"
    path.write_text(f'[[subscribers]]\nb_tid = "{name}"\nnaf = "{MBSSF}"\n{fields}\n')
    path.chmod(0o600)
    return load(path)


def test_an_identity_is_called_a_kid_where_an_a_tid_is_seen_in_it() -> None:
    assert a_tid_of(A_KID.format(A_TID)) == bytes.fromhex(A_TID)
    assert identity_kind(A_KID.format(A_TID)) == "A-KID"
    assert identity_kind("MTIzNDU2Nzg5MDEyMzQ1Ng==@bsf.home1.net") == "B-TID"
    assert a_tid_of(f"{A_TID[1:]}@home.example") is None
