# SPDX-License-Identifier: Apache-2.0
"""Depth Anything 3 through its worker: a stand-in of its signature, in a process of its own.

The stand-in knows the truth of a recording, and says it as the package does: at a processed size,
in a unit of its own, poses and rays relative to the first view.
"""

import sys
from dataclasses import replace

import numpy as np
import pytest
from made_up_recordings import frames as boxes_frames
from made_up_recordings import messages, write

from sam3d_ros.bags.recording import Recording
from sam3d_ros.bags.selection import select
from sam3d_ros.core.errors import BackendError
from sam3d_ros.core.types import Frame
from sam3d_ros.pipeline.frames import BadFrame, FrameReader, overrides_of
from sam3d_ros.pointmaps.config import DepthAnything3Config, PointmapConfig
from sam3d_ros.pointmaps.monocular.depth_anything_3.network import (
    DepthAnything3Source,
    scale_of_baselines,
)
from sam3d_ros.session.config import Config
from sam3d_ros.session.session import Session

EYES = [(0.5 - 0.06 * at, -0.6 + 0.05 * at, 0.6) for at in range(4)]
UNIT = 3.7
"""Metres are so much longer than the stand-in's unit."""
PACKAGE = """
from types import SimpleNamespace
import numpy as np


class Head:
    def __init__(self):
        self.hooks = []

    def register_forward_hook(self, hook):
        self.hooks.append(hook)


class DepthAnything3:
    @classmethod
    def from_pretrained(cls, checkpoint):
        made = cls()
        made.truth = np.load(checkpoint)
        made.model = SimpleNamespace(head=Head())
        made.calls = 0
        return made

    def to(self, device):
        return self

    def eval(self):
        return self

    def _align_to_input_extrinsics_intrinsics(self, extrinsics, intrinsics, prediction, align):
        raise ValueError('Degenerate covariance rank')

    def inference(
        self, image, extrinsics=None, intrinsics=None, align_to_input_ext_scale=True,
        infer_gs=False, use_ray_pose=False, ref_view_strategy='saddle_balanced',
        process_res=504, process_res_method='upper_bound_resize', export_dir=None,
    ):
        if (extrinsics is None) != (intrinsics is None):
            raise TypeError('extrinsics without intrinsics')
        truth = self.truth
        at = [
            int(np.argmin([np.abs(each.astype(int) - i).sum() for each in truth['rgb']]))
            for i in image
        ]
        high, wide = image[0].shape[:2]
        scale = process_res / max(high, wide)
        rows, columns = (max(round(n * scale / 14), 1) * 14 for n in (high, wide))
        row = ((np.arange(rows) + 0.5) / rows * high).astype(int)
        column = ((np.arange(columns) + 0.5) / columns * wide).astype(int)
        depth = truth['depth'][at][:, row][:, :, column] / UNIT
        T = np.linalg.inv(truth['T'][at[0]]) @ truth['T'][at]
        T[:, :3, 3] /= UNIT
        if extrinsics is not None:
            assert np.allclose(np.linalg.inv(extrinsics), truth['T'][at], atol=1e-6)
        h, w = 8 * rows // 14, 8 * columns // 14
        v, u = np.mgrid[:h, :w]
        u, v = (u + 0.5) * wide / w - 0.5, (v + 0.5) * high / h - 0.5
        p = np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(truth['K']).T
        rays = np.concatenate([
            np.einsum('nij,hwj->nhwi', T[:, :3, :3], p),
            np.broadcast_to(T[:, None, None, :3, 3], (len(at), h, w, 3)),
        ], -1).astype(np.float32)
        output = {'ray': rays[None], 'ray_conf': np.ones((1, len(at), h, w), np.float32)}
        for hook in self.model.head.hooks:
            hook(self.model.head, (), output)
        w2c = np.linalg.inv(T)[:, :3].astype(np.float32)
        prediction = SimpleNamespace(
            depth=depth.astype(np.float32), conf=np.ones(depth.shape, np.float32) + 1,
            extrinsics=w2c, intrinsics=None, sky=None, is_metric=0,
        )
        return self._align_to_input_extrinsics_intrinsics(extrinsics, intrinsics, prediction, True)
"""


@pytest.fixture(scope='module')
def shown(boxes_world):
    return boxes_frames(boxes_world, len(EYES), eyes=EYES)


