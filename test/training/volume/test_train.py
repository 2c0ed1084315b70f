# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='the train extra is not installed')
pytest.importorskip('accelerate', reason='the train extra is not installed')

from sam3d_ros.core.errors import InputError
from sam3d_ros.reconstruction.completion.volume_input import CHANNELS
from sam3d_ros.training.checkpoints import learning_rate
from sam3d_ros.training.volume.calibration import (
    calibration_error,
    fit_temperature,
)
from sam3d_ros.training.volume.config import TrainingConfig
from sam3d_ros.training.volume.data import SampleFiles
from sam3d_ros.training.volume.export import (
    CalibratedNet,
    Calibration,
    fit_slope,
    write_onnx,
)
from sam3d_ros.training.volume.loss import FREE, solid_iou, taught_solid, volume_loss
from sam3d_ros.training.volume.network import NetworkConfig, VolumeNet
from sam3d_ros.training.volume.shipped import load_shipped
from sam3d_ros.training.volume.train import averaged_network, shown, train

SIZE = 16


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Eight samples in which the answer is one of the inputs."""
    (tmp_path / 'train').mkdir()
    rng = np.random.default_rng(0)
    for number in range(8):
        channels = np.zeros((len(CHANNELS), SIZE, SIZE, SIZE), np.uint8)
        low = rng.integers(2, 6, 3)
        channels[0, low[0] : low[0] + 8, low[1] : low[1] + 8, low[2] : low[2] + 8] = 255
        distance = np.where(channels[0] > 0, -100, 100).astype(np.int8)
        np.savez(tmp_path / 'train' / f'{number}.npz', channels=channels, distance=distance)
    return tmp_path


def config(data: Path, steps: int) -> TrainingConfig:
    return TrainingConfig(
        data=str(data),
        out=str(data / 'run'),
        steps=steps,
        batch=4,
        warmup_steps=2,
        average=0.5,
        precision='no',
        workers=0,
        save_every=100,
    )


def test_training_learns_what_can_be_seen_and_resumes(data: Path) -> None:
    train(config(data, 20))
    train(config(data, 80))
    assert torch.load(data / 'run' / 'checkpoint.pt', weights_only=True)['step'] == 80
    channels, target = next(
        iter(
            torch.utils.data.DataLoader(
                SampleFiles(sorted((data / 'train').glob('*.npz')), mirror=False), batch_size=8
            )
        )
    )
    channels = channels.float() / 255.0
    network = averaged_network(data / 'run' / 'checkpoint.pt')
    with torch.no_grad():
        logits, distance = network(channels)
    assert float(solid_iou(logits > 0, channels, target).mean()) > 0.8
    assert float(solid_iou(distance < 0, channels, target).mean()) > 0.8


def test_a_run_starts_from_the_mean_weights_of_another(data: Path) -> None:
    train(config(data, 10))
    first = averaged_network(data / 'run' / 'checkpoint.pt')
    second = replace(
        config(data, 1),
        out=str(data / 'second'),
        start=str(data / 'run' / 'checkpoint.pt'),
        learning_rate=0.0,
    )
    train(second)
    state = torch.load(data / 'second' / 'checkpoint.pt', weights_only=True)
    assert state['step'] == 1
    assert torch.equal(state['model']['head.weight'], first.head.weight)


def test_hidden_channels_are_dark_for_the_network_alone() -> None:
    channels = torch.rand(1, len(CHANNELS), 2, 2, 2)
    dark = shown(channels, 'free,below')
    names = np.array(CHANNELS)[(dark == 0).all(dim=(0, 2, 3, 4)).numpy()]
    assert list(names) == ['free', 'below'] and channels.min() > 0
    assert torch.equal(shown(channels, ''), channels)


@pytest.mark.parametrize('thickness', [0.2, 0.6, 1.1])
@pytest.mark.parametrize('offset', [0.0, 0.3, 0.5])
def test_taught_walls_have_no_holes_and_thick_things_stay(thickness: float, offset: float) -> None:
    x = torch.arange(SIZE, dtype=torch.float32) - SIZE / 2 + offset
    tilted = (x[:, None, None] + 0.3 * x[None, :, None]) / float(np.hypot(1.0, 0.3))
    wall = (tilted.abs() - thickness / 2).expand(SIZE, SIZE, SIZE)[None]
    taught = taught_solid(wall, 1.2)[0]
    assert taught.any(dim=0)[2:-2].all()
    assert float(taught[:, 8, 8].sum()) <= thickness + 2.0
    solid = (tilted.abs() - 3.0).expand(SIZE, SIZE, SIZE)[None]
    assert torch.equal(taught_solid(solid, 1.2), solid < 0)
    assert torch.equal(taught_solid(wall, 0.0), wall < 0)


def test_no_samples_is_an_error_that_says_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'training\.volume\.samples'):
        train(config(tmp_path, 1))


def test_mirror_reflects_input_and_truth_alike(data: Path) -> None:
    files = sorted((data / 'train').glob('*.npz'))
    plain, mirrored = SampleFiles(files, mirror=False), SampleFiles(files, mirror=True)
    assert 0 < mirrored.flips.sum() < len(files)
    for i in range(len(files)):
        wanted = [part.flip(-2) if mirrored.flips[i] else part for part in plain[i]]
        assert all(torch.equal(a, b) for a, b in zip(wanted, mirrored[i], strict=True))


def test_colours_of_a_share_are_hidden_and_nothing_else(tmp_path: Path) -> None:
    channels = np.full((len(CHANNELS), SIZE, SIZE, SIZE), 200, np.uint8)
    for number in range(16):
        np.savez(
            tmp_path / f'{number}.npz', channels=channels, distance=channels[0].astype(np.int8)
        )
    files = sorted(tmp_path.glob('*.npz'))
    samples = SampleFiles(files, mirror=False, colourless=0.5)
    assert 0 < samples.dark.sum() < len(files)
    for dark, (given, _) in zip(samples.dark, samples, strict=True):
        shown = np.array(CHANNELS)[given.numpy().any(axis=(1, 2, 3))]
        wanted = [name for name in CHANNELS if name not in ('red', 'green', 'blue') or not dark]
        assert list(shown) == wanted
    assert not SampleFiles(files, mirror=False).dark.any()


def test_rate_rises_stays_and_falls_to_zero() -> None:
    schedule = TrainingConfig(steps=100, warmup_steps=10, cooldown=0.4, learning_rate=1.0)
    rates = [learning_rate(step, schedule) for step in range(101)]
    assert rates[0] == pytest.approx(0.1) and rates[10] == rates[59] == 1.0
    assert rates[80] == pytest.approx(0.5) and rates[100] == 0.0
    longer = replace(schedule, steps=200)
    assert [learning_rate(step, longer) for step in range(60)] == rates[:60]


def test_loss_falls_with_the_truth_and_ignores_what_was_seen_through() -> None:
    target = torch.full((1, SIZE, SIZE, SIZE), 100, dtype=torch.int8)
    target[:, 4:12, 4:12, 4:12] = -100
    channels = torch.zeros(1, len(CHANNELS), SIZE, SIZE, SIZE)
    truth = target.float() / 127
    wrong = truth.clone()
    wrong[:, :2] = -1.0

    def loss(field: torch.Tensor) -> float:
        options = replace(TrainingConfig(), free_weight=0.0)
        return float(volume_loss(-20 * field, field, channels, target, options))

    assert loss(truth) < 0.01 < loss(wrong) < loss(-truth)
    channels[:, FREE, :2] = 1.0
    assert loss(wrong) < 0.01


def test_temperature_undoes_overconfidence() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(200_000, generator=generator) * 2
    truth = torch.rand(200_000, generator=generator) < torch.sigmoid(logits)
    temperature = fit_temperature(3.0 * logits, truth)
    assert temperature == pytest.approx(3.0, rel=0.03)
    assert calibration_error(torch.sigmoid(logits), truth) < 0.01
    assert calibration_error(torch.sigmoid(3.0 * logits), truth) > 0.05


def test_slope_is_found_near_the_surface() -> None:
    distance = torch.linspace(-1, 1, 2001)
    logits = -torch.atanh(distance.clamp(-0.999, 0.999)) / 0.07
    assert fit_slope(logits, distance) == pytest.approx(0.07, rel=0.01)


def test_exported_network_computes_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = VolumeNet(NetworkConfig(len(CHANNELS), (8, 8, 16), 2)).eval()
    calibrated = CalibratedNet(network, Calibration(2.0, 0.05)).eval()
    write_onnx(calibrated, tmp_path / 'net.onnx')
    channels = torch.rand(1, len(CHANNELS), SIZE, SIZE, SIZE)
    probability, distance, features = calibrated(channels)
    assert torch.equal(probability > 0.5, distance < 0)
    assert torch.equal(network.head(features)[:, 0] > 0, distance < 0)
    again = VolumeNet(network.config)
    load_shipped(again, tmp_path / 'net.onnx', channels)
    with torch.no_grad():
        wanted = network(channels)
        for mode in (False, True):
            for found, each in zip(again.train(mode)(channels), wanted, strict=True):
                torch.testing.assert_close(found, each, rtol=1e-3, atol=1e-4)
