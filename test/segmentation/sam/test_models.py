# SPDX-License-Identifier: Apache-2.0
"""Loading and prompting random checkpoints: shapes, coordinates, reuse, refusal of bad files."""

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='the SAM backends need torch (extra: sam)')
transformers = pytest.importorskip('transformers', reason='the SAM backends need it (extra: sam)')

from sam3d_ros.core.errors import BackendError
from sam3d_ros.core.pretrained.checkpoints import (
    as_float32,
    load_pretrained,
    pick_device,
)
from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.segmentation.sam.models import TransformersSam
from sam3d_ros.segmentation.sam.official_layout import RENAMES, load_official_sam, renamed
from sam3d_ros.segmentation.sam.promptable import PromptBatch


@pytest.fixture(params=['sam', 'sam2'])
def model(request, tmp_path):
    source = request.getfixturevalue(f'tiny_{request.param}')
    source.save_pretrained(tmp_path)
    checkpoint = load_pretrained(type(source), str(tmp_path))
    return TransformersSam(request.param, checkpoint, SegmentationConfig(device='cpu'))


def answer(model, image, batch, alternatives=True):
    return model.predict(model.embed(image), batch, alternatives=alternatives)


def test_points_give_three_alternatives_and_a_best(model, image):
    batch = PromptBatch.of_points(np.array([[10.0, 20.0], [60.0, 30.0]]))
    three = answer(model, image, batch)
    assert three.logits.shape[:2] == three.iou.shape == (2, 3)
    assert answer(model, image, batch, alternatives=False).logits.shape[1] == 1
    assert len(model.weights_hash) == 64


def test_batching_does_not_change_answers(model, image):
    points = np.array([[10.0, 20.0], [60.0, 30.0], [40.0, 5.0]])
    together = answer(model, image, PromptBatch.of_points(points))
    alone = answer(model, image, PromptBatch.of_points(points[1:2]))
    torch.testing.assert_close(together.logits[1], alone.logits[0], atol=1e-5, rtol=1e-4)


def test_prompts_matter(model, image):
    none = np.zeros((1, 0, 2)), np.zeros((1, 0), np.int32)
    box = answer(model, image, PromptBatch(*none, boxes_px=np.array([[5.0, 5.0, 40.0, 30.0]])))
    other = answer(model, image, PromptBatch(*none, boxes_px=np.array([[5.0, 5.0, 70.0, 45.0]])))
    assert (box.logits - other.logits).abs().max() > 0
    logits = np.full((48, 80), -10.0, np.float32)
    logits[10:30, 10:40] = 10.0
    box_px = np.array([[5.0, 5.0, 40.0, 30.0]])
    masked = answer(model, image, PromptBatch(*none, boxes_px=box_px, mask_logits=logits))
    assert (box.logits - masked.logits).abs().max() > 0


def test_masks_return_at_image_size(model, image):
    embedding = model.embed(image)
    got = model.predict(
        embedding, PromptBatch.of_points(np.array([[3.0, 4.0]])), alternatives=True
    )
    assert embedding.space.to_image(got.logits[0]).shape == (3, 48, 80)


def test_the_same_image_is_embedded_once(model, image):
    embedding = model.embed(image)
    assert model.embed(image) is embedding
    assert model.embed(image.copy()) is not embedding


def test_sam_scales_both_axes_alike_and_sam2_does_not(model, image):
    space = model.embed(image).space
    corner = space.to_model(np.array([[79.5, 47.5]])).numpy()[0] + 0.5
    # 80x48 into 64 px: SAM keeps the aspect (64 x 38), SAM 2 stretches.
    expected = [64.0, 38.0] if model.name == 'sam' else [64.0, 64.0]
    np.testing.assert_allclose(corner, expected)
    rows, columns = space.content
    pixels = space.pixels(image)
    assert pixels.shape == (1, 3, 64, 64)
    assert (pixels[..., rows:, :] == 0).all()
    assert (pixels[..., :columns].abs().sum(1)[..., :rows, :] > 0).all()


def test_official_file_gives_the_same_model(tiny_sam, image, tmp_path):
    state = {official_name(name): tensor for name, tensor in tiny_sam.state_dict().items()}
    state.pop('shared_image_embedding.positional_embedding', None)
    torch.save(state, tmp_path / 'sam_vit_t.pth')
    tiny_sam.save_pretrained(tmp_path / 'folder')
    config = SegmentationConfig(device='cpu')
    a = TransformersSam('sam', load_official_sam(tmp_path / 'sam_vit_t.pth'), config)
    folder = load_pretrained(transformers.SamModel, str(tmp_path / 'folder'))
    b = TransformersSam('sam', folder, config)
    batch = PromptBatch.of_points(np.array([[10.0, 20.0]]))
    torch.testing.assert_close(answer(a, image, batch).logits, answer(b, image, batch).logits)


