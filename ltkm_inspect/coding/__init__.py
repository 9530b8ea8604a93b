"""Content codings of HTTP (gzip, deflate, br, zstd) taken off a body without trust, and put on again."""

from ltkm_inspect.coding.body import ENCODERS, MAX_CODINGS, codings, decode, encode
from ltkm_inspect.coding.streams import CodingError, DecodedBody, PieceStream, unpack
