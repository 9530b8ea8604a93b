"""Open code tables: numbers with the names of the registry, where an unknown number is a value like any other."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Codes:
    """One registry of numbers; the range of private use is named too."""

    names: Mapping[int, str]
    private: range = range(0)

    def get(self, value: int) -> str | None:
        """Return the registered name of a number, `private use`, or None."""
        return self.names.get(value) or ("private use" if value in self.private else None)

    def name_of(self, value: int) -> str:
        """Return the name of a number, or `unknown (27)`."""
        return self.get(value) or f"unknown ({value})"

    def describe(self, value: int) -> str:
        """Return the number with its name: `5 (OMA BCAST)`, `27 (unknown)`."""
        return f"{value} ({self.get(value) or 'unknown'})"

    def __contains__(self, value: int) -> bool:
        return value in self.names


PRIVATE = range(241, 256)

VERSIONS = Codes({1: "MIKEY, RFC 3830"})

DATA_TYPES = Codes(
    {
        0: "pre-shared key message",
        1: "pre-shared key verification message",
        2: "public-key message of the initiator",
        3: "public-key verification message",
        4: "Diffie-Hellman init",
        5: "Diffie-Hellman response",
        6: "error",
        7: "DHHMAC init",
        8: "DHHMAC response",
        9: "RSA-R I_MSG",
        10: "RSA-R R_MSG",
        11: "REQUEST_INIT_PSK",
        12: "REQUEST_INIT_PK",
        13: "REQUEST_RESP",
        14: "TRANSFER_INIT",
        15: "TRANSFER_RESP",
        16: "RESOLVE_INIT_PSK",
        17: "RESOLVE_INIT_PK",
        18: "RESOLVE_RESP",
        19: "REQUEST_KEY_PSK",
        20: "REQUEST_KEY_PKE",
        21: "REQUEST_KEY_RESP",
        22: "I_MESSAGE_1",
        23: "R_MESSAGE_1",
        24: "I_MESSAGE_2",
        25: "R_MESSAGE_2",
        26: "SAKKE message",
    },
)

NEXT_PAYLOADS = Codes(
    {
        0: "last payload",
        1: "KEMAC",
        2: "PKE",
        3: "DH",
        4: "SIGN",
        5: "T",
        6: "ID",
        7: "CERT",
        8: "CHASH",
        9: "V",
        10: "SP",
        11: "RAND",
        12: "ERR",
        13: "TR",
        14: "IDR",
        15: "RANDR",
        16: "TP",
        17: "TICKET",
        20: "key data",
        21: "EXT",
        22: "IBAKE",
        23: "ESK",
        24: "SK",
        25: "ECCPT",
        26: "SAKKE",
    },
    PRIVATE,
)

PRF_FUNCTIONS = Codes({0: "MIKEY-1, HMAC-SHA-1", 1: "PRF-HMAC-SHA-256"}, range(112, 128))
MAP_TYPES = Codes({0: "SRTP-ID", 1: "empty map", 2: "GENERIC-ID"}, PRIVATE)

ENCRYPTION_ALGORITHMS = Codes({0: "NULL", 1: "AES-CM-128", 2: "AES-KW-128", 3: "AES-CM-256"}, PRIVATE)
MAC_ALGORITHMS = Codes({0: "NULL", 1: "HMAC-SHA-1-160", 2: "HMAC-SHA-256-256"}, PRIVATE)
MAC_LENGTHS = {0: 0, 1: 20, 2: 32}
"""Octets of a MAC by its algorithm (RFC 3830 §6.2; RFC 6043 for 2)."""

TIMESTAMP_TYPES = Codes({0: "NTP-UTC", 1: "NTP", 2: "COUNTER", 3: "NTP-UTC-32"}, PRIVATE)
TIMESTAMP_LENGTHS = {0: 8, 1: 8, 2: 4, 3: 4}
"""Octets of a timestamp by its type (RFC 3830 §6.6; RFC 6043 for 3)."""

IDENTITY_TYPES = Codes({0: "NAI", 1: "URI", 2: "byte string"}, PRIVATE)
CERTIFICATE_TYPES = Codes({0: "X.509v3", 1: "X.509v3 URL", 2: "X.509v3 Sign", 3: "X.509v3 Encr"}, PRIVATE)

HASH_FUNCTIONS = Codes({0: "SHA-1", 1: "MD5", 2: "SHA-256"}, PRIVATE)
HASH_LENGTHS = {0: 20, 1: 16, 2: 32}
"""Octets of a certificate hash by its function (RFC 3830 §6.8; RFC 6043 for 2)."""

DH_GROUPS = Codes({0: "OAKLEY 5", 1: "OAKLEY 1", 2: "OAKLEY 2"}, PRIVATE)
DH_LENGTHS = {0: 192, 1: 96, 2: 128}
"""Octets of a Diffie-Hellman value by its group (RFC 3830 §6.4)."""

CACHE_INDICATORS = Codes({0: "no cache", 1: "cache", 2: "cache for the CSB"})
SIGNATURE_TYPES = Codes({0: "RSA/PKCS#1 1.5", 1: "RSA-PSS", 2: "ECCSI"})

ERROR_NUMBERS = Codes(
    {
        0: "authentication failure",
        1: "invalid timestamp",
        2: "PRF function not supported",
        3: "MAC algorithm not supported",
        4: "encryption algorithm not supported",
        5: "hash function not supported",
        6: "DH group not supported",
        7: "ID not supported",
        8: "certificate not supported",
        9: "SP type not supported",
        10: "SP parameters not supported",
        11: "data type not supported",
        12: "unspecified error",
        13: "unsupported message type",
        14: "invalid TICKET",
        15: "invalid ticket policy parameters",
    },
    PRIVATE,
)

KEY_TYPES = Codes(
    {
        0: "TGK",
        1: "TGK with salt",
        2: "TEK",
        3: "TEK with salt",
        4: "GTGK",
        5: "GTGK with salt",
        6: "MPK",
        7: "K_PR",
    },
)
VALIDITY_TYPES = Codes({0: "none", 1: "SPI", 2: "interval"})

EXTENSION_TYPES = Codes(
    {
        0: "Vendor ID",
        1: "SDP IDs",
        2: "TESLA I-Key",
        3: "Key ID information",
        4: "CSB_ID",
        5: "OMA BCAST",
        6: "3GPP SAKKE-to-self",
        7: "3GPP key parameters",
    },
    PRIVATE,
)
KEY_ID_TYPES = Codes({0: "MBMS Key Domain ID", 1: "MBMS MSK ID", 2: "MBMS MTK ID"}, PRIVATE)
BCAST_SUBTYPES = Codes(
    {0: "reserved", 1: "LTKM", 2: "STKM", 3: "LTKM Reporting", 4: "Parental Control"},
    range(192, 256),
)

PROTOCOLS = Codes({0: "SRTP", 1: "TESLA"}, PRIVATE)
SRTP_PARAMETERS = Codes(
    {
        0: "encryption algorithm",
        1: "session encryption key length",
        2: "authentication algorithm",
        3: "session authentication key length",
        4: "session salt length",
        5: "SRTP PRF",
        6: "key derivation rate",
        7: "SRTP encryption",
        8: "SRTCP encryption",
        9: "FEC order",
        10: "SRTP authentication",
        11: "authentication tag length",
        12: "SRTP prefix length",
        13: "ROC transmission rate",
        14: "SRTP authentication algorithm",
        15: "SRTCP authentication algorithm",
        16: "SRTP authentication key length",
        17: "SRTCP authentication key length",
        18: "SRTP authentication tag length",
        19: "SRTCP authentication tag length",
        20: "AEAD authentication tag length",
    },
)
SRTP_ENCRYPTION = Codes(
    {
        0: "NULL",
        1: "AES-CM",
        2: "AES-F8",
        3: "CR-CTR",
        4: "CR-CCM",
        5: "CR-GCM",
        6: "AES-GCM",
        7: "ARIA-CTR",
        8: "ARIA-GCM",
    },
)
SRTP_AUTHENTICATION = Codes({0: "NULL", 1: "HMAC-SHA-1", 2: "RCCm1", 3: "RCCm2", 4: "RCCm3"})
SRTP_PRFS = Codes({0: "AES-CM", 1: "CR-CTR", 2: "ARIA-CTR"})
SWITCHES = Codes({0: "off", 1: "on"})
FEC_ORDERS = Codes({0: "FEC, then SRTP"})

SRTP_PARAMETER_VALUES: Mapping[int, Codes] = {
    0: SRTP_ENCRYPTION,
    2: SRTP_AUTHENTICATION,
    5: SRTP_PRFS,
    7: SWITCHES,
    8: SWITCHES,
    9: FEC_ORDERS,
    10: SWITCHES,
    14: SRTP_AUTHENTICATION,
    15: SRTP_AUTHENTICATION,
}
"""The tables for those SRTP parameters whose value is a code (RFC 3830 §6.10.1, RFC 4771, RFC 7714)."""

# The names of the roles are [recall M]; how many there are is found (RFC 6043), as are ID roles 6 and 7 (RFC 6509).
TIMESTAMP_ROLES = Codes(
    {1: "time of issue", 2: "start of validity", 3: "end of validity", 4: "rekeying interval"}, PRIVATE
)
IDENTITY_ROLES = Codes(
    {
        1: "initiator",
        2: "responder",
        3: "KMS",
        4: "pre-shared key",
        5: "application",
        6: "initiator's KMS",
        7: "responder's KMS",
    },
    PRIVATE,
)
RAND_ROLES = Codes({1: "initiator", 2: "responder", 3: "KMS"}, PRIVATE)
TICKET_TYPES = Codes({1: "MIKEY Base Ticket", 2: "3GPP Base Ticket"})

SAKKE_PARAMETERS = Codes({1: "parameter set 1"})
# Scheme 2 is [recall M].
SAKKE_ID_SCHEMES = Codes({1: "tel URI with monthly keys", 2: "3GPP MCX hashed UID"})
