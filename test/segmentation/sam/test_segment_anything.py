# SPDX-License-Identifier: Apache-2.0
"""A ``.pth`` file of the ``segment-anything`` package gives the answers of that package."""

import sys
from types import ModuleType

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='the SAM backends need torch (extra: sam)')
pytest.importorskip('transformers', reason='the SAM backends need it (extra: sam)')

from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.segmentation.sam.models import TransformersSam
from sam3d_ros.segmentation.sam.official_layout import load_official_sam
from sam3d_ros.segmentation.sam.promptable import PromptBatch

LARGEST_DIFFERENCE = 1e-3
"""Of logits, as a share of the largest; rounding of another order of the same sums."""


@pytest.fixture
def official(monkeypatch):
    """The package; its predictor imports torchvision for one resize, which is not needed here."""
    try:
        import torchvision  # noqa: F401
    except ImportError:
        for name in ('torchvision', 'torchvision.ops', 'torchvision.ops.boxes'):
            monkeypatch.setitem(sys.modules, name, ModuleType(name))
        transforms = ModuleType('torchvision.transforms')
        functional = ModuleType('torchvision.transforms.functional')
        functional.resize = functional.to_pil_image = None
        boxes = sys.modules['torchvision.ops.boxes']
        boxes.batched_nms = boxes.box_area = None
        monkeypatch.setitem(sys.modules, 'torchvision.transforms', transforms)
        monkeypatch.setitem(sys.modules, 'torchvision.transforms.functional', functional)
    reason = 'the package segment-anything is not installed: nothing to compare with'
    return pytest.importorskip('segment_anything.modeling', reason=reason)


def test_answers_are_those_of_the_package(official, tmp_path):
    from functools import partial

    torch.manual_seed(0)
    size, patch, channels = 1024, 16, 256
    norm = partial(torch.nn.LayerNorm, eps=1e-6)
    encoder = official.ImageEncoderViT(
        depth=2, embed_dim=768, img_size=size, mlp_ratio=4, norm_layer=norm, num_heads=12,
        patch_size=patch, qkv_bias=True, use_rel_pos=True, global_attn_indexes=[1],
        window_size=14, out_chans=channels,
    )  # fmt: skip
    prompts = official.PromptEncoder(
        embed_dim=channels,
        image_embedding_size=(size // patch, size // patch),
        input_image_size=(size, size),
        mask_in_chans=16,
    )
    decoder = official.MaskDecoder(
        num_multimask_outputs=3,
        transformer=official.TwoWayTransformer(
            depth=2, embedding_dim=channels, mlp_dim=2048, num_heads=8
        ),
        transformer_dim=channels,
        iou_head_depth=3,
        iou_head_hidden_dim=256,
    )
    sam = official.Sam(image_encoder=encoder, prompt_encoder=prompts, mask_decoder=decoder).eval()
    torch.save(sam.state_dict(), tmp_path / 'sam_vit_t.pth')

    ours = TransformersSam(
        'sam', load_official_sam(tmp_path / 'sam_vit_t.pth'), SegmentationConfig(device='cpu')
    )
    image = np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)
    points = np.array([[100.0, 200.0], [800.0, 500.0]])
    answer = ours.predict(ours.embed(image), PromptBatch.of_points(points), alternatives=True)
    with torch.inference_mode():
        pixels = torch.from_numpy(image).permute(2, 0, 1).float()
        theirs = [
            sam(
                [
                    {
                        'image': pixels,
                        'original_size': (size, size),
                        'point_coords': torch.tensor(point)[None, None].float() + 0.0,
                        'point_labels': torch.ones(1, 1),
                    }
                ],
                multimask_output=True,
            )[0]
            for point in points
        ]
    for number, their in enumerate(theirs):
        logits = their['low_res_logits'][0]
        apart = (answer.logits[number] - logits).abs().max()
        assert apart < LARGEST_DIFFERENCE * logits.abs().max()
        torch.testing.assert_close(
            answer.iou[number], their['iou_predictions'][0], atol=1e-3, rtol=1e-3
        )
