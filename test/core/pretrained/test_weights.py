# SPDX-License-Identifier: Apache-2.0
import hashlib
from pathlib import Path

import pytest

from sam3d_ros.core.errors import BackendError
from sam3d_ros.core.pretrained.weights import (
    find_weights,
    models_folder,
    read_registry,
    verified_file,
)

ENTRY = """weights:
- name: net
  file: net.onnx
  source: made up
  sha256: {sha256}
  size: 3
  licence: Apache-2.0
  needs: onnxruntime
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / 'net.onnx').write_bytes(b'abc')
    sha256 = hashlib.sha256(b'abc').hexdigest()
    (tmp_path / 'registry.yaml').write_text(ENTRY.format(sha256=sha256))
    return tmp_path


def test_verified_file_is_the_registered_one(folder: Path) -> None:
    assert verified_file('net', folder) == folder / 'net.onnx'


def test_changed_file_is_refused_with_both_hashes(folder: Path) -> None:
    (folder / 'net.onnx').write_bytes(b'abd')
    with pytest.raises(BackendError) as refusal:
        verified_file('net', folder)
    assert hashlib.sha256(b'abd').hexdigest() in str(refusal.value)
    assert hashlib.sha256(b'abc').hexdigest() in str(refusal.value)


def test_missing_file_names_its_source(folder: Path) -> None:
    (folder / 'net.onnx').unlink()
    with pytest.raises(BackendError, match='made up'):
        verified_file('net', folder)


def test_unknown_name_lists_the_known_ones(folder: Path) -> None:
    with pytest.raises(BackendError, match='net'):
        find_weights('nut', folder)


def test_entry_with_a_field_too_few_is_refused(folder: Path) -> None:
    registry = folder / 'registry.yaml'
    registry.write_text(registry.read_text().replace('  size: 3\n', ''))
    with pytest.raises(BackendError, match='size'):
        read_registry(folder)


def test_folder_can_be_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('SAM3D_MODELS', str(folder))
    assert models_folder() == folder
    monkeypatch.setenv('SAM3D_MODELS', str(folder / 'nowhere'))
    with pytest.raises(BackendError, match='nowhere'):
        models_folder()


def test_shipped_weights_are_the_registered_ones(root: Path) -> None:
    for weights in read_registry(root / 'models'):
        if (root / 'models' / weights.file).is_file():
            assert verified_file(weights.name, root / 'models').stat().st_size == weights.size
