"""The kinds of variables that the environment may hold: how the text of each becomes a value."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from limits import parse

from gateway.jwk_set import KeySetError, is_url, load_keys

MIN_SECRET_BYTES = 16  # RFC 7518 asks for 32; secrets of running systems are often shorter.
TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off"})
LIKENESS = 0.9
PREFIX = "GATEWAY_"
FILE = "_FILE"
LOG_LEVELS = ("debug", "info", "warning", "error")

Reader = Callable[[str], Any]
Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of the environment.

    A `secret` one may stand in a file that a variable with `_FILE` at its end names. `read` turns
    the text into the setting's value, or raises ValueError with what was expected.
    An unset or empty variable gives `default`.
    """

    name: str
    read: Reader
    default: Any
    purpose: str
    secret: bool


def setting(
    name: str, read: Reader, purpose: str, *, default: Any = None, secret: bool = False
) -> Any:
    """Return the field of a setting that this variable sets."""
    variable = Variable(name, read, default, purpose, secret)
    return field(default=default, repr=not secret, metadata={"variable": variable})


def url(*schemes: str, word: str | None = None) -> Reader:
    """Return the reader of a URL with one of these schemes; `word` may stand instead of one."""
    choices = [f"{scheme}://..." for scheme in schemes] + ([word] if word else [])

    def read(text: str) -> str:
        if text == word:
            return text
        try:
            first, *others = _each_host(text)
            has_target = first.port != 0 and bool(first.netloc or first.path.strip("/"))
            has_target = has_target and all(other.hostname and other.port != 0 for other in others)
        except ValueError:
            has_target = False
        if not has_target or first.scheme not in schemes:
            raise ValueError(" or ".join(choices))
        return text

    return read


def _each_host(text: str) -> list[SplitResult]:
    """Return the parts of a URL for each of the hosts that it names, separated by commas."""
    parts = urlsplit(text)
    account, at_sign, hosts = parts.netloc.rpartition("@")
    return [parts._replace(netloc=account + at_sign + host) for host in hosts.split(",")]


def urls(*schemes: str) -> Reader:
    """Return the reader of URLs with one of these schemes, separated by commas."""
    read_one = url(*schemes)
    return lambda text: tuple(read_one(part.strip()) for part in text.split(","))


def number_between(least: int, most: int) -> Reader:
    """Return the reader of a whole number within bounds."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit()) or not least <= int(text) <= most:
            raise ValueError(f"a whole number from {least} to {most}")
        return int(text)

    return read


def yes_or_no(text: str) -> bool:
    """Read a truth value."""
    if text.lower() in TRUE_WORDS:
        return True
    if text.lower() in FALSE_WORDS:
        return False
    raise ValueError("true or false")


def log_level(text: str) -> str:
    """Read the name of a log level."""
    if text.lower() not in LOG_LEVELS:
        raise ValueError(" or ".join(LOG_LEVELS))
    return text.lower()


def secret(text: str) -> str:
    """Read a secret of enough bytes."""
    if len(text.encode()) < MIN_SECRET_BYTES:
        raise ValueError(f"at least {MIN_SECRET_BYTES} bytes")
    return text


def rate(text: str) -> str:
    """Read a rate, as "600/minute"."""
    try:
        parse(text)
    except ValueError as error:
        raise ValueError("a rate such as 600/minute or 20/second") from error
    return text


def key_set(text: str) -> str:
    """Read the URL or the file of a JWK set; a file must hold keys already."""
    if is_url(text):
        return text  # The server that publishes the keys may start later.
    try:
        load_keys(text)
    except KeySetError as error:
        raise ValueError(f"the URL or the file of a JWK set; {error}") from error
    return text


def names(text: str) -> tuple[str, ...]:
    """Read names separated by commas."""
    found = tuple(name.strip() for name in text.split(","))
    if not all(found):
        raise ValueError("names separated by commas")
    return found


def networks(text: str) -> tuple[Network, ...]:
    """Read IP networks separated by commas."""
    try:
        return tuple(ip_network(name.strip()) for name in text.split(","))
    except ValueError as error:
        raise ValueError("IP networks separated by commas, as 10.0.0.0/8") from error


def directory(text: str) -> Path:
    """Read the absolute path of a directory, which may be missing."""
    path = Path(text)
    if not path.is_absolute() or (path.exists() and not path.is_dir()):
        raise ValueError("the absolute path of a directory, which may be missing")
    return path


def misspelt(environ: Mapping[str, str], variables: Iterable[Variable]) -> list[str]:
    """Return the names in an environment that look like one of the variables, misspelt.

    Others with the same prefix are ignored: Kubernetes sets GATEWAY_PORT and more for a service
    that is named "gateway".
    """
    known = list(variables)
    ours = {variable.name for variable in known}
    ours |= {variable.name + FILE for variable in known if variable.secret}
    foreign = sorted(name for name in environ if name.startswith(PREFIX) and name not in ours)
    return [name for name in foreign if get_close_matches(name, ours, cutoff=LIKENESS)]


def text_of(variable: Variable, environ: Mapping[str, str]) -> str:
    """Return what the environment says, or the file that it names.

    Raises: OSError; ValueError, if it does both.
    """
    text = environ.get(variable.name, "").strip()
    path = environ.get(variable.name + FILE, "").strip() if variable.secret else ""
    if not path:
        return text
    if text:
        raise ValueError(f"either it or {variable.name}{FILE}")
    return Path(path).read_text(errors="replace").strip()


def read_values(
    variables: Mapping[str, Variable], environ: Mapping[str, str], problems: list[str]
) -> dict[str, Any]:
    """Return the values that an environment sets, by setting; what is wrong is added to `problems`.

    The value of a secret is never among them.
    """
    values = {}
    for name, variable in variables.items():
        text = ""
        try:
            text = text_of(variable, environ)
            if text:
                values[name] = variable.read(text)
        except OSError as error:
            problems.append(f"{variable.name}{FILE} cannot be read: {error}")
        except ValueError as error:
            shown = "(not shown)" if variable.secret else repr(text)
            problems.append(f"{variable.name} is {shown}, expected {error}")
    return values
