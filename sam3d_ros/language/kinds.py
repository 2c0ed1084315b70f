# SPDX-License-Identifier: Apache-2.0
"""The kinds of things that have a name by themselves."""

import re

UNKNOWN = 'unknown'
KINDS = (
    'cup', 'bowl', 'plate', 'bottle', 'can', 'box', 'ball', 'banana', 'fruit', 'spoon', 'fork',
    'knife', 'screwdriver', 'hammer', 'clamp', 'scissors', 'marker', 'shoe', 'toy figure', 'block',
    'remote', 'book', 'towel', 'bag', 'sponge', UNKNOWN,
)  # fmt: skip
"""Table-top kinds, and last what is none of them."""

WORDS = (
    ('cup', r'cups?|mug'), ('bowl', r'bowl'), ('plate', r'plate'), ('banana', r'banana'),
    ('bottle', r'bottle|bleach|conditioner|repellent|glue|shampoo|mustard'),
    ('can', r'can'), ('ball', r'ball|baseball|softball'),
    ('fruit', r'apple|lemon|orange|peach|pear|plum|strawberry'), ('spoon', r'spoon'),
    ('fork', r'fork'), ('knife', r'knife'), ('screwdriver', r'screwdriver'),
    ('hammer', r'hammer'), ('clamp', r'clamp'), ('scissors', r'scissors'),
    ('marker', r'marker|pen'), ('shoe', r'shoes?|sneakers?|boots?|sandals?'),
    ('toy figure', r'toy|figure|plush|statue'), ('block', r'duplo|brick|block'),
    ('remote', r'remote'), ('book', r'book'), ('towel', r'towel'), ('bag', r'bag|backpack'),
    ('sponge', r'sponge'), ('box', r'box|poker'),
)  # fmt: skip
"""Words in the names of scans, the first that fits says the kind."""
UNCLEAR = r'blocks|toothpaste|fluid'
"""Scans of which opinions differ: left out."""


def kind_of_name(name: str) -> str | None:
    """Return the kind of a scan by its own name; None where opinions differ.

    :param name: source and words, joined by underscores.
    """
    words = name.split('_')[1:]
    if any(re.fullmatch(UNCLEAR, word) for word in words):
        return None
    for kind, pattern in WORDS:
        if any(re.fullmatch(pattern, word) for word in words):
            return kind
    return UNKNOWN
