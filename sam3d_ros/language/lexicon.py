# SPDX-License-Identifier: Apache-2.0
"""The words of phrases and what each stands for; entries of several words are looked up first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from sam3d_ros.language.kinds import KINDS, UNKNOWN

ANYTHING = 'thing'


class Role(Enum):
    """What part a word plays in a phrase."""

    NOUN = 'names'
    COLOR = 'colours'
    SIZE = 'sizes'
    SHAPE = 'shapes'
    EXTREME = 'superlatives'
    RELATION = 'relations'
    PLACE = 'places'
    FRAME = 'points of view'
    NOT = 'negations'
    AND = 'conjunctions'
    FILLER = 'fillers'


@dataclass(frozen=True, slots=True)
class Entry:
    """A word or a group of words: its role, and what it means (of a noun: the kinds)."""

    role: Role
    meaning: str
    kinds: tuple[str, ...] = ()


def _groups(text: str) -> dict[str, tuple[str, ...]]:
    """Return what a table says: in each row what is meant, a colon, and the words for it."""
    rows: dict[str, tuple[str, ...]] = {}
    for row in text.replace('\n  ', ' ').strip().splitlines():
        meaning, _, words = row.partition(':')
        rows[meaning.strip()] = tuple(word.strip() for word in words.split(','))
    return rows


COLORS = _groups("""
black: black
white: white
grey: grey, gray, silver, silvery, metallic
red: red, reddish, crimson, scarlet
orange: orange
yellow: yellow, yellowish, golden
green: green, greenish, olive
blue: blue, bluish, navy
turquoise: turquoise, cyan, teal, aqua
purple: purple, violet, lilac, magenta
pink: pink, rose
brown: brown, brownish, wooden, tan
beige: beige, cream, ivory
dark: dark
light: light, bright, pale
colourful: colourful, colorful, coloured, colored, multicoloured, multicolored
""")
SIZES = _groups("""
small: small, little, tiny, mini
large: large, big, huge
tall: tall, high
short: short, low
long: long, elongated
thin: thin, slim, narrow, slender
wide: wide, broad
flat: flat
""")
SHAPES = _groups("""
round: round, circular, rounded
spherical: spherical, ball-shaped, ball shaped, globular
cylindrical: cylindrical, cylinder-shaped, cylinder shaped, tubular, cylinder
boxy: boxy, box-shaped, box shaped, rectangular, cuboid, square, angular
cubic: cubic, cube-shaped, cube shaped
hollow: hollow, open
""")
EXTREMES = _groups("""
leftmost: leftmost, left-most, most left, furthest left, farthest left, left, left-hand
rightmost: rightmost, right-most, most right, furthest right, farthest right, right, right-hand
nearest: nearest, closest, frontmost, foremost, front
farthest: farthest, furthest, most distant, rearmost, backmost, rear, back
largest: largest, biggest
smallest: smallest, littlest, tiniest
tallest: tallest
shortest: shortest
longest: longest
thinnest: thinnest, narrowest, slimmest
widest: widest, broadest
flattest: flattest
topmost: topmost, top, highest, uppermost
lowest: lowest, bottommost, bottom, lowermost
middle: middle, central, centermost, middlemost
""")
PLACES = _groups("""
leftmost: on left, on left side, at left, to left
rightmost: on right, on right side, at right, to right
nearest: at front, in front, nearest to me, closest to me, nearest to camera, closest to
  camera, nearest me, nearest camera, closest to robot, nearest to robot
farthest: at back, in back, farthest from me, farthest from camera, furthest from camera,
  furthest from me, away
topmost: on top, at top
lowest: at bottom
middle: in middle, in center, in centre, at center
""")
RELATIONS = _groups("""
left of: left of, left from, to left of, on left of, on left side of, at left of, left to
right of: right of, right from, to right of, on right of, on right side of, at right of, right
  to
behind: behind, in back of, at back of, beyond
in front of: in front of, at front of, before
on: on, on top of, upon, atop, onto, resting on, stacked on
in: in, inside, inside of, within, into
under: under, below, beneath, underneath
above: above, over
next to: next to, beside, near, close to, by, adjacent to, touching, nearby, alongside
leaning on: leaning on, leaning against, against
nearest to: nearest to, closest to
farthest from: farthest from, furthest from
between: between, in between, in middle of
larger than: larger than, bigger than
smaller than: smaller than
taller than: taller than, higher than
shorter than: shorter than, lower than
""")
FRAMES = _groups("""
camera: from camera, seen from camera, as seen from camera, in camera frame, from my view, from
  here, as seen by camera
fixed: in map frame, in world frame, in fixed frame, in map, in world, in base frame, in odom
  frame
""")
NOUNS = _groups("""
cup: cup, mug, coffee cup, coffee mug, tea cup, teacup, beaker, tumbler, drinking glass, glass
bowl: bowl, soup bowl, cereal bowl, basin
plate: plate, saucer, dinner plate, platter
bottle: bottle, flask, water bottle, spray bottle, cleanser, detergent, shampoo, ketchup,
  mustard, conditioner, lotion
