# SPDX-License-Identifier: Apache-2.0
"""The built interfaces are upstream's to the hash, and are built again only when they changed."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('rosidl_generator_c', reason='needs the ROS wheels (extra ros)')

from sam3d_ros.setup import interfaces, rosidl

# What upstream's own builds (Jazzy) carry.
UPSTREAM_HASHES = {
    'tf2_msgs/msg/TFMessage': 'e369d0f05a23ae52508854b66f6aa0437f3449d652e8cbf22d5abe85d020f087',
    'vision_msgs/msg/Detection3DArray': (
        '793f5eab9595ac1c0da07873cc859db42eae51f0ee76056db8562515d830e018'
    ),
    'moveit_msgs/msg/CollisionObject': (
        '74b0acd6d56be032bf4f764b2c2633f50588b5fb2bd71e97206c59052747cf7e'
    ),
    'object_recognition_msgs/msg/ObjectType': (
        '5eb3ee3976403366d7c50d7dbee8bec96b3bced1e752674a7194a35841632134'
    ),
}
# Computed from definitions compared by eye with upstream's, and frozen.
FROZEN_HASHES = {
    'tf2_msgs/msg/TF2Error': 'db2485e7d6a0ec75bf087e058ee45df682acc3a621ca7780503d10aac141809a',
    'tf2_msgs/srv/FrameGraph': '0d1fbc6222c018ba5f33822904a2fdd4063705289956d3fdde07cd8c50fe8067',
    'tf2_msgs/action/LookupTransform': (
        '0b8adf6bc0b5958879e3265b41a457e03558fe523890a81252c70eba97a82c5d'
    ),
    'vision_msgs/msg/Detection2DArray': (
        '214274120007f4a683866481336b70310268cfa107aebe9d594a6acf75bda968'
    ),
    'vision_msgs/msg/BoundingBox2DArray': (
        '2464e82838009386d371b523211c21c91d74d313fcdd6788223c531d621cf691'
    ),
    'vision_msgs/msg/BoundingBox3DArray': (
        'a81938db9576b10c2eecd7c5a5da3eac496efd00221b25ed051dfbc81fb56da6'
    ),
    'vision_msgs/msg/Classification': (
        'f74db28d0eaef3afb78f48bf2161cd709a1383a0309d3454383b25be11345143'
    ),
    'vision_msgs/msg/LabelInfo': (
        '3d37df4015cdf660cc851c51897f2acd957e1ca6205ba0a99aebffb9406b0783'
    ),
    'vision_msgs/msg/VisionInfo': (
        '95d3116a17484ad91c9a2686e1d54890bbfc3ff6c6a2de137738c4950d45d284'
    ),
}


@pytest.mark.parametrize(('name', 'digest'), (UPSTREAM_HASHES | FROZEN_HASHES).items())
def test_type_hash(name: str, digest: str) -> None:
    described = json.loads((Path(sys.prefix) / 'share' / f'{name}.json').read_text())
    hashes = {entry['type_name']: entry['hash_string'] for entry in described['type_hashes']}
    assert hashes[name] == f'RIHS01_{digest}'


@pytest.mark.parametrize('package', interfaces.PACKAGES)
def test_every_definition_is_importable(package: str) -> None:
    files = rosidl.definitions(interfaces.PACKAGES[package])
    assert files
    for file in files:
        module = importlib.import_module(f'{package}.{file.suffix[1:]}')
        assert hasattr(module, file.stem)


def test_ament_finds_them(monkeypatch: pytest.MonkeyPatch) -> None:
    index = importlib.import_module('ament_index_python')
    monkeypatch.setenv('AMENT_PREFIX_PATH', sys.prefix)
    assert interfaces.PACKAGES.keys() <= index.get_packages_with_prefixes().keys()
    assert 'msg/SceneObject.msg' in index.get_resource('rosidl_interfaces', 'sam3d_msgs')[0]


def test_nothing_is_built_twice() -> None:
    assert interfaces.ensure_interfaces() is False


def test_key_follows_the_definitions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    definition = tmp_path / 'msg' / 'Thing.msg'
    definition.parent.mkdir()
    monkeypatch.setitem(interfaces.PACKAGES, 'thing_msgs', tmp_path)
    definition.write_text('bool here\n')
    before = interfaces.build_key()
    assert interfaces.build_key() == before
    definition.write_text('bool there\n')
    assert interfaces.build_key() != before


def test_needed_packages_come_from_fields_and_kinds(tmp_path: Path) -> None:
    for kind, text in (
        ('msg', '# tf2_msgs/TFMessage is only spoken of\nstd_msgs/Header header\nuint8 A=1\n'),
        ('srv', 'geometry_msgs/Pose[2] poses\n---\nbool success\n'),
    ):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / f'Thing.{kind}').write_text(text)
    found = rosidl.named_packages(tmp_path)
    assert found == {'std_msgs', 'geometry_msgs', 'service_msgs', 'builtin_interfaces'}


def made(tmp_path: Path, text: str) -> rosidl.Package:
    source = tmp_path / 'source'
    (source / 'msg').mkdir(parents=True)
    (source / 'msg' / 'Thing.msg').write_text(text)
    target = rosidl.Prefix.staged(tmp_path / 'prefix')
    return rosidl.Package('sam3d_trial_msgs', source, target, tmp_path / 'work')


def test_built_package_goes_through_cdr_and_back(tmp_path: Path) -> None:
    package = made(tmp_path, 'std_msgs/Header header\nuint16[] values\nstring name "seven"\n')
    package.build()
    program = (
        'from rclpy.serialization import deserialize_message, serialize_message\n'
        'from sam3d_trial_msgs.msg import Thing\n'
        'sent = Thing(values=[1, 65535])\n'
        'assert deserialize_message(serialize_message(sent), Thing) == sent\n'
        'print(sent.name)'
    )
    paths = [str(package.target.root / 'lib'), os.environ['LD_LIBRARY_PATH']]
    done = subprocess.run(
        [sys.executable, '-c', program],
        env=os.environ
        | {'PYTHONPATH': str(package.target.site), 'LD_LIBRARY_PATH': ':'.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == 'seven\n', done.stderr


@pytest.mark.parametrize(
    ('text', 'complaint'),
    [('no_such_msgs/Thing thing\n', 'no_such_msgs, which is nowhere'), ('int8 A b\n', 'Thing')],
)
def test_refused_package_says_why_and_names_its_log(
    tmp_path: Path, text: str, complaint: str
) -> None:
    with pytest.raises(rosidl.InterfaceBuildError, match=complaint) as told:
        made(tmp_path, text).build()
    assert str(tmp_path / 'work' / 'build.log') in str(told.value)


def test_installing_replaces_files_in_one_step(tmp_path: Path) -> None:
    source, target = tmp_path / 'source', tmp_path / 'target'
    for folder, text in ((source, 'new'), (target, 'old')):
        (folder / 'lib').mkdir(parents=True)
        (folder / 'lib' / 'a.so').write_text(text)
    with (target / 'lib' / 'a.so').open() as held:
        rosidl.install_tree(source, target)
        assert held.read() == 'old'
    assert [file.name for file in (target / 'lib').iterdir()] == ['a.so']
    assert (target / 'lib' / 'a.so').read_text() == 'new'
