"""What sendmail.cf and submit.cf say, as far as mail's way through our milters depends on it.

The format is that of the Sendmail Installation and Operation Guide (op.me), section 5: a line is a command
of one letter with its arguments, and a line that begins with white space goes on with the one before.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from woomera_milter.config.names import is_loopback, socket_host
from woomera_milter.errors import PermanentError, Reason

# op.me, "X - Mail Filter (Milter) Definitions": the timeouts of a filter that names none.
DEFAULT_TIMEOUTS = {
    "C": timedelta(minutes=5),
    "S": timedelta(seconds=10),
    "R": timedelta(seconds=10),
    "E": timedelta(minutes=5),
}
DEFAULT_QUEUE_RETURN = timedelta(days=5)

_UNITS = {
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
}
_PORTS = {"smtp": 25, "submission": 587, "msa": 587, "smtps": 465}
_SMART_HOST = re.compile(r"(?:([\w-]+):)?\[?(?:IPv6:)?([^\[\]]+)\]?")


@dataclass(frozen=True, slots=True)
class Filter:
    """An X line. `flag` is T, 4, R, or "" where mail passes a filter that is down; `timeouts` by letter."""

    name: str
    socket: str
    flag: str
    timeouts: Mapping[str, timedelta]

    def listens_at(self, socket: str) -> bool:
        """Tell whether it is the filter at this socket of config.yaml."""
        return _normal(self.socket) == _normal(socket)


@dataclass(frozen=True, slots=True)
class MailerLine:
    """An M line. `port` is that of a mailer that speaks SMTP; `max_recipients` None: as many as there are."""

    port: int
    max_recipients: int | None
    flags: str


@dataclass(frozen=True, slots=True)
class Daemon:
    """Where sendmail listens; `filters` None: those of InputMailFilters."""

    port: int
    filters: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class SmartHost:
    """Where mail for the outside goes."""

    mailer: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Map:
    """A K line of a map in a file; `path` lacks what its kind (hash, btree) puts behind it."""

    kind: str
    path: Path


@dataclass(frozen=True, slots=True)
class SendmailCf:
    """A .cf file. `options` are by name in lower case, each with all of its values; `macros` by name."""

    path: Path
    options: Mapping[str, tuple[str, ...]]
    macros: Mapping[str, str]
    defined_filters: Mapping[str, Filter]
    mailers: Mapping[str, MailerLine]
    maps: Mapping[str, Map]

    def option(self, name: str, default: str = "") -> str:
        """Return the last value of an option, which is the one that holds."""
        return self.options.get(name.lower(), (default,))[-1]

    @property
    def filters(self) -> list[Filter]:
        """The filters that see mail, in their order: those of InputMailFilters alone."""
        return [self.defined_filters[it] for it in self._filter_names if it in self.defined_filters]

    @property
    def _filter_names(self) -> tuple[str, ...]:
        return _names(self.option("InputMailFilters"))

    @property
    def daemons(self) -> list[Daemon]:
        """Where it listens (op.me, DaemonPortOptions)."""
        return [_daemon(it) for it in self.options.get("daemonportoptions", ("",))]

    @property
    def smart_host(self) -> SmartHost | None:
        """The relay; None where mail goes to the recipients' own servers."""
        return self._leads_to(self.macros.get("S", ""))

    @property
    def submission_host(self) -> SmartHost | None:
        """Of a submit.cf: the server to which the `sendmail` command hands mail."""
        return self._leads_to(self.macros.get("{MTAHost}", ""))

    def _leads_to(self, value: str) -> SmartHost | None:
        if not (found := _SMART_HOST.fullmatch(value)):
            return None
        mailer = found[1] or "relay"
        return SmartHost(mailer, found[2], self.mailers[mailer].port if mailer in self.mailers else 25)

    @property
    def max_message_bytes(self) -> int | None:
        """The largest message that it takes; None where it takes any."""
        text = self.option("MaxMessageSize", "0")
        return int(text) or None if text.isdigit() else None

    @property
    def queue_return(self) -> timedelta:
        """The longest time for which mail may wait in the queue before it is returned to its sender."""
        names = [it for it in self.options if re.fullmatch(r"timeout\.queuereturn(\.\S+)?", it)]
        return max((parse_time(self.option(it), "d") for it in names), default=DEFAULT_QUEUE_RETURN)


