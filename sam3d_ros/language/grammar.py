# SPDX-License-Identifier: Apache-2.0
"""Noun phrases to what they ask for: words about the thing, and how it stands to other things.

    phrase   = noun-phrase [point of view]
    noun-phrase = {word | superlative} [noun] {post}
    word     = [not] (colour | size | shape) {and (colour | size | shape)}
    post     = place | relation noun-phrase | between noun-phrase and noun-phrase | [and] post

A relation's own noun phrase takes all that follows: in "the cup on the box left of the can" the
box is left of the can. Articles, fillers and commas are skipped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from sam3d_ros.core.errors import PromptError
from sam3d_ros.language.kinds import KINDS
from sam3d_ros.language.lexicon import ANYTHING, LONGEST, TABLE, Entry, Role, vocabulary
from sam3d_ros.language.sentences import nearest_kind

MOST_WORDS = 40
WORDS = (Role.COLOR, Role.SIZE, Role.SHAPE)
VIEWED = frozenset({'left of', 'right of', 'behind', 'in front of'})
"""Relations that depend on who looks."""
VIEWED_EXTREMES = frozenset({'leftmost', 'rightmost', 'nearest', 'farthest'})


class UnknownWordsError(PromptError):
    """A phrase with words that stand for nothing here.

    :param words: these words.
    :param phrase: all of it.
    """

    def __init__(self, words: tuple[str, ...], phrase: str) -> None:
        listed = ', '.join(f'"{word}"' for word in words)
        super().__init__(
            f'"{phrase}" has words that cannot be grounded: {listed}',
            wanted=f'English of {vocabulary()}',
            remedy='Leave them out or say it by colour, size, shape or place.',
        )
        self.words = words


@dataclass(frozen=True, slots=True)
class Word:
    """Something that is said about a thing itself."""

    role: Role
    meaning: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Related:
    """A thing stands so to others: one, or two where it is between them."""

    relation: str
    others: tuple[Query, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """What a noun phrase asks for.

    :param noun: what it is called, ``thing`` = not said, ``table`` = what things stand on.
    :param kinds: the kinds that the noun means.
    :param words: all of them must hold.
    :param extremes: superlatives, applied in order to what all else leaves.
    :param related: how it stands to other things, all of them must hold.
    :param frame: who says what is left: ``camera`` or ``fixed``; for the whole phrase.
    """

    noun: str = ANYTHING
    kinds: tuple[str, ...] = KINDS
    words: tuple[Word, ...] = ()
    extremes: tuple[str, ...] = ()
    related: tuple[Related, ...] = ()
    frame: str = field(default='camera', compare=False)

    @property
    def needs_view(self) -> bool:
        """Whether it depends on who looks."""
        return (
            bool(VIEWED_EXTREMES & set(self.extremes))
            or any(item.relation in VIEWED for item in self.related)
            or any(other.needs_view for item in self.related for other in item.others)
        )


def parse(phrase: str, labels: frozenset[str] = frozenset()) -> Query:
    """Return what a phrase asks for.

    :param phrase: an English noun phrase; a request around it ("bring me ...") is skipped.
    :param labels: names that other models gave to things, which are understood as well.
    :raises UnknownWordsError: when a word stands for nothing.
    :raises PromptError: when it is empty, too long, names two things or cannot be parsed.
    """
    tokens = re.findall(r"[^\W_]+(?:[-'][^\W_]+)*|,", phrase.lower().replace('\u2019', "'"))
    if not tokens:
        raise PromptError(f'an empty phrase "{phrase.strip()}"', wanted='a noun phrase')
    if len(tokens) > MOST_WORDS:
        raise PromptError(
            f'a phrase of {len(tokens)} words',
            wanted=f'at most {MOST_WORDS}',
            remedy='Ask for one thing, as in "the red cup left of the box".',
        )
    parser = _Parser(_entries(tokens, phrase, labels), phrase)
    return parser.whole()


def _entries(tokens: list[str], phrase: str, labels: frozenset[str]) -> list[Entry]:
    """Return the entries of the words, the longest that fit, without fillers."""
    named = {tuple(label.lower().split()): label for label in labels}
    # What is far left is left, and what is far away is away.
    tokens = [token for token in tokens if token not in {'the', 'a', 'an', 'far'}]
    entries: list[Entry] = []
    unknown: list[str] = []
    run: list[str] = []
    at = 0
    while at < len(tokens):
        for length in range(min(LONGEST, len(tokens) - at), 0, -1):
            words = tuple(tokens[at : at + length])
            entry = TABLE.get(words)
            if words in named and (entry is None or entry.role != Role.NOUN):
                entry = Entry(Role.NOUN, named[words], (named[words],))
            if entry is not None:
                break
        else:
            run.append(tokens[at])
            length = 1
        at += length
        if run and (entry is not None or at == len(tokens)):
            kind = nearest_kind(' '.join(run))
            if kind is None:
                unknown += run
            else:
                entries.append(Entry(Role.NOUN, f'{" ".join(run)}, as a {kind}', (kind,)))
            run = []
        if entry is not None:
            entries.append(entry)
    if unknown:
        raise UnknownWordsError(tuple(dict.fromkeys(unknown)), phrase.strip())
    kept = [entry for entry in entries if entry.role != Role.FILLER]
    if not kept:
        raise PromptError(f'"{phrase.strip()}" names nothing', wanted='a noun phrase')
    return _disambiguated(kept)


def _disambiguated(entries: list[Entry]) -> list[Entry]:
    """Return entries with words of two meanings decided by what follows them."""
    orange = Entry(Role.NOUN, 'fruit', ('fruit',))
    ends = [*entries[1:], Entry(Role.RELATION, '')]
    starts = [Entry(Role.FILLER, ''), *entries]
    fixed = []
    for before, entry, after in zip(starts, entries, ends, strict=False):
        ends_phrase = after.role in (Role.RELATION, Role.PLACE, Role.FRAME)
        if entry.meaning == 'orange' and ends_phrase and before.role != Role.AND:
            entry = orange
        if entry.meaning == 'nearest' and entry.role == Role.EXTREME and before.role == Role.NOUN:
            entry = Entry(Role.RELATION, 'nearest to')
        fixed.append(entry)
    return fixed


class _Parser:
    """Recursive descent over the entries of one phrase."""

    def __init__(self, entries: list[Entry], phrase: str) -> None:
        self._entries, self._phrase, self._at = entries, phrase.strip(), 0

    def whole(self) -> Query:
        frames = [entry.meaning for entry in self._entries if entry.role == Role.FRAME]
        self._entries = [entry for entry in self._entries if entry.role != Role.FRAME]
        while self._entries and self._entries[-1].role == Role.AND:
            self._entries.pop()
        query = self._noun_phrase()
        if self._role() == Role.AND or self._after_noun_starts_another():
            raise PromptError(
                f'"{self._phrase}" names two things',
                wanted='one noun phrase',
                remedy='Ask for each by itself; --text takes several, separated by commas.',
            )
        if self._at < len(self._entries):
            left = self._entries[self._at]
            raise PromptError(
                f'"{self._phrase}" is not understood from "{left.meaning}" on',
                wanted='words, a noun, then a relation, as in "the small red box behind the cup"',
            )
        return replace(query, frame=frames[0]) if frames else query

    def _role(self, ahead: int = 0) -> Role | None:
        at = self._at + ahead
        return self._entries[at].role if at < len(self._entries) else None

    def _take(self) -> Entry:
        self._at += 1
        return self._entries[self._at - 1]

    def _noun_phrase(self) -> Query:
        start = self._at
        words: list[Word] = []
        extremes: list[str] = []
        noun = ANYTHING
        kinds: tuple[str, ...] = KINDS
        has_noun = False
        while (role := self._role()) is not None:
            if role == Role.NOT and self._role(1) in WORDS:
                self._take()
                entry = self._take()
                words.append(Word(entry.role, entry.meaning, negated=True))
            elif role in WORDS and not (has_noun and self._after_noun_starts_another()):
                entry = self._take()
                words.append(Word(entry.role, entry.meaning))
            elif role == Role.EXTREME and not has_noun:
                extremes.append(self._take().meaning)
            elif role == Role.AND and words and self._role(1) in (*WORDS, Role.NOT):
                self._take()
            elif role == Role.NOUN and not has_noun:
                entry = self._take()
                noun, kinds, has_noun = entry.meaning, entry.kinds, True
            else:
                break
        if self._at == start:
            seen = f'"{self._entries[self._at].meaning}"' if self._role() else 'the end'
            raise PromptError(
                f'"{self._phrase}": {seen} where a thing should be named',
                wanted='a noun phrase, as in "left of the box"',
            )
        if noun == 'table':
            words, extremes = [], []
        related = self._related(extremes)
        return Query(noun, kinds, tuple(words), tuple(extremes), related)

    def _after_noun_starts_another(self) -> bool:
        """Whether a noun follows the words that come next: they are of another thing."""
        ahead = 0
        while self._role(ahead) in (*WORDS, Role.NOT, Role.AND):
            ahead += 1
        return self._role(ahead) == Role.NOUN

    def _related(self, extremes: list[str]) -> tuple[Related, ...]:
        related = []
        while True:
            if self._role() == Role.AND and self._role(1) in (Role.RELATION, Role.PLACE):
                self._take()
            if self._role() == Role.PLACE:
                extremes.append(self._take().meaning)
            elif self._role() == Role.RELATION:
                relation = self._take().meaning
                first = self._noun_phrase()
                if relation == 'between' and self._role() == Role.AND:
                    self._take()
                    related.append(Related(relation, (first, self._noun_phrase())))
                else:
                    related.append(Related(relation, (first,)))
            else:
                return tuple(related)


def describe(query: Query) -> str:
    """Return a query in words, as it was understood."""
    words = [('not ' if word.negated else '') + word.meaning for word in query.words]
    parts = [*query.extremes, *words, query.noun]
    for item in query.related:
        others = ' and '.join(f'the {describe(other)}' for other in item.others)
        parts.append(f'{item.relation} {others}')
    return ' '.join(parts)
