"""A decoded message in the words of the vector files, so that it can be compared with what they expect."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ltkm_inspect.mikey import (
    GeneralExtension,
    GenericSession,
    Header,
    Identity,
    Interval,
    Kemac,
    KeyDataChain,
    KeyIds,
    Message,
    OmaBcast,
    Payload,
    Rand,
    SecurityPolicy,
    SrtpSession,
    Timestamp,
    Verification,
    spans,
)
from ltkm_inspect.mikey.identity_based import Sakke
from ltkm_inspect.mikey.keydata import Spi
from ltkm_inspect.mikey.public_key import Signature
from ltkm_inspect.mikey.ticket import IdentityWithRole

type Plain = dict[str, Any]

KEY_ID_NAMES = {0: "mbms_key_domain_id", 1: "mbms_service_key_id", 2: "mbms_traffic_key_id"}
SUBTYPE_NAMES = {1: "LTKM", 2: "STKM", 3: "LTKM Reporting", 4: "Parental Control"}


def vectors(path: Path) -> Iterator[Plain]:
    """The vectors of a file, one a line."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def octets_of(vector: Plain) -> bytes:
    """The message of a vector."""
    return base64.b64decode(vector["base64"])


def seen_header(message: Message) -> Plain | None:
    """The header as the vectors write it."""
    header = message.header
    if header is None:
        return None
    return {
        "version": header.version,
        "data_type": header.data_type,
        "v": header.v,
        "prf_func": header.prf_func,
        "csb_id": header.csb_id,
        "n_cs": header.cs_count,
        "cs_id_map_type": header.cs_id_map_type,
        "cs_id_map": [seen_session(session) for session in header.cs_id_map],
        "next_payload": message.next_payload(-1),
        "length": len(spans(message.encode())["HDR"]),
    }


def seen_session(session: SrtpSession | GenericSession) -> Plain:
    """A crypto session as the vectors write it."""
    if isinstance(session, SrtpSession):
        return {"policy_no": session.policy_no, "ssrc": session.ssrc, "roc": session.roc}
    return {
        "cs_id": session.cs_id,
        "prot_type": session.protocol,
        "s": int(session.s),
        "policies": list(session.policies),
        "session_data": session.session_data.hex(),
        "spi": session.spi.hex(),
    }


def seen_payloads(message: Message) -> list[Plain]:
    """The payloads as the vectors write them."""
    found = []
    for index, payload in enumerate(message.payloads):
        span = message.payload_span(index)
        entry: Plain = {
            "type": payload.payload_type,
            "name": payload.label,
            "offset": span.start,
            "length": len(span),
        }
        if payload.chained:
            entry["next_payload"] = message.next_payload(index)
        found.append(entry | seen_fields(payload))
    identities = [entry for entry in found if entry["name"] == "ID"]
    verification = isinstance(message.header, Header) and message.header.data_type == 1
    for entry, role in zip(identities, ["IDr"] if verification else ["IDi", "IDr"], strict=False):
        entry["role"] = role
    return found


def seen_fields(payload: Payload) -> Plain:
    """The fields of a payload as the vectors write them."""
    match payload:
        case Kemac(encr_alg, encr_data, mac_alg, mac):
            fields: Plain = {"encr_alg": encr_alg, "encr_data_len": len(encr_data), "encr_data": encr_data.hex()}
            fields |= {"mac_alg": mac_alg, "mac": mac.hex()}
            return fields | ({"key_data": seen_key_data(payload.key_data)} if payload.key_data is not None else {})
        case Timestamp(kind, value):
            return {"ts_type": kind, "ts_value": payload.number, "ts_value_hex": value.hex()}
        case Identity(kind, value):
            text = value.decode("utf-8", "replace")
            return {"id_type": kind, "id_len": len(value), "id": text, "id_hex": value.hex()}
        case IdentityWithRole(role, kind, value):
            return {"id_role": role, "id_type": kind, "id_len": len(value), "id_hex": value.hex()}
        case Rand(value):
            return {"rand_len": len(value), "rand": value.hex()}
        case Verification(auth_alg, ver_data):
            return {"auth_alg": auth_alg, "ver_data": ver_data.hex()}
        case SecurityPolicy(policy_no, protocol, params, trailing):
            length = sum(2 + len(param.value) for param in params) + len(trailing)
            listed = [{"type": each.type, "len": len(each.value), "value": each.value.hex()} for each in params]
            fields = {"policy_no": policy_no, "prot_type": protocol, "param_len": length, "params": listed}
            return fields | {"raw": payload.push().hex()}
        case GeneralExtension(kind, value):
            fields = {"ext_type": kind, "ext_len": len(payload.data), "data": payload.data.hex()}
            return fields | {"ext_data": payload.data.hex()} | seen_extension(value)
        case Sakke(params, id_scheme, data):
            return {"sakke_params": params, "sakke_id_scheme": id_scheme, "sakke_len": len(data)}
        case Signature(kind, signature):
            return {"s_type": kind, "sig_len": len(signature)}
        case _:
            return {}


def seen_extension(value: object) -> Plain:
    """The data of an extension as the vectors write it."""
    if isinstance(value, KeyIds):
        return {
            "key_ids": [
                {
                    "key_id_type": each.type,
                    "name": KEY_ID_NAMES.get(each.type, "unknown"),
                    "len": len(each.value),
                    "key_id": each.value.hex(),
                }
                for each in value.key_ids
            ]
        }
    if isinstance(value, OmaBcast):
        name = SUBTYPE_NAMES.get(value.subtype, "unknown")
        data = {"subtype": value.subtype, "subtype_name": name, "subtype_data": value.data.hex()}
        return {"oma_bcast": data}
    return {}


def seen_key_data(chain: KeyDataChain) -> list[Plain]:
    """Key data as `ltkm.jsonl` writes it."""
    found = []
    for number, entry in enumerate(chain.entries, 1):
        fields: Plain = {
            "next_payload": 20 if number < len(chain.entries) else chain.tail_type,
            "key_type": entry.type,
            "kv_type": entry.kv,
            "key_len": len(entry.key),
            "key": entry.key.hex(),
        }
        if entry.salt is not None:
            fields |= {"salt_len": len(entry.salt), "salt": entry.salt.hex()}
        if isinstance(entry.validity, Spi):
            fields["kv"] = {"spi_len": len(entry.validity.spi), "spi": entry.validity.spi.hex()}
        elif isinstance(entry.validity, Interval):
            start, end = entry.validity.valid_from, entry.validity.valid_to
            limits = {"vf_len": len(start), "valid_from": start.hex(), "vt_len": len(end), "valid_to": end.hex()}
            fields["kv"] = limits
        found.append(fields)
    return found


def differences(expected: Any, found: Any, path: str = "") -> list[str]:
    """Say where something found is not as expected; what is not expected may be anything."""
    if isinstance(expected, dict) and isinstance(found, dict):
        missing = [f"{path}.{key}: expected {expected[key]!r}, got nothing" for key in expected.keys() - found.keys()]
        inside = [differences(expected[key], found[key], f"{path}.{key}") for key in expected if key in found]
        return [*missing, *(line for lines in inside for line in lines)]
    if isinstance(expected, list) and isinstance(found, list):
        count = [] if len(expected) == len(found) else [f"{path}: expected {len(expected)} entries, got {len(found)}"]
        pairs = enumerate(zip(expected, found, strict=False), 1)
        return count + [line for number, (a, b) in pairs for line in differences(a, b, f"{path}[{number}]")]
    return [] if expected == found else [f"{path}: expected {expected!r}, got {found!r}"]
