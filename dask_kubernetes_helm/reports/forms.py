"""Where a text has secrets, as far as names and forms in it tell.

Belongs here: names that tell, forms that tell, and where in a text such a value ends. Never here: what becomes of it
(redaction.py).

A value ends where the notation that it stands in says, and where that is not known rather too late than too early: what
is masked beyond a secret is a piece of a line, what is not masked of it is the secret.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote

MASK = "(left out)"
#: Characters from which on a value found by its form is a secret that may be looked for elsewhere.
_LOOKED_FOR_FROM = 8
#: Letters from which on they are no word of a language.
_NO_WORD_FROM = 16
#: Characters that a name has at most.
_NAME = 64

_ENVIRONMENT = re.compile(r"TOKEN|PASSW|PASSPHRASE|SECRET|KEY|CREDENTIAL")
_UPPER, _WORD = re.compile(r"[A-Z][A-Z0-9_]*"), re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+")
_KEY_OF = {"api", "access", "private", "secret", "signing", "encryption", "account", "storage", "shared", "ssh"}
_SECRET_WORD = re.compile(
    r"tokens?|passwords?|passwd|passphrase|secrets?|credentials?|authorization|apitoken"
    r"|(?:api|access|secret|private|account|storage|shared)key"
)
#: Last words of names that tell where a secret is, or of what kind.
_REFERS = {"name", "names", "ref", "refs", "path", "file", "files", "seconds", "type", "dir", "namespace", "class"}
_REFERENCES = {"existingsecret", "pullsecrets", "imagepullsecrets", "secretkeyref"}

_KEYS = rf"(?:{'|'.join(sorted(_KEY_OF))})[_-]?key"
_TELLING = (
    rf"token|passw(?:or)?d|passphrase|secret|credentials?|{_KEYS}|client-key-data|authorization|SharedAccessSignature"
)
_SIGN = r"s?(?P<closed>\\*[\"'])?[ \t]*(?P<sign>[:=]+>?)[ \t]*"
# Their first letters in front make it several times as fast.
_SAID = re.compile(rf"(?=[acepst])(?:{_TELLING}){_SIGN}", re.IGNORECASE | re.ASCII)
_SAID_LOUD = re.compile(rf"\b[A-Z0-9_]{{0,{_NAME}}}(?:{_ENVIRONMENT.pattern})[A-Z0-9_]{{0,{_NAME}}}{_SIGN}")
_BEFORE = re.compile(r"[\w.-]*\Z")
#: What stands before a name at the beginning of a line of YAML.
_BEGINNING = re.compile(r"[ \t]*(?:- +)*\\*[\"']?")
_OPENED = re.compile(r"(?P<escapes>\\*)(?P<quote>[\"'])")
#: What has been masked stays one value.
_MASKED = rf"(?:{re.escape(MASK)})?"
_IN_QUOTES = {
    '"': re.compile(r'(?:[^"\\]|\\.)*(?=")', re.DOTALL),
    # YAML doubles it. What Python writes may be in JSON, which doubles the backslash before it.
    "'": re.compile(r"(?:[^'\\]|''|\\+'|\\+(?=[^'\\]))*(?=')"),
}
_SCALAR, _PARAMETER = re.compile(rf"{_MASKED}[^\s,}}\]]*"), re.compile(rf"{_MASKED}[^\s&#\"']*")
_WORD_VALUE, _REST = re.compile(rf"{_MASKED}\S*"), re.compile(r"[^\r\n]+")
_BLOCK = re.compile(r"(?:[|>][-+\d]*)?[ \t]*(?:#[^\n]*)?(?=\r?\n)")
_OF_A_MAPPING = re.compile(r"\s*(?:- +)*[\"']?[\w./-]+[\"']?:(?:\s|$)")

#: Forms that need no name; what is to be masked is called `value`.
_FORMS = [
    # A private key, whole or cut off; in JSON its lines end otherwise.
    re.compile(r"(?P<value>-----BEGIN ([A-Z ]*)PRIVATE KEY-----.*?(?:-----END \2PRIVATE KEY-----|\Z))", re.DOTALL),
    re.compile(r"\b(?:bearer|basic)\s+(?P<value>[\w.~+/-]{8,}=*)", re.IGNORECASE),
    re.compile(r"(?P<value>\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)"),
    re.compile(r"(?P<value>\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bgh[pousr]_\w{20,})"),
    # User and password of a URL, up to its last "@", as people forget to quote those of passwords. What has no ":" is
    # but a name or a token, and ends before the path.
    re.compile(r"(?<=\w)://(?P<value>[^\s/:@\"']*:[^\s/@\"']*@[^\s\"']*|[^\s/:\"']+)(?=@)", re.IGNORECASE),
    # A "/" in the password. A number before it is a port, but for what is hardly ever followed by an "@".
    re.compile(r"(?<=\w)://(?!\[)(?P<value>[^\s/:@\"']*:(?!\d{1,5}(?:[/?#,;)]|\Z))[^\s\"']+)(?=@)", re.IGNORECASE),
    re.compile(
        r"\b(?:postgres|mysql|mariadb|mssql|oracle|redis|amqp|mongodb|sftp|ftp|smtp|ldap)[\w+.-]{0,40}://"
        r"(?P<value>[^\s/:@\"']*:[^\s\"']+)(?=@)",
        re.IGNORECASE,
    ),
    re.compile(
        rf"(?:[?&;]|\\u0026)(?:sig|(?:X-(?:Amz|Goog)-)?Signature)=(?P<value>{_PARAMETER.pattern})", re.IGNORECASE
    ),
    re.compile(
        rf"(?<![\w-])--?[\w-]*(?:{_TELLING})\s+(?!--\w)(?P<value>(?:{re.escape(MASK)}|[^\s\"'\\])[^\s\"']*)",
        re.IGNORECASE,
    ),
    re.compile(
        rf"(?<![\w-])--?[\w-]*(?:{_TELLING})\s+\\*(?P<quote>[\"'])(?P<value>(?:[^\\]|\\.)*?)\\*(?P=quote)",
        re.IGNORECASE | re.DOTALL,
    ),
]
#: One look that tells whether any of these can be in a text: most texts in a large scheduler's state have none.
_HINT = re.compile(
    rf"{_TELLING}|{_ENVIRONMENT.pattern}|-----BEGIN|bearer|basic|@|eyJ|AKIA|ASIA|gh[pousr]_|sig=|signature=",
    re.IGNORECASE,
)

#: What stands where a secret would, and is none.
_PLACEHOLDER = re.compile(
    r"\$.*|\{\{.*|<.*|%[({].*|\*+|[xX.]+|[\d.,:_+-]+|\w+://[^@]*|[\[{(].*|.*\(left out\).*", re.DOTALL
)
_ORDINARY = re.compile(
    "required|optional|disabled|enabled|undefined|redacted|passwords?|passphrase|changeme|nonetype|anonymous|external"
    "|internal|generated|unchanged|incorrect|credentials|authorization",
    re.IGNORECASE,
)
_OF_A_LANGUAGE = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|(?=[A-Za-z]*[._])[A-Za-z_]+(?:\.[A-Za-z_]+)*(?:\(.*)?", re.DOTALL)
_SCHEME = re.compile(r"(?:token|bearer|basic|apikey|negotiate)\s+", re.IGNORECASE)
_PART = re.compile(r"[^\s;&|,\"'()<>\\]+")


class Place(NamedTuple):
    """Where a text has a secret.

    Attributes
    ----------
    begin, end : int
        From where to where.
    sure : bool
        That it is no word of a sentence and no name in a program, if it looks like one.
    """

    begin: int
    end: int
    sure: bool


@functools.lru_cache(maxsize=10_000)
def tells(name: str, *, variable: bool = False) -> bool:
    """Whether something of this name is a secret.

    Parameters
    ----------
    name : str
        A key, or a variable's name.
    variable : bool
        It is an environment variable's.

    Examples
    --------
    >>> tells("adminPassword"), tells("AWS_ACCESS_KEY_ID"), tells("secretName"), tells("topologyKey")
    (True, True, False, False)
    """
    if variable or _UPPER.fullmatch(name):
        return bool(_ENVIRONMENT.search(name.upper()))
    words = [word.lower() for word in _WORD.findall(name)]
    if not words or words[-1] in _REFERS or "".join(words) in _REFERENCES:
        return False
    pairs = itertools.pairwise(words)
    return any(map(_SECRET_WORD.fullmatch, words)) or any(
        first in _KEY_OF and second in ("key", "keys") for first, second in pairs
    )


def is_option(text: str) -> bool:
    """Whether an argument is the name of an option whose value is a secret."""
    return bool(re.fullmatch(rf"--?[\w-]*(?:{_TELLING})", text, re.IGNORECASE))


def places(text: str) -> Iterator[Place]:
    """Where a text has what looks like a secret, in any order; places may overlap."""
    if not _HINT.search(text):
        return
    for pattern in _FORMS:
        for match in pattern.finditer(text):
            yield Place(*match.span("value"), sure=False)
    for match in itertools.chain(_SAID.finditer(text), _SAID_LOUD.finditer(text)):
        yield from _said(text, match, loud=match.re is _SAID_LOUD)


def values(text: str) -> Iterator[str]:
    """What of a text is worth looking for elsewhere: secrets, neither placeholders nor ordinary words."""
    for begin, end, sure in places(text):
        value = text[begin:end].strip()
        found = {value, unquote(value)}
        if "://" in text[max(0, begin - 3) : begin]:  # the name before the password is none
            _, colon, value = value.partition(":")
            found = {value, value.partition("@")[0], unquote(value)} if colon else found
        if scheme := _SCHEME.match(value):
            found.add(value[scheme.end() :])
        if "\\" in value:
            found |= _unescaped(value)
        if "\n" in value:
            found |= {line.strip() for line in value.splitlines()}
        found |= {part.group() for item in list(found) if (part := _PART.match(item))}
        yield from (item for item in found if _worth(item, sure=sure))


def _worth(value: str, *, sure: bool) -> bool:
    if len(value) < _LOOKED_FOR_FROM or _ORDINARY.fullmatch(value) or _PLACEHOLDER.fullmatch(value):
        return False
    # A log may have the lines of a program: "password=self.password,".
    return (
        sure or not _OF_A_LANGUAGE.fullmatch(value.rstrip(",;:.)")) or (value.isalpha() and len(value) >= _NO_WORD_FROM)
    )


def _unescaped(value: str) -> set[str]:
    """What a value within strings of JSON is, as far as it is one."""
    found = set()
    for _ in range(3):  # JSON within JSON within JSON
        try:
            value = str(json.loads(f'"{value}"'))
        except ValueError:
            break
        found.add(value)
    return found


def _said(text: str, match: re.Match[str], *, loud: bool) -> Iterator[Place]:
    """The value that a name stands before."""
    before = _BEFORE.search(text, max(0, match.start() - _NAME), match.start())
    begin = before.start() if before else match.start()
    name = text[begin : match.start("sign")].strip("\"'\\ \t").lower()
    if "".join(_WORD.findall(name)) in _REFERENCES:
        return
    indent = _BEGINNING.fullmatch(text, text.rfind("\n", 0, begin) + 1, begin)
    if opened := _OPENED.match(text, match.end()):
        yield _quoted(text, opened, shell=loud and match["sign"] == "=")
        return
    colon = ":" in match["sign"]
    if colon and text.startswith(("{", "["), match.end()):  # what is in there has names of its own
        return
    if colon and indent:
        yield from _block(text, match.end(), len(indent.group().rstrip("\"'\\")))
    end = _end(text, match, begin, name, to_the_end=loud or bool(indent), alone=bool(indent))
    if end > match.end() and not (colon and _BLOCK.match(text, match.end())):
        # Of tokens messages speak at the beginning of a line as well: "token: expected".
        yield Place(match.end(), end, sure=loud or bool(colon and indent and "token" not in name))


def _end(text: str, match: re.Match[str], begin: int, name: str, *, to_the_end: bool, alone: bool) -> int:
    """Where a value that is not quoted ends."""
    before = text[begin - 1] if begin else ""
    # A password after a colon and a blank is said to people, and may have blanks; a token is one word.
    told = "passw" in name or "passphrase" in name
    to_the_end = (
        to_the_end or "authorization" in name or (told and match["sign"] == ":" and text[match.end() - 1] != ":")
    )
    if before in ("?", "&"):
        pattern = _PARAMETER
    elif match["closed"] and not alone:
        pattern = _SCALAR
    else:
        pattern = _REST if to_the_end else _WORD_VALUE
    found = pattern.match(text, match.end())
    end = found.end() if found else match.end()
    # A quote before the name that is not closed after it is around all of it, as in -H "Authorization: token x".
    if before in ("'", '"') and not match["closed"]:
        closing = _closing(text, begin - 1).search(text, match.end(), end)
        end = closing.start() if closing else end
    return end


def _closing(text: str, opening: int) -> re.Pattern[str]:
    """What ends a text in quotes: the same quote behind as many backslashes; JSON within JSON has more of them."""
    before, quote = text[max(0, opening - _NAME) : opening], text[opening]
    escapes = len(before) - len(before.rstrip("\\"))
    return re.compile(rf"(?<!\\)(?:\\{{{2 * (escapes + 1)}}})*\\{{{escapes}}}{quote}(?!\w)")


def _quoted(text: str, opened: re.Match[str], *, shell: bool) -> Place:
    """A value in quotes, without them; one that is cut off goes to its line's end."""
    begin, quote = opened.end(), opened["quote"]
    if opened["escapes"]:
        closing = _closing(text, begin - 1).search(text, begin)
        end = closing.start() if closing else -1
    else:
        whole = _IN_QUOTES[quote].match(text, begin)
        end = whole.end() if whole else -1
    # A shell puts together what stands side by side: 'ab'\''cd'.
    if end < 0 or (shell and re.compile(r"[\"'][\w\\\"'$]").match(text, end)):
        rest = _REST.match(text, begin)
        end = rest.end() if rest else begin
    return Place(begin, end, sure=True)


def _block(text: str, begin: int, indent: int) -> Iterator[Place]:
    """The lines below a key of YAML that are its value."""
    header = _BLOCK.match(text, begin)
    line = text.find("\n", begin) + 1
    if not line:
        return
    literal, empty = header is not None and header.group()[:1] in ("|", ">"), header is not None
    first = last = 0
    while line < len(text):
        end = text.find("\n", line)
        end = len(text) if end < 0 else end
        said = text[line:end].lstrip(" \t")
        deep = end - line - len(said)
        if said.strip():
            if deep < indent or (deep == indent and not (empty and said.startswith("- "))):
                break
            if not first and not literal and _OF_A_MAPPING.match(said):
                return
            first, last = first or line + deep, end
        line = end + 1
    if last:
        yield Place(first, last, sure=True)
