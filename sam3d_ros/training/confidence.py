# SPDX-License-Identifier: Apache-2.0
"""Fit the calibration of face confidence.

``python -m sam3d_ros.training.confidence --objects DIR`` completes what single frames of worlds
show, made of the scans' train split and of procedural solids that no training saw (the learned
completion knows most of the scans), own masks, every shipped backend, and logs the constants of
``reconstruction/surface/confidence.py``. A minute on a CPU.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from scipy.spatial import cKDTree

from sam3d_ros.core.registry import load_backend
from sam3d_ros.core.types import BoolArray, Float32Array, FloatArray, Frame, Instances
from sam3d_ros.geometry.shapes.meshes import sample_surface
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.reconstruction.completion.completion import Completion
from sam3d_ros.reconstruction.completion.consistent import consistent_distance
from sam3d_ros.reconstruction.config import ReconstructionConfig
from sam3d_ros.reconstruction.evidence.evidence import Evidence, build_evidence
from sam3d_ros.reconstruction.surface.confidence import face_features, tolerance_m
from sam3d_ros.reconstruction.surface.meshing import finished_surface
from sam3d_ros.reconstruction.views import crop_view
from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.world.samples import Sample, samples
from sam3d_ros.world.sources import ObjectSource, ProceduralSource, ScanSource
from sam3d_ros.world.suites import make_episode

LOG = logging.getLogger(__name__)

SCHEDULE = (('spaced', range(1000, 1010)), ('clutter', range(1000, 1006)))
BACKENDS = ('volume', 'geometric')
FACES = 1000
TRUTH_SAMPLES = 40_000
LEAST_SHARE = 0.5
"""A mask belongs to the object that fills so much of it."""

Lessons = tuple[Float32Array, BoolArray]
"""(F, 3) features of faces, and (F,) whether the true surface was near."""


def main() -> None:
    """Fit the constants and log them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--objects', type=Path, required=True, help='folder of scanned objects')
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    lessons = list(_lessons(arguments.objects))
    features, right = (np.concatenate(part) for part in zip(*lessons, strict=True))
    offset, weights = fit(features, right)
    LOG.info('%d faces, %.2f of them right', len(right), right.mean())
    LOG.info('OFFSET = %.2f, WEIGHTS = %s', offset, np.round(weights, 2).tolist())


def fit(features: Float32Array, right: BoolArray) -> tuple[float, FloatArray]:
    """Return offset and weights of the logistic regression with the least cross entropy.

    :param features: (F, K).
    :param right: (F,).
    """
    X = np.concatenate([np.ones((len(features), 1)), features], axis=1)
    sign = np.where(right, -1.0, 1.0)

    def loss(beta: FloatArray) -> tuple[float, FloatArray]:
        z = sign * (X @ beta)
        slope = sign / (1.0 + np.exp(-z))
        return float(np.logaddexp(0.0, z).mean()), slope @ X / len(X)

    beta = minimize(loss, np.zeros(X.shape[1]), jac=True, method='L-BFGS-B').x
    return float(beta[0]), np.asarray(beta[1:], np.float64)


def _lessons(folder: Path) -> Iterator[Lessons]:
    sources: tuple[ObjectSource, ...] = (ScanSource(folder, 'train'), ProceduralSource())
    config, found_by = ReconstructionConfig(), SegmentationConfig()
    segmenter = load_backend('segmentation', found_by.backend)(found_by)
    backends = [load_backend('reconstruction', name)(config) for name in BACKENDS]
    for source, (suite, seeds) in product(sources, SCHEDULE):
        for seed in seeds:
            sample = next(samples(episode := make_episode(suite, seed, source, frames=1)))
            LOG.info('%s %d', suite, seed)
            meshes = [(solid.vertices_m, solid.faces) for solid in episode.objects]
            truths = [
                cKDTree(apply(T, sample_surface(vertices.astype(float), faces, TRUTH_SAMPLES)))
                for T, (vertices, faces) in zip(sample.truth.T_fixed_obj, meshes, strict=True)
            ]
            frame = sample.frame()
            seen = list(_seen(sample, frame, segmenter.segment(frame), config))
            for backend in backends:
                made = backend.complete([evidence for evidence, _ in seen])
                for (evidence, number), completion in zip(seen, made, strict=True):
                    yield _lesson(evidence, completion, truths[number], config.max_faces)


def _seen(
    sample: Sample, frame: Frame, instances: Instances, config: ReconstructionConfig
) -> Iterator[tuple[Evidence, int]]:
    """Yield the evidence of every mask that is of one object, and the object's index."""
    for index, item in enumerate(instances.items):
        counts = np.bincount(sample.truth.instances[item.mask], minlength=2)
        number = int(counts[1:].argmax())
        view = crop_view(frame, instances, index)
        if counts[number + 1] > LEAST_SHARE * counts.sum() and view.own.any():
            yield build_evidence([view], config.evidence), number


def _lesson(evidence: Evidence, completion: Completion, truth: cKDTree, max_faces: int) -> Lessons:
    distance_m = consistent_distance(evidence, completion)
    vertices, faces = finished_surface(distance_m, evidence, max_faces)
    faces = faces[:: max(1, len(faces) // FACES)]
    features = face_features(vertices, faces, completion.probability, evidence)
    centres = vertices[faces].mean(axis=1, dtype=np.float64)
    far, _ = truth.query(apply(evidence.grid.T_ref_grid, centres))
    return features, far <= tolerance_m(evidence)


if __name__ == '__main__':
    main()