can: can, tin, soda can, soup can, tin can, beer can, tuna can, drink can, tin of soup, coke
box: box, carton, package, packet, cardboard box, cereal box, cereal package, parcel, case
ball: ball, baseball, tennis ball, soccer ball, football, golf ball, softball, sphere
banana: banana
fruit: apple, lemon, pear, peach, plum, strawberry, tomato, lime, mango, orange
spoon: spoon, teaspoon, tablespoon
fork: fork
knife: knife, butter knife, table knife
screwdriver: screwdriver, screw driver
hammer: hammer, mallet
clamp: clamp, clip, clothespin
scissors: scissors, shears, scissor
marker: marker, pen, pencil, felt pen, highlighter, crayon, whiteboard marker
shoe: shoe, sneaker, boot, trainer, sandal, slipper, running shoe, footwear
toy figure: toy figure, figure, figurine, toy animal, doll, statue, plush, plush toy, stuffed
  animal, action figure, animal
block: block, brick, building block, lego brick, lego, toy block, wooden block, cube, duplo
remote: remote, remote control, remote controller, tv remote, tv controller, controller, tv
  control
book: book, notebook, paperback, textbook, magazine
towel: towel, cloth, napkin, dishcloth, rag, washcloth
bag: bag, pouch, sack, paper bag, backpack, bag of chips, chips bag, plastic bag
sponge: sponge, scrubber
""")
SETS = _groups("""
fruit+banana: fruit, piece of fruit, food
spoon+fork+knife: cutlery, silverware, utensil
screwdriver+hammer+clamp+scissors: tool
toy figure+block+ball: toy
plate+bowl: dish
plate+bowl+cup+spoon+fork+knife: tableware
plate+bowl+cup: crockery
cup+bowl+bottle+can+box: container
cup+bowl+bottle: vessel
bottle+can+cup: drink
""")
PLAIN = _groups("""
fillers: all, any, every, each, some, this, of, that, which, who, is, are, it, its,
  there, please, find, show, me, give, bring, get, take, pick, up, grasp, grab, fetch, locate,
  search, look, for, i, want, need, where, you, could, standing, lying, sitting, placed,
  located, lies, stands, sits, side, colour, color, very, only, just, other, exactly, being,
  see, do, what, whatever
things: thing, object, item, one, something, anything, everything, stuff, those, these, piece
ground: table, tabletop, desk, floor, ground, shelf, counter, surface
""")
"""Words that say nothing, anything, and where things stand."""


def _plural(noun: str) -> Iterator[str]:
    yield noun
    stem, last = noun[:-1], noun[-1]
    if noun.endswith('knife'):
        yield 'knives'
    elif noun.endswith('shelf'):
        yield 'shelves'
    elif last == 'y' and noun[-2] not in 'aeiou':
        yield f'{stem}ies'
    elif noun.endswith(('s', 'x', 'ch', 'sh', 'to')):
        yield f'{noun}es'
        yield noun
    else:
        yield f'{noun}s'


def _table() -> dict[tuple[str, ...], Entry]:
    table: dict[tuple[str, ...], Entry] = {}

    def nouns(words: Iterable[str], meaning: str, kinds: tuple[str, ...]) -> None:
        for word in words:
            for form in _plural(word):
                table[tuple(form.split())] = Entry(Role.NOUN, meaning, kinds)

    for word in PLAIN['fillers']:
        table[word,] = Entry(Role.FILLER, word)
    for kind, words in NOUNS.items():
        nouns(words, kind, (kind,))
    for kinds, words in SETS.items():
        for word in words:
            nouns([word], word, tuple(kinds.split('+')))
    nouns(PLAIN['things'], ANYTHING, KINDS)
    nouns(PLAIN['ground'], 'table', ())
    nouns(['unknown thing', 'unknown object', 'unknown'], UNKNOWN, (UNKNOWN,))
    for role, groups in (
        (Role.COLOR, COLORS),
        (Role.SIZE, SIZES),
        (Role.SHAPE, SHAPES),
        (Role.EXTREME, EXTREMES),
        (Role.PLACE, PLACES),
        (Role.RELATION, RELATIONS),
        (Role.FRAME, FRAMES),
    ):
        for meaning, words in groups.items():
            for word in words:
                table[tuple(word.split())] = Entry(role, meaning)
    for word in ('not', 'non', "isn't", "aren't", 'no'):
        table[word,] = Entry(Role.NOT, 'not')
    for word in ('and', ','):
        table[word,] = Entry(Role.AND, 'and')
    return table


TABLE = _table()
LONGEST = max(map(len, TABLE))


def vocabulary() -> str:
    """Return what is understood, for people."""
    names = ', '.join(kind for kind in KINDS if kind != UNKNOWN)
    parts = (
        f'colours ({", ".join(COLORS)})',
        f'sizes ({", ".join(SIZES)})',
        f'shapes ({", ".join(SHAPES)})',
        f'superlatives ({", ".join(EXTREMES)})',
        f'relations ({", ".join(RELATIONS)})',
        f'names ({names}, their synonyms, or just "thing")',
    )
    return '; '.join(parts)
