# SPDX-License-Identifier: Apache-2.0
"""The pages hold together: links, names of files, options, topics; and README is one screen."""

import re
from pathlib import Path

import pytest
from doc_pages import PAGES, ROOT, name

from sam3d_ros.cli.config import every_option
from sam3d_ros.cli.docs import build_site
from sam3d_ros.cli.main import COMMANDS
from sam3d_ros.core.errors import Sam3dError
from sam3d_ros.messages import topics
from sam3d_ros.session.config import parameters

FILES = {'.py', '.glb', '.json', '.mcap', '.ply'}
GROUPS = {item.name.partition('.')[0] for item in every_option()} | {'replay'}


def test_readme_is_one_screen(root: Path) -> None:
    text = (root / 'README.md').read_text()
    assert text.count('\n') <= 120
    assert len(text.split()) <= 900


def test_the_site_is_built_and_every_link_leads_somewhere(tmp_path: Path) -> None:
    pytest.importorskip('mkdocs', reason='the extra docs is not installed')
    build_site(tmp_path / 'site')
    pages = [page for page in PAGES if 'docs' in page.relative_to(ROOT).parts]
    for page in pages:
        made = tmp_path / 'site' / page.relative_to(ROOT / 'docs').with_suffix('.html')
        assert made.is_file(), name(page)
    messages = (tmp_path / 'site' / 'reference' / 'messages.html').read_text()
    assert 'observed_fraction' in messages


def test_a_dead_link_stops_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip('mkdocs', reason='the extra docs is not installed')
    (tmp_path / 'docs').mkdir()
    (tmp_path / 'docs' / 'index.md').write_text('[there](nowhere.md)')
    (tmp_path / 'mkdocs.yml').write_text('site_name: a\nuse_directory_urls: false\n')
    monkeypatch.setattr('sam3d_ros.cli.docs.CONFIG', tmp_path / 'mkdocs.yml')
    with pytest.raises(Sam3dError, match='cannot be built'):
        build_site(tmp_path / 'site')


@pytest.mark.parametrize('page', PAGES, ids=name)
def test_links_to_files_of_the_repository(page: Path) -> None:
    for target in re.findall(r'\]\(([^)#]+)(?:#[^)]*)?\)', page.read_text()):
        if not target.startswith(('http:', 'https:')):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize('page', PAGES, ids=name)
def test_files_that_are_named_exist(page: Path) -> None:
    text = page.read_text()
    rooms = 'sam3d_ros|examples|config|models|msgs|test|launch|docs'
    for path in re.findall(rf'`((?:{rooms})/[\w./-]*)`', text):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize('page', PAGES, ids=name)
def test_options_that_are_named_exist(page: Path) -> None:
    known = {item.name for item in every_option()}
    starts = '|'.join(sorted(GROUPS - {'replay'}))
    for option in re.findall(rf'`((?:{starts})\.\w[\w.]*)`', page.read_text()):
        above = any(item.startswith(f'{option}.') for item in known)
        assert option in known or above or Path(option).suffix in FILES, option


@pytest.mark.parametrize(
    'page', [page for page in PAGES if page.parent.name == 'sensors'], ids=name
)
def test_pages_of_sensors_say_what_their_presets_say(page: Path) -> None:
    if page.stem in ('index', 'two_cameras'):
        assert f'preset:={page.stem}' in page.read_text() or page.stem == 'index'
        return
    text = page.read_text()
    values = parameters(ROOT / 'config' / f'{page.stem}.yaml')
    for option, value in values['inputs'].items():
        assert option == 'source' or f'(`{option}:=`) | `{value}` |' in text
    for option, value in values['pointmaps'].items():
        shown = str(value).lower() if isinstance(value, bool) else value
        assert f'| `pointmaps.{option}` | `{shown}` |' in text


def test_sentences_of_the_troubleshooting_are_those_of_the_code(root: Path) -> None:
    code = ''.join(file.read_text() for file in (root / 'sam3d_ros').rglob('*.py'))
    code = re.sub(r"'\s*\n\s*f?'", '', code)
    page = (root / 'docs/troubleshooting.md').read_text()
    cells = re.findall(r'^\| ([^|]*)', page, re.MULTILINE)
    quotes = [quote for cell in cells for quote in re.findall('"([^"]+)"', cell)]
    assert len(quotes) > 4
    for quote in quotes:
        for part in quote.split('...'):
            assert part.strip(' ,().') in code, quote


def test_every_topic_stands_in_the_reference_with_its_type(root: Path) -> None:
    rows = (root / 'docs/reference/topics.md').read_text().splitlines()
    for topic in vars(topics).values():
        if isinstance(topic, topics.Topic):
            of_topic = [row for row in rows if f'`{topic.name}`' in row]
            kind = topic.type.rpartition('/')[2]
            assert any(kind in row for row in of_topic), topic


def test_every_command_stands_in_the_reference(root: Path) -> None:
    text = (root / 'docs/reference/commands.md').read_text()
    assert [command for command in COMMANDS if f'`./sam3d {command}' not in text] == []


def test_every_message_stands_in_the_reference(root: Path) -> None:
    text = (root / 'docs/reference/messages.md').read_text()
    for file in (root / 'msgs').glob('*/*.*'):
        if file.suffix in ('.msg', '.srv', '.action'):
            assert f'--8<-- "{file.relative_to(root)}"' in text
