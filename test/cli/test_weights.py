# SPDX-License-Identifier: Apache-2.0
"""The command ``sam3d weights`` on a registry of its own and a hub cache of its own."""

import argparse
import hashlib

import pytest
import yaml

from sam3d_ros.cli import weights as command
from sam3d_ros.core.errors import BackendError

CONTENT = b'not really weights'
SHA = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def models(tmp_path, monkeypatch):
    """Return a models folder with one shipped file and one hub checkpoint, nothing cached."""
    entry = {'licence': 'Apache-2.0', 'needs': 'onnxruntime', 'size': 0}
    shipped = {'name': 'ours', 'file': 'ours.onnx', 'source': 'ours.md', 'sha256': SHA, **entry}
    hub = {'name': 'far', 'file': '', 'source': 'hub:somebody/far', 'sha256': '', **entry}
    (tmp_path / 'registry.yaml').write_text(yaml.safe_dump({'weights': [shipped, hub]}))
    (tmp_path / 'ours.onnx').write_bytes(CONTENT)
    monkeypatch.setenv('SAM3D_MODELS', str(tmp_path))
    return tmp_path


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Return an empty hub cache that the hub's library uses."""
    constants = pytest.importorskip('huggingface_hub.constants', reason='comes with extra sam')
    folder = tmp_path / 'cache'
    folder.mkdir()
    monkeypatch.setattr(constants, 'HF_HUB_CACHE', str(folder))
    monkeypatch.setattr('huggingface_hub.utils._cache_manager.HF_HUB_CACHE', str(folder))
    return folder


def call(*words):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(words))


def test_list_says_what_is_there(models, cache, capsys):
    assert call('list') == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [['ours', 'shipped'], ['far', 'absent']]


def test_verify_intact_wrong_and_absent(models, cache, capsys):
    assert call('verify', 'ours') == 0
    assert call('verify', 'far') == 1
    assert call('verify') == 0
    (models / 'ours.onnx').write_bytes(b'something else')
    with pytest.raises(BackendError, match=SHA):
        call('verify', 'ours')
    with pytest.raises(BackendError, match='no weights "nothing"'):
        call('verify', 'nothing')


def test_verify_reads_the_hub_cache(models, cache, capsys):
    repo = cache / 'models--somebody--far'
    snapshot = repo / 'snapshots' / ('0' * 40)
    for folder in (repo / 'blobs', repo / 'refs', snapshot):
        folder.mkdir(parents=True)
    (repo / 'refs' / 'main').write_text('0' * 40)
    (repo / 'blobs' / SHA).write_bytes(CONTENT)
    (snapshot / 'model.safetensors').symlink_to(repo / 'blobs' / SHA)
    assert call('verify', 'far') == 0
    assert 'intact' in capsys.readouterr().out
    (repo / 'blobs' / SHA).write_bytes(b'damaged')
    with pytest.raises(BackendError, match=SHA):
        call('verify', 'far')


def test_fetch_of_shipped_weights_does_nothing(models, capsys):
    assert call('fetch', 'ours') == 0
    assert 'nothing to fetch' in capsys.readouterr().out


def test_project_registry_names_every_backend_default(root, monkeypatch):
    monkeypatch.setenv('SAM3D_MODELS', str(root / 'models'))
    from sam3d_ros.core.pretrained.weights import models_folder, read_registry

    sources = {weights.source for weights in read_registry(models_folder())}
    assert {'hub:facebook/sam-vit-base', 'hub:facebook/sam2.1-hiera-tiny', 'hub:facebook/sam3'} < (
        sources
    )