def load(path: Path) -> SendmailCf:
    """Read a .cf file; raise PermanentError where that cannot be done."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise PermanentError(
            f"{path} cannot be read ({error.strerror})",
            remedy="install sendmail, or name the file that it runs with by --sendmail-cf",
            reason=Reason.SENDMAIL,
        ) from error
    return parse(text, path)


def parse(text: str, path: Path) -> SendmailCf:
    """Return what a .cf file says; what it says of other matters is passed over."""
    options: dict[str, tuple[str, ...]] = {}
    macros: dict[str, str] = {}
    filters: dict[str, Filter] = {}
    mailers: dict[str, MailerLine] = {}
    maps: dict[str, Map] = {}
    for line in re.sub(r"\n[ \t]+", " ", text).splitlines():
        command, rest = line[:1], line[1:].strip()
        match command:
            case "O":
                name, _, value = rest.partition("=")
                key = name.strip().lower()
                options[key] = (*options.get(key, ()), value.strip())
            case "D" if found := re.match(r"(\{\w+\}|.)(.*)", rest):
                macros[found[1]] = found[2].strip()
            case "K" if (words := rest.split())[2:] and words[-1].startswith("/"):
                maps[words[0]] = Map(words[1], Path(words[-1]))
            case "X":
                name, fields = _fields(rest)
                filters[name] = _filter(name, fields)
            case "M":
                name, fields = _fields(rest)
                mailers[name] = _mailer(fields)
    return SendmailCf(path, options, macros, filters, mailers, maps)


def parse_time(text: str, unit: str) -> timedelta:
    """Return a time as sendmail writes it: 5d, 1h30m; a number alone counts in `unit`."""
    found = re.findall(r"(\d+)([wdhms]?)", text)
    return sum((int(number) * _UNITS[letter or unit] for number, letter in found), timedelta())


def _fields(definition: str) -> tuple[str, dict[str, str]]:
    """Take `name, K=value, K=value` apart; the keys of one letter are all that sendmail looks at."""
    name, *pairs = (it.strip() for it in definition.split(","))
    split = (it.partition("=") for it in pairs if "=" in it)
    return name, {key.strip(): value.strip() for key, _, value in split}


def _filter(name: str, fields: Mapping[str, str]) -> Filter:
    timeouts = dict(DEFAULT_TIMEOUTS)
    for letter, value in re.findall(r"([CSRE]):(\w+)", fields.get("T", "")):
        timeouts[letter] = parse_time(value, "s")
    return Filter(name, fields.get("S", ""), fields.get("F", ""), timeouts)


def _mailer(fields: Mapping[str, str]) -> MailerLine:
    port = re.match(r"(?:TCP|IPC)\s+\S+\s+(\S+)", fields.get("A", ""))
    most = fields.get("r", "")
    max_recipients = int(most) if most.isdigit() else None
    return MailerLine(_port(port[1]) if port else 25, max_recipients, fields.get("F", ""))


def _daemon(options: str) -> Daemon:
    # sendmail looks at the first letter of a key alone, whatever its case.
    pairs = (it.partition("=") for it in options.split(",") if "=" in it)
    fields = {key.strip()[:1].upper(): value.strip() for key, _, value in pairs}
    filters = _names(fields["I"]) if "I" in fields else None
    return Daemon(_port(fields.get("P", "smtp")), filters)


def _port(text: str) -> int:
    return int(text) if text.isdigit() else _PORTS.get(text.lower(), 25)


def _names(text: str) -> tuple[str, ...]:
    return tuple(it for it in re.split(r"[,;\s]+", text) if it)


def _normal(socket: str) -> str:
    """The same text for all ways to write one address."""
    kind, _, place = socket.partition(":")
    if kind == "local":
        return f"unix:{place}"
    host = socket_host(socket)
    return f"{kind}:{place.partition('@')[0]}@loopback" if host and is_loopback(host) else socket
