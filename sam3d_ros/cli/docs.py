# SPDX-License-Identifier: Apache-2.0
"""``sam3d docs``: build the pages of ``docs/`` as a site; a dead link is an error."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from sam3d_ros.cli.console import working
from sam3d_ros.core.errors import Sam3dError

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / '.ci' / 'mkdocs.yml'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``sam3d docs``."""
    parser.add_argument('--out', type=Path, default=Path('out/docs'), metavar='DIR')


def run(args: argparse.Namespace) -> int:
    """Build the site; 0 when every link leads somewhere."""
    with working('building the pages'):
        build_site(args.out.resolve())
    print(f'{args.out / "index.html"} is the first page')
    return 0


def build_site(folder: Path) -> None:
    """Build the site.

    :param folder: for its pages; what was in it goes.
    :raises Sam3dError: when a page, a link or an included file is missing.
    """
    if not CONFIG.is_file():
        raise Sam3dError(
            f'no {CONFIG}', wanted='a clone of the repository', remedy='Call ./sam3d docs in it.'
        )
    # The theme would advertise on every build.
    os.environ.setdefault('NO_MKDOCS_2_WARNING', '1')
    from mkdocs.commands.build import build
    from mkdocs.config import load_config
    from mkdocs.exceptions import MkDocsException

    try:
        config = load_config(str(CONFIG), site_dir=str(folder), strict=True)
        # Their paths would be those of the caller's folder.
        config.mdx_configs['pymdownx.snippets'] = {'base_path': [str(ROOT)], 'check_paths': True}
        build(config)
    except (MkDocsException, SystemExit) as error:
        raise Sam3dError(
            f'the pages cannot be built: {error}', remedy='The warnings above name page and link.'
        ) from error
