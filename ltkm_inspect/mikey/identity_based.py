"""The payloads of the identity-based modes: IBAKE and ESK (RFC 6267), SAKKE (RFC 6509); an LTKM carries none of them.

SK and ECCPT (RFC 6267) stand in encrypted data and have no layout here: in a message they end the walk, by name.
"""

from typing import Annotated, ClassVar

from ltkm_inspect.mikey.codes import SAKKE_ID_SCHEMES, SAKKE_PARAMETERS
from ltkm_inspect.mikey.payload import Payload, payload
from ltkm_inspect.mikey.record import Opaque

# That IBAKE and ESK are a length of two octets and encrypted data is [recall M].


@payload(22)
class Ibake(Payload):
    """IBAKE payload (RFC 6267): identity-based encrypted data; the layout is from memory."""

    unverified: ClassVar[bool] = True

    data: Annotated[bytes, Opaque(2)]


@payload(23)
class EncryptedSecretKey(Payload):
    """Encrypted secret key payload ESK (RFC 6267); the layout is from memory."""

    unverified: ClassVar[bool] = True

    data: Annotated[bytes, Opaque(2)]


@payload(26)
class Sakke(Payload):
    """SAKKE payload (RFC 6509): a shared secret, encrypted for an identity."""

    params: Annotated[int, SAKKE_PARAMETERS]
    id_scheme: Annotated[int, SAKKE_ID_SCHEMES]
    data: Annotated[bytes, Opaque(2)]
