"""Secrets taken out of what is given away.

Belongs here: masking plain data and texts, and what is known to be a secret. Never here: what looks like one
(forms.py), or where secrets are found out (collecting.py).

Two nets, one behind the other: values of names that tell (`password:`, `API_TOKEN=`) and of forms that tell (private
keys, tokens in URLs and headers) are masked wherever they are; and each value that was found to be a secret in one
place is masked in all others as well, a log's lines among them.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from dask_kubernetes_helm.reports import forms
from dask_kubernetes_helm.reports.forms import MASK, tells

#: Characters from which on a value is masked wherever it is: a shorter one is a part of too many words.
KNOWN_FROM = 6
#: Characters from which on a line of a longer secret is one of its own.
_LINE_FROM = 16
#: Characters up to which what a text comes to is remembered, and from which on it is taken piece by piece, so that
#: other threads get their turn.
_SHORT, _PIECE = 200, 1 << 16
#: Characters within which the end of what is indented is looked for, where a text is divided.
_INDENTED = 1 << 12
#: Secrets that are looked for because of their form alone: each costs a look at all texts, and a log may have a new one
#: in each line.
_BY_FORM = 200

#: Where a secret is: masked where it stands, but no secret that would have to be found elsewhere.
_FILE = re.compile(r"/(?:etc|var|run|home|opt|tmp|usr|mnt|root|dask)/[\w./-]*")


class Redactor:
    """Takes secrets out of texts and data.

    Parameters
    ----------
    harmless : iterable of str
        What is no secret, whatever it is the value of.

    Examples
    --------
    >>> redactor = Redactor()
    >>> redactor.learn_from({"env": [{"name": "DB_PASSWORD", "value": "tr0ub4dor"}]})
    >>> redactor.text("connects as tr0ub4dor")
    'connects as (left out)'
    """

    def __init__(self, harmless: Iterable[str] = ()) -> None:
        self._harmless, self._known = {*harmless, MASK}, set[str]()
        self._by_form = set[str]()
        #: What short texts come to, and those that were learned from: a large state says the same over and over.
        self._seen: dict[str, str] = {}
        self._read = set[str]()

    def learn(self, secret: str) -> None:
        """Mask this wherever it is, also as JSON, URLs and base64 have it."""
        secret = secret.strip()
        if len(secret) < KNOWN_FROM or secret in self._harmless or _FILE.fullmatch(secret):
            return
        written = {secret, *_escaped(secret)}
        written |= {
            line for line in map(str.strip, secret.splitlines()) if len(line) >= _LINE_FROM and "-----" not in line
        }
        for text in written:
            self._known |= {text, quote(text, safe="", errors="replace"), quote(text, errors="replace")}
        self._seen.clear()

    def learn_from(self, data: Any) -> None:
        """Learn what stands under names that tell, and what of texts has a form that tells."""
        self._walk(data, self.learn)

    def text(self, text: str) -> str:
        """A text without what is known, and without what looks like a secret."""
        if len(text) > _SHORT:
            return "".join(map(self._masked_text, _pieces(text)))
        if text not in self._seen:
            self._seen[text] = self._masked_text(text)
        return self._seen[text]

    def _masked_text(self, text: str) -> str:
        # Both nets on the text as it was: where one secret is a part of another, neither hides the other's end.
        found = [(begin, end) for begin, end, _ in forms.places(text) if end > begin]
        for known in self._known:
            begin = text.find(known)
            while begin >= 0:
                found.append((begin, begin + len(known)))
                begin = text.find(known, begin + 1)
        kept, done = [], 0
        for begin, end in sorted(found):
            if begin >= done:
                kept += [text[done:begin], MASK]
            done = max(done, end)
        return "".join([*kept, text[done:]])

    def _learn_by_form(self, text: str) -> None:
        if len(text) <= _SHORT:
            if text in self._read:
                return
            self._read.add(text)
        for piece in _pieces(text):
            for value in forms.values(piece):
                if value not in self._by_form and len(self._by_form) < _BY_FORM:
                    self._by_form.add(value)
                    self.learn(value)

    def data(self, data: Any) -> Any:
        """Plain data likewise; what stands under a name that tells is masked whatever it looks like."""
        return self._walk(data, None)

    def _walk(self, data: Any, found: Callable[[str], None] | None, *, variables: bool = False) -> Any:
        """Data with secrets masked; or, where `found` is given, each that a name gave away told to it."""
        if isinstance(data, Mapping):
            return self._mapping(data, found, variables=variables)
        if isinstance(data, (list, tuple, set, frozenset)):
            items = list(data)
            return [
                self._masked(item, found) if _follows_option(items, place) else self._walk(item, found)
                for place, item in enumerate(items)
            ]
        if isinstance(data, str) and found:
            self._learn_by_form(data)
        return self.text(data) if isinstance(data, str) and not found else data

    def _mapping(
        self, data: Mapping[Any, Any], found: Callable[[str], None] | None, *, variables: bool
    ) -> dict[str, Any]:
        name = str(data.get("name") or "")
        kept = {}
        for key, value in data.items():
            said = str(key)
            variable = said == "value" and bool(name)
            secret = tells(name, variable=True) if variable else tells(said, variable=variables)
            if secret and not isinstance(value, Mapping):
                inner = self._masked(value, found)
            else:
                inner = self._walk(value, found, variables=said == "env")
            kept[said if found else self.text(said)] = inner
        return kept

    def _masked(self, value: Any, found: Callable[[str], None] | None) -> Any:
        if isinstance(value, (list, tuple)):
            return [self._masked(item, found) if isinstance(item, str) else self._walk(item, found) for item in value]
        if value is None or isinstance(value, (bool, Mapping)) or value == "":
            return self._walk(value, found)
        if found:
            found(str(value))
            self._walk(value, found)  # a connection string has its password in it
        return MASK


def _follows_option(items: list[Any], place: int) -> bool:
    """Whether an argument is the value of an option before it that is a secret's."""
    before = items[place - 1] if place else None
    return isinstance(items[place], str) and isinstance(before, str) and forms.is_option(before)


def _escaped(text: str) -> Iterator[str]:
    """A text as it is written where it can't stand as it is."""
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield repr(text)[1:-1]
    yield base64.b64encode(text.encode(errors="surrogatepass")).decode()


def _pieces(text: str) -> Iterator[str]:
    """A long text in pieces of whole lines, in which no key of several lines and no block of YAML is divided."""
    begin = 0
    while begin < len(text):
        end = text.find("\n", begin + _PIECE) + 1 or len(text)
        opened = text.rfind("-----BEGIN", begin, end)
        closed = text.find("-----END", opened) if opened >= 0 else 0
        if closed >= end or closed < 0:  # one that is cut off has no end
            end = (text.find("\n", closed) + 1 if closed > 0 else 0) or len(text)
        end = _unindented(text, end)
        yield text[begin:end]
        begin = end


def _unindented(text: str, place: int) -> int:
    """Where the next line begins that stands at the left, as far as it is near."""
    far = place + _INDENTED
    while place < min(far, len(text)) and text[place] in " \t\r\n":
        place = text.find("\n", place) + 1 or len(text)
    return place
