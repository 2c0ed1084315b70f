# SPDX-License-Identifier: Apache-2.0
"""What README and docs/ hold: pages, fenced blocks, commands."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', *sorted((ROOT / 'docs').rglob('*.md'))]


def name(page: Path) -> str:
    """Return a page's path in the repository."""
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    return re.findall(rf'^```{language}\n(.*?)^```', page.read_text(), re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    """Return every command of a shell block once, comments and continuations taken away."""
    found = {}
    for page in PAGES:
        for block in blocks(page, 'sh'):
            for line in block.replace('\\\n', ' ').splitlines():
                command = re.sub(r'\s#.*', '', f' {line}').strip()
                for part in filter(None, map(str.strip, command.split('&&'))):
                    found[' '.join(part.split())] = None
    return list(found)
