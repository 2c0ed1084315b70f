# SPDX-License-Identifier: Apache-2.0
"""The shipped parameter files and the docs' tables are in step with the options in the code."""

import dataclasses

import pytest

from sam3d_ros.cli.config import NODE_GROUPS, every_option, markdown, parameter_file
from sam3d_ros.core.config import build, flatten
from sam3d_ros.export.rviz import rviz_file
from sam3d_ros.session.config import Config, load_config, parameters

REFRESH = '`./sam3d config > config/sam3d.yaml` and `./sam3d config --markdown` refresh them'


def test_shipped_file_is_what_the_command_prints(root):
    assert (root / 'config' / 'sam3d.yaml').read_text() == parameter_file(), REFRESH


def test_docs_have_the_tables(root):
    assert markdown() in (root / 'docs/reference/options.md').read_text(), REFRESH


def test_file_gives_the_defaults_with_their_types(root):
    path = root / 'config' / 'sam3d.yaml'
    assert flatten(load_config(path)) == flatten(Config())
    values = parameters(path)
    for name, kind in NODE_GROUPS.items():
        assert flatten(build(kind, values[name])) == flatten(kind())
    for item in every_option():
        value = values
        for part in item.name.split('.'):
            value = value[part]
        assert type(value) is item.kind, item.name


def test_every_option_is_explained_and_its_default_in_range():
    for item in every_option():
        assert len(item.description) > 10, item.name
        assert item.check(item.default) == item.default


def test_shipped_rviz_file_is_what_the_command_prints(root):
    refresh = '`./sam3d config --rviz > config/sam3d.rviz` refreshes it'
    assert (root / 'config' / 'sam3d.rviz').read_text() == rviz_file(), refresh


@pytest.mark.parametrize('kind', [Config, *NODE_GROUPS.values()])
def test_configurations_are_frozen(kind):
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(kind(), dataclasses.fields(kind)[0].name, None)