@pytest.fixture
def installed(shown, tmp_path, monkeypatch):
    """Return a configuration of the stand-in."""
    package = tmp_path / 'site' / 'depth_anything_3'
    package.mkdir(parents=True)
    (package / '__init__.py').write_text('')
    (package / 'api.py').write_text(PACKAGE.replace('UNIT', str(UNIT)))
    monkeypatch.setenv('PYTHONPATH', str(package.parent))
    checkpoint = tmp_path / 'truth.npz'
    np.savez(
        checkpoint,
        rgb=np.stack([frame.rgb for frame in shown]),
        depth=np.stack([frame.depth_m for frame in shown]),
        T=np.stack([frame.T_fixed_cam for frame in shown]),
        K=shown[0].camera.K,
    )
    own = DepthAnything3Config(
        python=sys.executable, checkpoint=str(checkpoint), device='cpu', process_res=160
    )
    return PointmapConfig(range='depth_anything_3', measure_noise=False, depth_anything_3=own)


def read(path, config):
    with Recording(path) as recording:
        reader = FrameReader(recording, select(recording, overrides_of(recording, config)), config)
        made = list(reader)
        reader._intake.source('color').network.close()
    return made


def test_views_of_a_plain_camera_become_objects_in_metres(installed, shown, tmp_path):
    """Poses from TF are given in, and their baselines tell the scale; a whole session."""
    alone = [item for item in messages(shown) if '/depth/' not in item.topic]
    made = read(write(tmp_path / 'r', alone), installed)
    assert all(isinstance(frame, Frame) for frame in made)
    # One view has no baseline: it is not known how long a metre is.
    assert np.isnan(made[0].depth_m).all()
    for frame, truth in zip(made[1:], shown[1:], strict=True):
        known = np.isfinite(frame.depth_m)
        assert known.mean() > 0.9 and not frame.measured[known].any()
        ratio = frame.depth_m[known] / truth.depth_m[known]
        assert abs(np.median(ratio) - 1) < 0.01
        assert np.nanmax(frame.sigma_m / frame.depth_m) < 0.05
    default = Config()
    session = Session.from_config(
        replace(
            default,
            reconstruction=replace(default.reconstruction, backend='geometric'),
            segmentation=replace(default.segmentation, backend='geometric'),
        )
    )
    results = [session.step(frame) for frame in made]
    session.close()
    centers = sorted(
        float(item.T_fixed_obj[0, 3] + item.T_fixed_obj[0, :3] @ item.box_center_m)
        for item in results[-1].scene.objects
    )
    assert np.allclose(centers, [0.0, 0.16], atol=0.03)


def test_holes_of_a_depth_camera_are_filled_from_one_view(installed, shown, tmp_path):
    pointmap = shown[0].pointmap.copy()
    pointmap[40:80, 60:100] = np.nan
    holed = replace(shown[0], pointmap=pointmap)
    (made,) = read(write(tmp_path / 'r', messages([holed])), installed)
    hole = np.isnan(pointmap[..., 2])
    assert np.array_equal(~made.measured, hole & np.isfinite(made.depth_m))
    assert np.isfinite(made.depth_m[hole]).mean() > 0.95
    assert np.median(np.abs(made.depth_m / shown[0].depth_m - 1)[hole]) < 0.01


def test_an_installation_that_fails_costs_what_it_would_have_said(
    installed, shown, tmp_path, caplog
):
    lost = replace(installed.depth_anything_3, checkpoint=str(tmp_path / 'nothing.npz'))
    config = replace(installed, depth_anything_3=lost)
    (made,) = read(write(tmp_path / 'r', messages(shown[:1])), config)
    assert np.allclose(made.depth_m, shown[0].depth_m, atol=1e-3)
    assert 'Depth Anything 3 failed' in caplog.text and 'nothing.npz' in caplog.text
    alone = [item for item in messages(shown[:1]) if '/depth/' not in item.topic]
    (bad,) = read(write(tmp_path / 's', alone), config)
    assert isinstance(bad, BadFrame) and 'nothing.npz' in bad.reason
    with pytest.raises(BackendError, match='without an interpreter'):
        DepthAnything3Source(PointmapConfig())


def test_baselines_tell_the_scale_also_on_a_straight_path():
    known = np.array([[0.0, 0, 0], [0.1, 0, 0], [0.2, 0, 0]])
    found = scale_of_baselines(known[:, [1, 2, 0]] / 4.0 + 0.3, known)
    assert found.scale == pytest.approx(4.0)
    depth = np.array([0.5])
    assert found.sigma(depth) / found(depth) == pytest.approx(0.02)
    # Two views say less, a camera that stands and distances that disagree nothing.
    two = scale_of_baselines(known[:2] / 4.0, known[:2])
    assert 0.03 < float((two.sigma(depth) / two(depth))[0]) < 0.05
    assert scale_of_baselines(known / 4.0, known * 0.05) is None
    bent = known.copy()
    bent[1] = [0.03, 0, 0]
    assert scale_of_baselines(bent, known) is None