def official_name(name):
    """Return the official name of a transformers tensor: the inverse of RENAMES."""
    import re

    inverse = {
        r'^vision_encoder\.layers\.(\d+)\.layer_norm(\d)': r'image_encoder.blocks.\1.norm\2',
        r'^vision_encoder\.layers': 'image_encoder.blocks',
        r'^vision_encoder\.': 'image_encoder.',
        r'patch_embed\.projection': 'patch_embed.proj',
        r'neck\.conv1': 'neck.0',
        r'neck\.layer_norm1': 'neck.1',
        r'neck\.conv2': 'neck.2',
        r'neck\.layer_norm2': 'neck.3',
        r'mask_embed\.conv1': 'mask_downscaling.0',
        r'mask_embed\.layer_norm1': 'mask_downscaling.1',
        r'mask_embed\.conv2': 'mask_downscaling.3',
        r'mask_embed\.layer_norm2': 'mask_downscaling.4',
        r'mask_embed\.conv3': 'mask_downscaling.6',
        r'layer_norm_final_attn': 'norm_final_attn',
        r'\.layer_norm(\d)\.': r'.norm\1.',
        r'prompt_encoder\.shared_embedding\.positional_embedding': (
            'prompt_encoder.pe_layer.positional_encoding_gaussian_matrix'
        ),
        r'point_embed\.': 'point_embeddings.',
        r'upscale_conv1': 'output_upscaling.0',
        r'upscale_layer_norm': 'output_upscaling.1',
        r'upscale_conv2': 'output_upscaling.3',
        r'(mlps\.\d|iou_prediction_head)\.layers\.0': r'\1.layers.1',
        r'(mlps\.\d|iou_prediction_head)\.proj_in': r'\1.layers.0',
        r'(mlps\.\d|iou_prediction_head)\.proj_out': r'\1.layers.2',
    }
    for pattern, replacement in inverse.items():
        name = re.sub(pattern, replacement, name)
    return name


def test_every_rename_is_used(tiny_sam):
    import re

    official = [official_name(name) for name in tiny_sam.state_dict()]
    back = renamed({name: torch.zeros(1) for name in official if 'shared_image' not in name})
    assert set(back) == set(tiny_sam.state_dict())
    assert len(RENAMES) == len({pattern for pattern, _ in RENAMES})
    for pattern, _ in RENAMES[:1]:
        assert any(re.search(pattern, name) for name in official)


def test_missing_tensor_is_refused(tiny_sam, tmp_path):
    tiny_sam.save_pretrained(tmp_path)
    from safetensors.torch import load_file, save_file

    state = load_file(tmp_path / 'model.safetensors')
    del state['vision_encoder.pos_embed']
    save_file(state, tmp_path / 'model.safetensors', metadata={'format': 'pt'})
    with pytest.raises(BackendError, match=r'lacks 1 tensors, vision_encoder\.pos_embed'):
        load_pretrained(transformers.SamModel, str(tmp_path))


def test_nothing_there_and_pickles_are_refused(tmp_path):
    with pytest.raises(BackendError, match='sam3d weights'):
        load_pretrained(transformers.SamModel, str(tmp_path))
    import pickle

    (tmp_path / 'evil.pth').write_bytes(pickle.dumps({'x': print}))
    with pytest.raises(BackendError, match='weights alone'):
        load_official_sam(tmp_path / 'evil.pth')
    torch.save({'x': torch.zeros(1)}, tmp_path / 'other.pth')
    with pytest.raises(BackendError, match='not an official SAM checkpoint'):
        load_official_sam(tmp_path / 'other.pth')


def test_missing_gpu_is_said():
    if torch.cuda.is_available():
        pytest.skip('this machine has a GPU')
    for device in ('cuda', 'cuda:3', 'tensorrt'):
        with pytest.raises(BackendError, match=f'"{device}", but torch sees 0 GPUs'):
            pick_device(device, True)
    assert pick_device('auto', True) == (torch.device('cpu'), False)


@pytest.mark.parametrize('kind', ['sam', 'sam2'])
def test_half_precision_leaves_coordinates_exact(request, tmp_path, image, monkeypatch, kind):
    """Images are seen in bfloat16; the answer to two points in one step of it still differs."""
    source = request.getfixturevalue(f'tiny_{kind}')
    source.save_pretrained(tmp_path)
    exact, half = (
        model_of(kind, type(source), tmp_path, monkeypatch, is_half) for is_half in (False, True)
    )
    seen = half.embed(image).features
    first = seen[0] if isinstance(seen, list | tuple) else seen
    assert first.dtype == torch.float32
    batch = PromptBatch.of_points(np.array([[60.0, 30.0], [60.4, 30.0]]))
    a, b = answer(exact, image, batch), answer(half, image, batch)
    assert (b.logits[0] - b.logits[1]).abs().max() > 0
    scale = a.logits.abs().max()
    assert (a.logits - b.logits).abs().max() < 0.1 * scale


def model_of(kind, model_class, folder, monkeypatch, is_half):
    device = torch.device('cpu')
    monkeypatch.setattr(
        'sam3d_ros.segmentation.sam.models.pick_device', lambda *_: (device, is_half)
    )
    checkpoint = load_pretrained(model_class, str(folder))
    return TransformersSam(kind, checkpoint, SegmentationConfig())


def test_nested_tensors_become_float32():
    nested = {
        'a': [torch.zeros(1, dtype=torch.bfloat16)],
        'b': (torch.ones(1, dtype=torch.int32), 3),
    }
    made = as_float32(nested)
    assert made['a'][0].dtype == torch.float32 and made['b'][0].dtype == torch.int32
    assert made['b'][1] == 3
