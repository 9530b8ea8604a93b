"""Inputs made out of samples: octets changed here and there, pieces of one sample in another, pieces repeated."""

from collections.abc import Sequence
from random import Random

NUMBERS = (b"\0", b"\1", b"\x7f", b"\x80", b"\xff", b"\0\0", b"\xff\xff", b"\x80\0", b"-1", b"0", b"1e999", b"NaN")
TOKENS = (
    *(
        b"\x1b]0;x\x07",
        b"\x1b[2J",
        b"\r\n",
        b"\xe2\x80\xae",
        b"\xef\xbb\xbf",
        b"\xed\xa0\x80",
        b"\xff\xfe",
        b"%00",
        b"\\",
    ),
    *(
        b'"',
        b"'",
        b"<",
        b">",
        b"&",
        b",",
        b";",
        b"=",
        b"@",
        b"{",
        b"[",
        b"]",
        b"}",
        b"null",
        b"true",
        b"[]",
        b"{}",
        b'""',
    ),
)
"""What means something to somebody."""
LARGEST_PIECE = 64
LONGEST = 1 << 16
"""Octets of an input that was changed, not grown."""


def changed(random: Random, sample: bytes, samples: Sequence[bytes], tokens: Sequence[bytes] = ()) -> bytes:
    """Return the sample with one to six changes."""
    octets = bytearray(sample)
    for _ in range(random.choice((1, 1, 1, 2, 3, 6))):
        at, end = _piece(random, octets)
        match random.randrange(9):
            case 0 if octets:
                octets[min(at, len(octets) - 1)] ^= 1 << random.randrange(8)
            case 1 if octets:
                octets[min(at, len(octets) - 1)] = random.randrange(256)
            case 2:
                del octets[at:end]
            case 3:
                octets[at:at] = octets[at:end] * random.choice((1, 1, 2, 7, 60))
            case 4:
                octets[at:end] = random.randbytes(random.randrange(12))
            case 5:
                octets[at:at] = random.choice((*TOKENS, *tokens))
            case 6:
                number = random.choice(NUMBERS)
                octets[at : at + len(number)] = number
            case 7:
                other = random.choice(samples)
                first, last = _piece(random, other)
                octets[at:end] = other[first:last]
            case _ if random.randrange(4) == 0:
                del octets[at:]
            case _:
                first, last = _piece(random, octets)
                octets[at:end], octets[first:last] = octets[first:last], octets[at:end]
    return bytes(octets[:LONGEST])


def grown(random: Random, sample: bytes, octets: int) -> tuple[bytes, bytes]:
    """Return the sample with a piece of it repeated: about that many octets more, and four times as many."""
    at, end = _piece(random, sample)
    piece = sample[at:end] or b"\0"
    count = max(1, octets // len(piece))
    less, more = (sample[:at] + piece * number + sample[at:] for number in (count, 4 * count))
    return less, more


def _piece(random: Random, octets: bytes | bytearray) -> tuple[int, int]:
    """Return where a piece begins and ends: nothing is likely to be as long as the whole."""
    at = random.randint(0, len(octets))
    return at, min(len(octets), at + random.choice((1, 2, 4, 8, random.randint(1, LARGEST_PIECE))))
