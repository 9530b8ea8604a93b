"""Decodes and encodes the content codings of HTTP (gzip, deflate, br, zstd) with bounded memory."""

from ltkm_inspect.coding.body import ENCODERS, MAX_CODINGS, codings, decode, encode
from ltkm_inspect.coding.streams import CodingError, DecodedBody, PieceStream, unpack
