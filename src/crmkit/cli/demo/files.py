"""The four files of the demo as they are, and the faults found while they are read. Nothing is mended on the way in."""

import csv
import difflib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Generic, TypeVar

import attrs

__all__ = ["COUNTRIES", "SECTORS", "Fault", "Matcher", "blanks", "rows_of", "strange_words"]

T = TypeVar("T")

Row = Mapping[str, str]

SECTORS = (
    "employment",
    "entertainment",
    "finance",
    "marketing",
    "medical",
    "retail",
    "services",
    "software",
    "technology",
    "telecommunications",
)
COUNTRIES = (
    "Belgium",
    "Brazil",
    "China",
    "Germany",
    "Italy",
    "Japan",
    "Jordan",
    "Kenya",
    "Korea",
    "Norway",
    "Panama",
    "Philippines",
    "Poland",
    "Romania",
    "United States",
)
"""How the words of two columns are spelt, so that other spellings can be told; the data keeps its own."""


def rows_of(name: str) -> list[dict[str, str]]:
    """The rows of one of the package's files, such as ``accounts.csv``; an empty cell is an empty text."""
    text = files("crmkit.cli").joinpath("demo_data", name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@attrs.frozen
class Fault:
    """Something wrong in a file: where, in how many rows, and in words what was made of it."""

    file: str
    column: str
    value: str
    rows: int
    said: str

    def __str__(self) -> str:
        return self.said


def blanks(file: str, rows: Iterable[Row], column: str, said: str) -> Iterator[Fault]:
    """The fault that a column is empty, if it ever is; ``said`` is put behind the number of rows."""
    count = sum(1 for row in rows if not row[column])
    if count:
        yield Fault(file, column, "", count, f"{count:,} {said}")


def strange_words(file: str, rows: Sequence[Row], column: str, known: Iterable[str]) -> Iterator[Fault]:
    """A fault for each word of a column that is spelt like none of the known ones; the records keep it."""
    names = tuple(known)
    words = Counter(row[column] for row in rows if row[column] and row[column] not in names)
    for word, count in sorted(words.items()):
        close = difflib.get_close_matches(word, names, n=1)
        meant = f", which may mean {close[0]!r}" if close else ""
        said = f"{column} {word!r} in {count:,} of {len(rows)} rows of {file}{meant}; kept as it is"
        yield Fault(file, column, word, count, said)


@attrs.define
class Matcher(Generic[T]):
    """Finds what a name stands for: the exact one, else the closest; every name that is not exact is counted."""

    what: str
    source: str
    known: Mapping[str, T]
    inexact: Counter[str] = attrs.field(factory=Counter)
    _closest: dict[str, str | None] = attrs.field(factory=dict)

    def find(self, name: str) -> T | None:
        """What is meant by the name; None for no name, and for one that is like no other."""
        if not name:
            return None
        found = self.known.get(name)
        if found is not None:
            return found
        self.inexact[name] += 1
        close = self.closest(name)
        return None if close is None else self.known[close]

    def closest(self, name: str) -> str | None:
        """The known name that differs in spaces, signs and capitals only, else the most similar one."""
        if name not in self._closest:
            plain = [known for known in self.known if _letters(known) == _letters(name)]
            self._closest[name] = next(
                iter(plain or difflib.get_close_matches(name, self.known, n=1, cutoff=0.8)), None
            )
        return self._closest[name]

    def faults(self, file: str, things: str) -> Iterator[Fault]:
        """A fault for each name that was not exact."""
        for name, count in sorted(self.inexact.items()):
            close = self.closest(name)
            made = f"kept without a {self.what}" if close is None else f"matched to {close!r}"
            said = f"{count:,} {things} name the {self.what} {name!r}, which is not in {self.source}; {made}"
            yield Fault(file, self.what, name, count, said)


def _letters(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())
