"""Rules and faults on how digest directives are written: quotation marks, repetition, case."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from ltkm_inspect.catalogue.authentication_info import AUTHENTICATION_INFO, info_of, inform, information, is_proved
from ltkm_inspect.catalogue.authorization import AUTHORIZATION, COUNT, credentials_in, proof_of, prove
from ltkm_inspect.catalogue.challenge import AUTHENTICATE, first_challenge, put_challenge
from ltkm_inspect.catalogue.preconditions import MSK_PROCEDURE, RESPONSE
from ltkm_inspect.digest import Directive, Directives
from ltkm_inspect.fault import FaultError, fault
from ltkm_inspect.finding import NotApplicable, Problem
from ltkm_inspect.rule import Problems, RuleGroup
from ltkm_inspect.spec import RFC7616, RFC9110, Sure
from ltkm_inspect.traffic import Exchange

CHALLENGE_FORM = RFC7616["3.3"](says="realm, domain, nonce, opaque and qop are quoted; stale and algorithm are not")
CREDENTIALS_FORM = RFC7616["3.4"](
    says="username, realm, nonce, uri, response, cnonce and opaque are quoted; algorithm, qop and nc are not"
)
INFO_FORM = RFC7616["3.5"](says="nextnonce, rspauth and cnonce are quoted; qop and nc are not")
COUNT_FORM = RFC7616["3.4"](says="nc has 8 hex digits, with letters in lower case")
ONCE = RFC9110["11.2"](says="each name appears once in a list of authentication parameters")
EITHER_IS_READ = "most recipients accept either form, and the value is the same"
ONE_IS_TAKEN = "most recipients use one of the values, and if the two agree, nothing is lost"

_CHALLENGE = {"realm": True, "domain": True, "nonce": True, "opaque": True, "qop": True, "stale": False}
_CHALLENGE |= {"algorithm": False}
_CREDENTIALS = {"username": True, "realm": True, "nonce": True, "uri": True, "response": True, "cnonce": True}
_CREDENTIALS |= {"opaque": True, "algorithm": False, "qop": False, "nc": False}
_INFO = {"nextnonce": True, "rspauth": True, "cnonce": True, "qop": False, "nc": False}
"""Whether a directive is written in quotation marks, by its name; other directives may be written either way."""
_SHOWN = 5
"""How many names of directives a finding shows."""


def _misquoted(path: str, fields: Iterable[Directive], quoted: Mapping[str, bool]) -> Problems:
    """Yield a problem for the directives that lack quotation marks, and one for those that should have none."""
    wrong = [field for field in fields if quoted.get(field.name.lower(), field.quoted) is not field.quoted]
    marks = {True: "quotation marks", False: "no quotation marks"}
    for has_marks in (True, False) if wrong else ():
        # an empty value cannot be written without quotation marks
        found = [each.name.lower() for each in wrong if each.quoted is has_marks and (each.value or not has_marks)]
        if found:
            place, listed = _named(path, list(dict.fromkeys(found)))
            yield Problem(place, f"{listed}{'with ' if listed else ''}{marks[not has_marks]}", marks[has_marks])


def _repeated(path: str, directives: Directives) -> Problems:
    """Yield a problem for the directives whose names come more than once."""
    if len(directives.first) != len(directives.fields):
        counts = Counter(field.name.lower() for field in directives.fields)
        place, listed = _named(path, [name for name, count in counts.items() if count > 1])
        yield Problem(place, f"{listed}once", "more than once")


def _named(path: str, names: list[str]) -> tuple[str, str]:
    """Return where a problem of these directives is, and their names in front of what is expected of them."""
    if len(names) == 1:
        return f"{path}.{names[0]}", ""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return path, f"{', '.join(names[:_SHOWN])}{more} "


def _challenges(exchange: Exchange) -> tuple[Directives, ...] | NotApplicable:
    return exchange.challenges or NotApplicable("the response is not a 401 with a Digest challenge")


QUOTING = RuleGroup(Exchange, level_reason=EITHER_IS_READ, needs=[MSK_PROCEDURE, RESPONSE], covers=["HTTP-16b"])
REPEATING = RuleGroup(
    Exchange, cite=[ONCE], level_reason=ONE_IS_TAKEN, needs=[MSK_PROCEDURE, RESPONSE], covers=["HTTP-16b"]
)


@QUOTING.warning(CHALLENGE_FORM, takes=_challenges)
def challenge_misquoted(_: Exchange, challenges: tuple[Directives, ...]) -> Problems:
    """A Digest challenge has missing or superfluous quotation marks.

    Some terminals accept only the standard form and reject the challenge. Others copy the marks into their credentials,
    where the BSM does not expect them.

    Quote realm, domain, nonce, opaque and qop, but not stale and algorithm.
    """
    fields = (field for challenge in challenges for field in challenge.fields)
    return _misquoted(AUTHENTICATE, fields, _CHALLENGE)


@QUOTING.warning(CREDENTIALS_FORM, needs=[MSK_PROCEDURE], takes=credentials_in)
def authorization_misquoted(_: Exchange, credentials: Directives) -> Problems:
    """Authorization has missing or superfluous quotation marks.

    Some servers accept only the standard form, and answer with another 401 or a 400.

    Quote username, realm, nonce, uri, response, cnonce and opaque, but not algorithm, qop and nc.
    """
    return _misquoted(AUTHORIZATION, credentials.fields, _CREDENTIALS)


@QUOTING.warning(INFO_FORM, covers=["HTTP-16"], takes=information, fast_pass=is_proved)
def authentication_info_misquoted(exchange: Exchange, info: Directives) -> Problems:
    """Authentication-Info has missing or superfluous quotation marks, or a malformed nc.

    nextnonce, rspauth and cnonce need quotation marks; qop and nc must not have any; nc has 8 hex digits. Many
    terminals accept both forms, but some compare the text as written. An nc that repeats a malformed one of the request
    is not reported here.

    Write the directives as in RFC 7616.
    """
    yield from _misquoted(AUTHENTICATION_INFO, info.fields, _INFO)
    count = info.first.get("nc", "00000001")
    asked = None if exchange.credentials is None else exchange.credentials.first.get("nc")
    if count != asked and not COUNT.fullmatch(count):
        yield Problem(f"{AUTHENTICATION_INFO}.nc", "8 hex digits", count or "an empty value")


@REPEATING.warning(takes=_challenges)
def challenge_repeats(_: Exchange, challenges: tuple[Directives, ...]) -> Problems:
    """A directive appears twice in one Digest challenge.

    Some terminals use the first one, some the last, and others treat the challenge as damaged.

    Make the BSM write each directive once. Several challenges, each complete, are fine.
    """
    yield from next(filter(None, (list(_repeated(AUTHENTICATE, challenge)) for challenge in challenges)), ())


@REPEATING.warning(needs=[MSK_PROCEDURE], takes=credentials_in)
def authorization_repeats(exchange: Exchange, credentials: Directives) -> Problems:
    """A directive appears twice in Authorization, or the request has two Authorization fields.

    Some servers use the first one, some the last. What was signed and what is used may then differ.

    Make the terminal write each directive once, or find the proxy that adds a second Authorization.
    """
    count = sum(1 for _ in exchange.request.headers.all("Authorization"))
    if count > 1:
        yield Problem(AUTHORIZATION, "one Authorization", str(count))
    yield from _repeated(AUTHORIZATION, credentials)


@REPEATING.warning(ONCE(says=ONCE.says, sure=Sure.DERIVED), covers=["HTTP-16"], takes=information, fast_pass=is_proved)
def authentication_info_repeats(_: Exchange, info: Directives) -> Problems:
    """A directive appears twice in Authentication-Info.

    Some terminals use the first one, some the last.

    Look for a proxy that adds a second Authentication-Info to the BSM's.
    """
    return _repeated(AUTHENTICATION_INFO, info)


@QUOTING.warning(
    COUNT_FORM,
    level_reason="the value is the same, and the digest covers the text as written",
    needs=[MSK_PROCEDURE],
)
def nonce_count_upper_case(exchange: Exchange) -> Problems:
    """A nonce count has upper-case hex digits.

    The count enters the digest as written. A recipient that formats it again from its number computes another digest,
    from the tenth request with a nonce on.

    Write nc in lower case. Authentication-Info repeats the request's nc; if that one is in upper case, only the request
    is reported.
    """
    credentials, info = exchange.credentials, exchange.authentication_info
    if credentials is None and info is None:
        yield NotApplicable("there is no nonce count")
        return
    sent = None if credentials is None else credentials.first.get("nc")
    returned = None if info is None else info.first.get("nc")
    for path, count in ((AUTHORIZATION, sent), (AUTHENTICATION_INFO, None if returned == sent else returned)):
        if count and count != count.lower() and COUNT.fullmatch(count):
            yield Problem(f"{path}.nc", "hex digits in lower case", count)


def _rewritten(directives: Directives, name: str, quoted: bool) -> Directives:
    """Return the directives with that one in quotation marks or without; FaultError where it is not there."""
    value = directives.get(name)
    if value is None:
        raise FaultError(f"there is no {name}")
    return directives.put(name, value, quoted=quoted)


def _doubled(directives: Directives, name: str) -> Directives:
    """Return the directives with that one twice; FaultError where it is not there."""
    again = [field for field in directives.fields if field.name.lower() == name.lower()]
    if not again:
        raise FaultError(f"there is no {name}")
    return replace(directives, fields=(*directives.fields, again[0]))


def _challenge_with(exchange: Exchange, directives: Directives) -> Exchange:
    return put_challenge(exchange, f"Digest {directives}")


@fault(on=Exchange, reference="challenged", trips={"challenge-misquoted"})
def quote_challenge_directive(exchange: Exchange, *, name: str = "algorithm") -> Exchange:
    """Quote a directive of the challenge."""
    return _challenge_with(exchange, _rewritten(first_challenge(exchange), name, True))


@fault(on=Exchange, reference="challenged", trips={"challenge-misquoted"})
def unquote_challenge_directive(exchange: Exchange, *, name: str = "qop") -> Exchange:
    """Remove the quotation marks from a directive of the challenge."""
    return _challenge_with(exchange, _rewritten(first_challenge(exchange), name, False))


@fault(on=Exchange, reference="challenged", trips={"challenge-repeats"})
def repeat_challenge_directive(exchange: Exchange, *, name: str = "realm") -> Exchange:
    """Repeat a directive of the challenge."""
    return _challenge_with(exchange, _doubled(first_challenge(exchange), name))


@fault(on=Exchange, reference="download", trips={"authorization-misquoted"})
def quote_authorization_directive(exchange: Exchange, *, name: str = "qop") -> Exchange:
    """Quote a directive of the recorded credentials."""
    return prove(exchange, _rewritten(proof_of(exchange), name, True))


@fault(on=Exchange, reference="download", trips={"authorization-misquoted"})
def unquote_authorization_directive(exchange: Exchange, *, name: str = "username") -> Exchange:
    """Remove the quotation marks from a directive of the recorded credentials."""
    return prove(exchange, _rewritten(proof_of(exchange), name, False))


@fault(on=Exchange, reference="download", trips={"authorization-repeats"})
def repeat_authorization_directive(exchange: Exchange, *, name: str = "username") -> Exchange:
    """Repeat a directive of the recorded credentials."""
    return prove(exchange, _doubled(proof_of(exchange), name))


@fault(on=Exchange, reference="download", trips={"authentication-info-misquoted"})
def quote_directive(exchange: Exchange, *, name: str = "qop") -> Exchange:
    """Quote a directive of Authentication-Info."""
    info = info_of(exchange)
    return inform(exchange, info.put(name, info.get(name) or "", quoted=True))


@fault(on=Exchange, reference="download", trips={"authentication-info-repeats"})
def repeat_directive(exchange: Exchange) -> Exchange:
    """Repeat the first directive of Authentication-Info."""
    info = info_of(exchange)
    return inform(exchange, replace(info, fields=info.fields + info.fields[:1]))


@fault(on=Exchange, reference="download", trips={"nonce-count-upper-case"})
def uppercase_nonce_count(exchange: Exchange, *, to: str = "0000000A") -> Exchange:
    """Write the nonce count of the recorded credentials in upper case, also where Authentication-Info repeats it."""
    changed = prove(exchange, proof_of(exchange).put("nc", to))
    return (
        changed
        if changed.authentication_info is None
        else inform(changed, changed.authentication_info.refilled({"nc": to}))
    )
