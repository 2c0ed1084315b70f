# SPDX-License-Identifier: Apache-2.0
"""Devices by name, what a build cannot do, and the same answers on a GPU."""

import numpy as np
import pytest

onnxruntime = pytest.importorskip('onnxruntime', reason='learned backends need ONNX Runtime')

from sam3d_ros.core.errors import BackendError, ConfigurationError
from sam3d_ros.core.pretrained import inference
from sam3d_ros.core.pretrained.inference import CPU, CUDA, TENSORRT, Device, describe, open_session
from sam3d_ros.core.pretrained.weights import verified_file

ENCODER = 'mini-encoder'


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('auto', Device('auto')),
        ('cpu', Device('cpu')),
        ('cuda', Device('cuda', 0)),
        ('cuda:3', Device('cuda', 3)),
        ('tensorrt:1', Device('tensorrt', 1)),
    ],
)
def test_devices_by_name(text, expected):
    assert Device.of(text) == expected


@pytest.mark.parametrize('text', ['', 'gpu', 'cpu:1', 'auto:0', 'cuda:', 'cuda:x', 'cuda12'])
def test_other_names_are_refused(text):
    with pytest.raises(ConfigurationError, match='wanted auto, cpu, cuda'):
        Device.of(text)


def test_providers_by_device_and_build(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    full = [TENSORRT, CUDA, CPU]

    def names(text, available):
        return [name for name, _ in Device.of(text).providers(available)]

    assert names('auto', full) == [CUDA, CPU] and names('auto', [CPU]) == [CPU]
    assert names('cpu', full) == [CPU]
    assert Device.of('cuda:2').providers(full)[0] == (CUDA, {'device_id': 2})
    assert names('tensorrt', full) == [TENSORRT, CUDA, CPU]
    cache = Device.of('tensorrt').providers(full)[0][1]['trt_engine_cache_path']
    assert cache == str(tmp_path / 'sam3d_ros' / 'tensorrt') and (tmp_path / 'sam3d_ros').is_dir()
    for device in ('cuda', 'tensorrt'):
        with pytest.raises(BackendError, match=r'Runtime here has CPU.*Install the extra gpu'):
            names(device, [CPU])


class LeftOut:
    """A session whose first provider did not load, as happens without CUDA's libraries."""

    def __init__(self, file, options, providers):
        self.ran = 0

    def get_providers(self):
        return [CPU]

    def run(self, outputs, inputs):
        self.ran += 1


def test_a_provider_that_does_not_load_is_told_or_refused(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(onnxruntime, 'get_available_providers', lambda: [CUDA, CPU])
    monkeypatch.setattr(onnxruntime, 'InferenceSession', LeftOut)
    session = open_session(tmp_path / 'n.onnx', example={'x': np.zeros(1)})
    assert session.ran == 0 and 'n.onnx runs on CPUExecutionProvider' in caplog.text
    with pytest.raises(BackendError, match=r'CUDAExecution.* cannot be used.*a working cuda:0'):
        open_session(tmp_path / 'n.onnx', device='cuda:0')


def test_a_gpu_is_made_ready_when_a_session_opens(tmp_path, monkeypatch):
    class OnGpu(LeftOut):
        def get_providers(self):
            return [CUDA, CPU]

    monkeypatch.setattr(onnxruntime, 'get_available_providers', lambda: [CUDA, CPU])
    monkeypatch.setattr(onnxruntime, 'InferenceSession', OnGpu)
    assert open_session(tmp_path / 'n.onnx', example={'x': np.zeros(1)}).ran == 1


def test_what_is_found_is_said():
    assert describe('cpu').startswith('CPU, by ONNX Runtime')
    if CUDA not in onnxruntime.get_available_providers():
        assert 'here is a build without CUDA' in describe('auto')
        with pytest.raises(BackendError, match='device cuda:0, but ONNX Runtime here has'):
            describe('cuda')


def test_threads_that_a_process_gives_itself():
    inference.limit_threads(1)
    session = open_session(verified_file(ENCODER))
    inference.limit_threads(0)
    assert session.get_session_options().intra_op_num_threads == 1


@pytest.mark.parametrize('name', [ENCODER, 'volume'])
def test_a_gpu_gives_the_answers_of_the_cpu(name):
    if CUDA not in onnxruntime.get_available_providers():
        pytest.skip('the installed ONNX Runtime has no CUDA: no GPU to compare')
    file = verified_file(name)
    sessions = [open_session(file, device=device) for device in ('cpu', 'cuda')]
    (wanted,) = sessions[0].get_inputs()
    usual = {1: {0: 1, 2: 240, 3: 320}, 0: {}}[name == ENCODER]
    shape = [n if isinstance(n, int) else usual.get(at, 1) for at, n in enumerate(wanted.shape)]
    seen = np.random.default_rng(0).normal(0, 0.3, shape).astype(np.float32)
    for one, other in zip(
        *(each.run(None, {wanted.name: seen}) for each in sessions), strict=True
    ):
        assert np.abs(one - other).max() < 1e-2 * max(np.abs(one).max(), 1.0)
