# SPDX-License-Identifier: Apache-2.0
"""A stand-in of TripoSR: its calls, and a tiny random model of its architecture.

Image patches to tokens; learned triplane tokens attend to them; planes are sampled bilinearly and
summed up to density and colour by a small network; the surface is where the density passes the
threshold. Untrained, so a ball is added to the density: the result is a dented ball.
"""

from types import SimpleNamespace

import numpy as np
import torch
from torch import nn
from torch.nn import functional

WIDTH, PLANE, CHANNELS, PATCH, RADIUS = 32, 8, 8, 64, 0.87


class TSR(nn.Module):
    """The calls that TripoSR's own ``run.py`` makes."""

    @classmethod
    def from_pretrained(cls, weights, config_name, weight_name):
        assert (config_name, weight_name) == ('config.yaml', 'model.ckpt')
        torch.manual_seed(0)
        return cls().eval()

    def __init__(self):
        super().__init__()
        self.renderer = SimpleNamespace(set_chunk_size=lambda size: None)
        self.tokenizer = nn.Conv2d(3, WIDTH, PATCH, PATCH)
        self.planes = nn.Parameter(torch.randn(1, 3 * PLANE * PLANE, WIDTH))
        self.backbone = nn.TransformerDecoderLayer(WIDTH, 4, 2 * WIDTH, batch_first=True)
        self.upsample = nn.ConvTranspose2d(WIDTH, CHANNELS, 2, 2)
        self.decoder = nn.Sequential(nn.Linear(3 * CHANNELS, 16), nn.SiLU(), nn.Linear(16, 4))

    def forward(self, images, device):
        batch = torch.stack([torch.as_tensor(image) for image in images]).permute(0, 3, 1, 2)
        tokens = self.tokenizer(batch.to(device)).flatten(2).transpose(1, 2)
        planes = self.backbone(self.planes.expand(len(images), -1, -1), tokens)
        planes = planes.reshape(-1, PLANE, PLANE, WIDTH).permute(0, 3, 1, 2)
        return self.upsample(planes).unflatten(0, (-1, 3))

    def extract_mesh(self, scene_codes, has_vertex_color, resolution=256, threshold=25.0):
        return [self._mesh(code, resolution, threshold) for code in scene_codes]

    def _query(self, code, points):
        pairs = torch.stack([points[:, [0, 1]], points[:, [0, 2]], points[:, [1, 2]]]) / RADIUS
        seen = functional.grid_sample(code, pairs[:, None], align_corners=False)[:, :, 0]
        out = self.decoder(seen.permute(2, 0, 1).flatten(1))
        ball = 40.0 * (0.75 - points.norm(dim=1) / RADIUS)
        return 25.0 + ball + 4.0 * out[:, 0], torch.sigmoid(out[:, 1:])

    @torch.no_grad()
    def _mesh(self, code, resolution, threshold):
        from sam3d_ros.reconstruction.evidence.grid import Grid
        from sam3d_ros.reconstruction.surface.surface import extract_surface

        grid = Grid(resolution, 2 * RADIUS / resolution, np.eye(4))
        centres = torch.as_tensor(grid.centres_m().reshape(-1, 3))
        density, _ = self._query(code, centres)
        field = (threshold - density).reshape((resolution,) * 3).numpy()
        vertices, faces = extract_surface(field.astype(np.float32), grid)
        _, colors = self._query(code, torch.as_tensor(vertices))
        rgba = torch.cat([255 * colors, torch.full((len(colors), 1), 255.0)], dim=1).numpy()
        visual = SimpleNamespace(vertex_colors=rgba.astype(np.uint8))
        # Inside out, as marching cubes leave it there.
        return SimpleNamespace(vertices=vertices, faces=faces[:, ::-1], visual=visual)
