import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltkm_inspect.document import codec_of, read
from ltkm_inspect.document.encoding import Encoding, detect

TEXT = "<a><b>\u4e2d\u6587</b></a>"


def declared(name: str, text: str = TEXT) -> str:
    return f'<?xml version="1.0" encoding="{name}"?>{text}'


@pytest.mark.parametrize(
    ("octets", "charset", "codec", "source"),
    [
        pytest.param(TEXT.encode(), None, "utf_8", "default", id="nothing said"),
        pytest.param(b"\xef\xbb\xbf" + TEXT.encode(), None, "utf_8", "bom", id="UTF-8 mark"),
        pytest.param(declared("utf-8").encode(), "UTF-8", "utf_8", "declaration", id="UTF-8 declared"),
        pytest.param(declared("UTF-16").encode("utf-16"), None, "utf_16_le", "bom", id="UTF-16 of this machine"),
        pytest.param(codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), None, "utf_16_be", "bom", id="UTF-16 mark alone"),
        pytest.param(declared("UTF-16LE").encode("utf-16-le"), None, "utf_16_le", "octets", id="UTF-16LE, no mark"),
        pytest.param(TEXT.encode("utf-16-be"), "utf-16be", "utf_16_be", "octets", id="UTF-16BE by charset"),
        pytest.param(b"\n\0 \0" + TEXT.encode("utf-16-le"), "utf-16le", "utf_16_le", "octets", id="space first"),
        pytest.param(declared("UTF-32").encode("utf-32"), None, "utf_32_le", "bom", id="UTF-32"),
        pytest.param(declared("GB18030").encode("gb18030"), None, "gb18030", "declaration", id="GB18030"),
        pytest.param(declared("gbk").encode("gbk"), "GBK", "gbk", "declaration", id="GBK"),
        pytest.param(declared("GB2312").encode("gb2312"), None, "gb2312", "declaration", id="GB2312"),
        pytest.param(declared("Shift_JIS").encode("shift_jis"), None, "shift_jis", "declaration", id="Shift_JIS"),
        pytest.param(declared("Big5").encode("big5"), None, "big5", "declaration", id="Big5"),
        pytest.param(declared("EUC-KR").encode("euc-kr"), None, "euc_kr", "declaration", id="EUC-KR"),
        pytest.param(TEXT.encode("gb18030"), "GB18030", "gb18030", "charset", id="GB18030 by charset"),
        pytest.param(declared("ISO-2022-JP").encode("iso-2022-jp"), None, "iso2022_jp", "declaration", id="stateful"),
    ],
)
def test_the_encoding_is_found_and_the_text_is_right(
    octets: bytes, charset: str | None, codec: str, source: str
) -> None:
    document = read(octets, charset)
    assert (document.encoding.codec, document.encoding.source) == (codec, source)
    assert document.encoding.problem is None
    assert document.error is None
    assert document.text is not None
    assert document.text.endswith(TEXT)
    assert document.root is not None
    assert document.root[0].text == "\u4e2d\u6587"


@pytest.mark.parametrize("name", ["ISO-8859-1", "windows-1252", "ISO-8859-15", "cp037", "koi8-u"])
def test_encodings_of_one_octet_are_read(name: str) -> None:
    codec = codec_of(name)
    assert codec is not None
    letter = bytes([0xE9]).decode(codec)
    document = read(declared(name, f"<a>{letter}</a>").encode(codec))
    assert document.error is None
    assert document.root is not None
    assert document.root.text == letter


@pytest.mark.parametrize(
    ("octets", "charset", "problem"),
    [
        pytest.param(
            b"\xef\xbb\xbf" + declared("GBK", "<a/>").encode(),
            None,
            "expected the declaration to name UTF-8, got 'GBK'",
            id="mark against declaration",
        ),
        pytest.param(
            declared("UTF-8", "<a/>").encode("utf-16"),
            None,
            "expected the declaration to name UTF-16LE, got 'UTF-8'",
            id="UTF-16 that says UTF-8",
        ),
        pytest.param(
            declared("UTF-16", "<a/>").encode(),
            None,
            "expected 'UTF-16' as declared, got octets in another encoding",
            id="UTF-8 that says UTF-16",
        ),
        pytest.param(
            declared("GBK", "<a/>").encode(),
            "gb18030",
            "expected a charset of GBK, got 'gb18030'",
            id="declaration against charset",
        ),
        pytest.param(b"<a/>", "utf-16", "expected a charset of UTF-8, got 'utf-16'", id="charset that cannot be"),
        pytest.param(
            "<a/>".encode("utf-16-le"), None, "expected a byte order mark before UTF-16LE, got none", id="no mark"
        ),
        pytest.param(
            declared("UTF-16", "<a/>").encode("utf-16-be"),
            None,
            "expected a byte order mark before UTF-16BE, got none",
            id="UTF-16 declared, no mark",
        ),
        pytest.param(
            declared("x-secret", "<a/>").encode(),
            None,
            "expected a known encoding, got 'x-secret' in the declaration",
            id="unknown declaration",
        ),
        pytest.param(b"<a/>", "\x1b[0m", "expected a known encoding, got '\x1b[0m' as charset", id="unknown charset"),
    ],
)
def test_what_disagrees_about_the_encoding_is_told(octets: bytes, charset: str | None, problem: str) -> None:
    document = read(octets, charset)
    assert document.encoding.problem == problem
    assert document.root is not None


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", "utf8", None])
def test_a_charset_that_agrees_is_no_problem(charset: str | None) -> None:
    assert detect(declared("UTF-8").encode(), charset).problem is None
    assert detect(TEXT.encode(), charset).problem is None


def test_codecs_of_python_that_are_no_character_encodings_are_not_known() -> None:
    for name in ("base64", "rot13", "zlib", "hex", "idna", "punycode", "unicode_escape", "undefined", "mbcs", "x" * 99):
        assert codec_of(name) is None, name


def test_stateful_encodings_are_known_as_such() -> None:
    for name in ("utf-7", "hz-gb-2312", "iso-2022-jp", "iso-2022-kr", "iso-2022-jp-2"):
        codec = codec_of(name)
        assert codec is not None
        assert Encoding(codec, "charset", 0, None, name, None).stateful
    assert not Encoding("gb18030", "charset", 0, None, "gb18030", None).stateful


@given(st.binary(max_size=60), st.none() | st.text(max_size=12))
def test_detection_is_total(octets: bytes, charset: str | None) -> None:
    encoding = detect(octets, charset)
    assert codecs.lookup(encoding.codec)
    assert encoding.bom <= len(octets)
