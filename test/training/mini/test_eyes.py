# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='the train extra is not installed')

from safetensors.torch import save_file

from sam3d_ros.core.errors import InputError
from sam3d_ros.training.mini.eyes import EPSILON, WIDTHS, Conv, Eyes, InvertedResidual


@pytest.fixture(scope='module')
def eyes() -> Eyes:
    torch.manual_seed(0)
    return Eyes()


def _vary(module: torch.nn.Module) -> None:
    """Random statistics, gains and shifts, so that each of them matters."""
    generator = torch.Generator().manual_seed(1)
    for name, value in module.state_dict().items():
        if not name.endswith('weight'):
            value.copy_(0.5 + torch.rand(value.shape, generator=generator))


def _direct(conv: Conv, x: np.ndarray, stride: int) -> np.ndarray:
    """The convolution as sums over windows, then batch normalisation by its definition."""
    weight, gain, shift, mean, variance = (
        getattr(conv, name).detach().double().numpy()
        for name in ('weight', 'gain', 'shift', 'mean', 'variance')
    )
    outputs, depth, kernel, _ = weight.shape
    before = (kernel - stride) // 2
    padded = np.pad(x, ((0, 0), (before, kernel), (before, kernel)))
    out = np.zeros((outputs, x.shape[1] // stride, x.shape[2] // stride))
    for k, row, column in np.ndindex(out.shape):
        first = k if depth < len(x) else 0
        window = padded[first : first + depth, stride * row :, stride * column :]
        out[k, row, column] = (window[:, :kernel, :kernel] * weight[k]).sum()
    factor = gain / np.sqrt(variance + EPSILON)
    return (out - mean[:, None, None]) * factor[:, None, None] + shift[:, None, None]


@torch.no_grad()
@pytest.mark.parametrize(('outputs', 'kernel', 'stride'), [(4, 3, 1), (5, 3, 2), (6, 5, 2)])
def test_a_block_is_what_its_definition_says(outputs: int, kernel: int, stride: int) -> None:
    torch.manual_seed(0)
    block = InvertedResidual(4, outputs, kernel, stride, factor=2)
    _vary(block)
    x = torch.randn(1, 4, 8, 6)
    known = x[0].double().numpy()
    inner = np.clip(_direct(block.expand, known, 1), 0, 6)
    inner = np.clip(_direct(block.depthwise, inner, stride), 0, 6)
    wanted = _direct(block.project, inner, 1)
    if stride == 1:
        wanted = wanted + known
    np.testing.assert_allclose(block(x)[0].numpy(), wanted, rtol=1e-4, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize('shape', [(48, 80), (64, 32)])
def test_features_come_at_four_scales(eyes: Eyes, shape: tuple[int, int]) -> None:
    found = eyes(torch.zeros(2, 3, *shape))
    for level, (features, width) in enumerate(zip(found, WIDTHS, strict=True)):
        cells = tuple(side // 2 ** (level + 1) for side in shape)
        assert features.shape == (2, width, *cells)


@torch.no_grad()
def test_statistics_are_fixed_in_training_too(eyes: Eyes) -> None:
    colours = torch.rand(2, 3, 32, 32)
    before = {name: value.clone() for name, value in eyes.state_dict().items()}
    training, ready = eyes.train()(colours), eyes.eval()(colours)
    torch.testing.assert_close(training, ready, rtol=0, atol=0)
    assert all(torch.equal(value, before[name]) for name, value in eyes.state_dict().items())


@torch.no_grad()
def test_every_published_tensor_is_used_once_and_none_is_missing(
    eyes: Eyes, tmp_path: Path
) -> None:
    names = dict(eyes.published())
    assert len(set(names.values())) == len(names) == len(eyes.state_dict())
    assert names['stages.4.2.depthwise.mean'] == '_blocks.10._bn1.running_mean'
    file = tmp_path / 'eyes.safetensors'
    tensors = {names[name]: torch.rand_like(value) for name, value in eyes.state_dict().items()}
    save_file(tensors, file)
    other = Eyes()
    other.load(file)
    for name, value in other.state_dict().items():
        assert torch.equal(value, tensors[names[name]])
    save_file(tensors | {'_fc.weight': torch.zeros(1)}, file)
    with pytest.raises(InputError, match=r'_fc\.weight'):
        other.load(file)
    del tensors['_conv_stem.weight']
    save_file(tensors, file)
    with pytest.raises(InputError, match='_conv_stem'):
        other.load(file)
