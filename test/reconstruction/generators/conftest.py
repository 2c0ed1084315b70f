# SPDX-License-Identifier: Apache-2.0
"""Configurations of generators whose installations are stand-ins."""

import dataclasses
import json
import sys
from pathlib import Path

import pytest

from sam3d_ros.reconstruction.config import ReconstructionConfig
from sam3d_ros.reconstruction.generators.config import Sam3dObjectsConfig, TripoSRConfig

STAND_INS = Path(__file__).with_name('stand_ins')


@pytest.fixture
def official(tmp_path):
    """Return a maker of configurations with a stand-in of SAM 3D Objects."""

    def make(settings=None, **changes):
        pipeline = tmp_path / 'pipeline.yaml'
        pipeline.write_text(json.dumps(settings or {}))
        own = Sam3dObjectsConfig(
            python=sys.executable,
            notebook=str(STAND_INS / 'sam3d_objects'),
            pipeline=str(pipeline),
            timeout_s=20.0,
        )
        own = dataclasses.replace(own, **changes)
        config = ReconstructionConfig(backend='sam3d_objects', sam3d_objects=own)
        return config

    return make


@pytest.fixture
def triposr():
    """Return a configuration with a stand-in of TripoSR."""
    own = TripoSRConfig(
        python=sys.executable, home=str(STAND_INS / 'triposr'), weights='none', resolution=32
    )
    return ReconstructionConfig(backend='triposr', triposr=own)
