# SPDX-License-Identifier: Apache-2.0
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip('torch', reason='the train extra is not installed')

from sam3d_ros.segmentation.mini.inputs import CHANNELS
from sam3d_ros.training.mini.data import Sample
from sam3d_ros.training.mini.loss import joined_loss, mask_loss, pair_loss, thing_loss
from sam3d_ros.training.mini.network import MiniNet, NetworkConfig, split

TINY = NetworkConfig(widths=(4, 8, 8, 8), features=8, embedding=4, tokens=16, heads=2)


@pytest.fixture(scope='module', params=[True, False], ids=['eyes', 'no eyes'])
def tiny(request: pytest.FixtureRequest) -> MiniNet:
    torch.manual_seed(0)
    return MiniNet(replace(TINY, eyes=request.param)).eval()


def _prompts(count: int, rows: int, columns: int) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    points = torch.rand(1, count, 4, 2, generator=generator)
    labels = torch.randint(-1, 4, (1, count, 4), generator=generator)
    return points, labels, torch.zeros(1, count, 4, rows // 8, columns // 8)


def test_the_shipped_size_is_below_ten_million_parameters() -> None:
    assert sum(p.numel() for p in MiniNet().parameters()) < 2_000_000


@torch.no_grad()
@pytest.mark.parametrize('shape', [(96, 128), (64, 160)])
def test_outputs_have_half_the_size_of_any_input(tiny: MiniNet, shape: tuple[int, int]) -> None:
    channels = torch.zeros(1, len(CHANNELS), *shape)
    masks, quality, dense = tiny(channels, *_prompts(3, *shape))
    half = shape[0] // 2, shape[1] // 2
    assert masks.shape == (1, 3, 3, *half)
    assert quality.shape == (1, 3, 3)
    assert dense.shape == (1, 10, *half)
    embedding, middle, thing, joined = split(dense)
    assert [part.shape[1] for part in (embedding, middle, joined)] == [4, 3, 2]
    assert torch.equal(thing, dense[:, 7])


@torch.no_grad()
def test_eyes_alone_see_colour(tiny: MiniNet) -> None:
    channels = torch.rand(1, len(CHANNELS), 64, 96, generator=torch.Generator().manual_seed(2))
    grey = channels.clone()
    grey[:, [CHANNELS.index(name) for name in 'rgb']] = 0
    assert tiny.encoder.stem[0].in_channels == len(CHANNELS) - 3 * tiny.config.eyes
    assert not torch.allclose(tiny.encoder(channels)[0], tiny.encoder(grey)[0])
    if tiny.encoder.eyes:
        blind = deepcopy(tiny.encoder)
        for fuse in blind.fuse:
            torch.nn.init.zeros_(fuse[0].weight)
        torch.testing.assert_close(blind(channels), blind(grey))


@torch.no_grad()
def test_prompts_are_answered_one_by_one(tiny: MiniNet) -> None:
    channels = torch.rand(1, len(CHANNELS), 64, 96, generator=torch.Generator().manual_seed(2))
    points, labels, outline = _prompts(3, 64, 96)
    together, _, _ = tiny(channels, points, labels, outline)
    alone, _, _ = tiny(channels, points[:, 1:2], labels[:, 1:2], outline[:, 1:2])
    torch.testing.assert_close(together[:, 1:2], alone, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_points_without_a_meaning_change_nothing(tiny: MiniNet) -> None:
    """A filler says only that it is one, wherever it lies."""
    channels = torch.rand(1, len(CHANNELS), 64, 96, generator=torch.Generator().manual_seed(2))
    points, _, outline = _prompts(1, 64, 96)
    labels = torch.tensor([[[1, -1, -1, -1]]])
    moved = points.clone()
    moved[:, :, 1:] = 0.9 - 0.5 * moved[:, :, 1:]
    first, _, _ = tiny(channels, points, labels, outline)
    second, _, _ = tiny(channels, moved, labels, outline)
    torch.testing.assert_close(first, second)


def _sample(truth: torch.Tensor, wanted: torch.Tensor, picked: torch.Tensor) -> Sample:
    nothing = torch.zeros(0)
    at = torch.zeros(*picked.shape, 3)
    return Sample(
        nothing, truth, truth > 0, nothing, picked, at, nothing, nothing, nothing, wanted
    )


def test_the_best_of_three_masks_is_learned_from_and_its_iou_is_told() -> None:
    truth = torch.zeros(1, 8, 8, dtype=torch.uint8)
    truth[:, 2:6, 2:6] = 4
    right = 20.0 * (truth == 4).float() - 10
    masks = torch.stack([right, -right, -right], dim=1)[:, None]
    sample = _sample(truth, torch.tensor([[4]]), torch.zeros(1, 0, dtype=torch.int64))
    loss, chosen = mask_loss(masks, torch.tensor([[[1.0, 0.0, 0.0]]]), sample)
    assert float(loss) < 1e-3
    assert float(chosen) == 1.0
    worse, chosen = mask_loss(masks, torch.tensor([[[0.0, 1.0, 0.0]]]), sample)
    assert float(worse) > 0.5
    assert float(chosen) == 0.0


def test_cells_of_one_thing_hang_together_and_borders_count_as_much() -> None:
    truth = torch.zeros(1, 8, 8, dtype=torch.uint8)
    truth[:, :, 4:] = 2
    right = torch.full((1, 2, 8, 8), 12.0)
    right[:, 0, :, 3] = -12
    assert float(joined_loss(right, truth)) < 1e-4
    blind = torch.full((1, 2, 8, 8), 12.0)
    assert float(joined_loss(blind, truth)) > 2


def test_small_things_count_more_than_their_cells() -> None:
    truth = torch.zeros(1, 32, 32, dtype=torch.uint8)
    truth[:, :20, :20], truth[:, 26:29, 26:29] = 1, 2
    logits = 8 * (truth > 0).float() - 4
    without_small, without_cells = logits.clone(), logits.clone()
    without_small[truth == 2] = -4
    without_cells[:, :3, :3] = -4
    assert thing_loss(without_small, truth) > 2 * thing_loss(without_cells, truth)


def test_pairs_are_right_when_embeddings_differ_between_things() -> None:
    truth = torch.zeros(1, 4, 4, dtype=torch.uint8)
    truth[0, 0], truth[0, 1] = 1, 2
    sample = _sample(truth, torch.tensor([[1]]), torch.tensor([[0, 1, 4, 5]]))
    similarity = torch.tensor([2.0, 1.0])
    embedding = 3.0 * truth[:, None].float()
    loss, accuracy = pair_loss(embedding, similarity, sample)
    same, none = pair_loss(torch.zeros(1, 1, 4, 4), similarity, sample)
    assert float(accuracy) == 1.0
    assert float(none) < 0.5
    assert float(loss) < float(same)


def test_an_exported_network_computes_what_torch_does(tiny: MiniNet, tmp_path: Path) -> None:
    pytest.importorskip('onnxscript', reason='the train extra is not installed')
    from sam3d_ros.core.errors import BackendError
    from sam3d_ros.training.mini.export import check, write_onnx

    write_onnx(tiny, tmp_path)
    torch.manual_seed(1)
    with pytest.raises(BackendError, match='differ from torch'):
        check(MiniNet(tiny.config).eval(), tmp_path)


def test_an_encoder_in_8_bits_computes_about_the_same_or_is_refused(
    tiny: MiniNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip('onnxscript', reason='the train extra is not installed')
    from sam3d_ros.core.errors import BackendError
    from sam3d_ros.training.mini import export
    from sam3d_ros.training.mini.export import check, example, quantise, write_onnx

    write_onnx(tiny, tmp_path)
    views = [example(96, 128, prompts=1)[0][0].numpy()]
    quantise(tmp_path, views)
    with pytest.raises(BackendError, match='differ from torch'):  # by more than rounding of floats
        check(tiny, tmp_path)
    write_onnx(tiny, tmp_path)
    monkeypatch.setattr(export, 'LARGEST_ROUNDING', 1e-4)
    with pytest.raises(BackendError, match='in 8 bits are off'):
        quantise(tmp_path, views)
