# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='the train extra is not installed')
pytest.importorskip('accelerate', reason='the train extra is not installed')

from safetensors.torch import save_file

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.types import Camera, Frame
from sam3d_ros.geometry.cameras import pointmap_from_depth
from sam3d_ros.training.checkpoints import load_average
from sam3d_ros.training.mini.config import TrainingConfig
from sam3d_ros.training.mini.data import ViewFiles
from sam3d_ros.training.mini.eyes import Eyes
from sam3d_ros.training.mini.network import MiniNet, NetworkConfig
from sam3d_ros.training.mini.train import train, view_batches
from sam3d_ros.training.views import View, store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two small views of a box on a table, seen from above."""
    (tmp_path / 'train').mkdir()
    camera = Camera(96, 64, np.array([[90.0, 0, 47.5], [0, 90.0, 31.5], [0, 0, 1]]))
    for k in range(2):
        instances = np.zeros((64, 96), np.uint8)
        instances[10 : 40 + k, 20:60] = 1
        rgb = np.repeat(instances[..., None] * np.uint8(200), 3, axis=-1)
        depth_m = np.where(instances > 0, 0.9, 1.0).astype(np.float32)
        pointmap = pointmap_from_depth(depth_m, camera)
        up = np.array([0.0, 0.0, -1.0])
        frame = Frame(0, 'camera', camera, rgb, pointmap, 'camera', np.eye(4), up)
        store(tmp_path / 'train' / f'{k}.npz', View(frame, instances))
    return tmp_path


def _config(folder: Path, steps: int) -> TrainingConfig:
    return TrainingConfig(
        data=str(folder),
        out=str(folder / 'run'),
        steps=steps,
        batch=2,
        prompts=2,
        workers=0,
        save_every=1,
        precision='no',
    )


def test_a_run_resumes_where_it_stopped(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    train(_config(folder, 1))
    first = torch.load(folder / 'run' / 'checkpoint.pt', weights_only=True)
    with caplog.at_level('INFO'):
        train(_config(folder, 2))
    second = torch.load(folder / 'run' / 'checkpoint.pt', weights_only=True)
    assert 'resumed at step 1' in caplog.text
    assert (first['step'], second['step']) == (1, 2)
    name = 'encoder.stem.0.weight'
    assert not torch.equal(first['model'][name], second['model'][name])


@pytest.mark.parametrize('rate', [0.0, 0.1], ids=['frozen', 'tuned'])
def test_eyes_are_tuned_slowly_or_not_at_all(folder: Path, rate: float) -> None:
    eyes = Eyes()
    save_file(
        {other: eyes.state_dict()[name] for name, other in eyes.published()},
        folder / 'eyes.safetensors',
    )
    config = replace(_config(folder, 1), eyes=str(folder / 'eyes.safetensors'), eyes_rate=rate)
    train(config)
    train(replace(config, steps=2))
    state = torch.load(folder / 'run' / 'checkpoint.pt', weights_only=True)
    assert state['step'] == 2
    for start, own in (('', 'model'), ('module.', 'average')):
        for name, before in eyes.state_dict().items():
            after = state[own][f'{start}encoder.eyes.{name}']
            fixed = rate == 0 or name.endswith(('mean', 'variance'))
            assert torch.equal(before, after) == fixed, name
            assert float((after - before).abs().max()) < 1e-3


def test_without_the_weights_of_the_eyes_the_remedy_is_named(folder: Path) -> None:
    with pytest.raises(InputError, match=r'mini\.eyes'):
        train(replace(_config(folder, 1), eyes=str(folder / 'none.safetensors')))


def test_views_vary_with_the_seed_and_mirroring_keeps_things_together(folder: Path) -> None:
    files = sorted((folder / 'train').glob('*.npz'))
    plain = ViewFiles(files, 2, varied=False)[0]
    seen = {bool(ViewFiles(files, 2, varied=True, seed=k)[0].truth[10, 12] == 1) for k in range(8)}
    assert seen == {True, False}  # the thing lies left of the middle
    for k in range(8):
        sample = ViewFiles(files, 2, varied=True, seed=k)[0]
        assert int((sample.truth == 1).sum()) == int((plain.truth == 1).sum())
        on = sample.truth == 1
        assert float(sample.middle[:, on].sum(dim=1).abs().max()) < 0.1
        red = sample.channels[0, ::2, ::2]
        assert float(red[on].std()) < 1e-5


def test_without_a_batch_of_views_the_remedy_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'training\.views'):
        next(view_batches(_config(tmp_path, 1), 0, 0))


def test_the_mean_of_two_runs_is_the_mean_of_their_weights(folder: Path) -> None:
    for seed in (0, 1):
        train(replace(_config(folder, 1), out=str(folder / f'run{seed}'), seed=seed))
    files = [folder / f'run{seed}' / 'checkpoint.pt' for seed in (0, 1)]
    networks = [MiniNet(NetworkConfig(eyes=False)) for _ in range(3)]
    for network, chosen in zip(networks, (files[:1], files[1:], files), strict=True):
        load_average(network, *chosen)
    one, other, both = (network.encoder.dense.weight for network in networks)
    assert not torch.equal(one, other)
    torch.testing.assert_close(both, (one + other) / 2)
