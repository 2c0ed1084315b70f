# SPDX-License-Identifier: Apache-2.0
"""The trained network in ONNX Runtime: an encoder for every frame, a decoder for prompts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sam3d_ros.core.pretrained.inference import open_session
from sam3d_ros.core.pretrained.weights import verified_file
from sam3d_ros.core.types import Float32Array
from sam3d_ros.segmentation.mini.inputs import CHANNELS, Observation, channels

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

ENCODER, DECODER = 'mini-encoder', 'mini-decoder'
"""Names of the two files in the registry of weights."""
STRIDE = 16
"""Rows and columns of the input are multiples of this."""
USUAL_SHAPE = (240, 320)
"""Rows and columns of the input for a frame of 640x480 pixels."""
THREADS = 1
"""The geometry of the frame keeps the other core busy."""


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """One frame in the network's eyes.

    :param features: (1, F, h/2, w/2) float32 pixel features.
    :param tokens: (1, T, h/8, w/8) float32 image tokens.
    :param dense: (E + 6, h/2, w/2) float32: embedding, offset to the middle of the thing in
        decimetres along the optical axes, log-odds of a thing, log-odds that the next cell to
        the right and the next below belong to the same.
    """

    features: Float32Array
    tokens: Float32Array
    dense: Float32Array

    @property
    def embedding(self) -> Float32Array:
        """(E, h/2, w/2) in which parts of one thing are close."""
        return self.dense[:-6]

    @property
    def middle(self) -> Float32Array:
        """(3, h/2, w/2) offset to the middle of the thing, decimetres."""
        return self.dense[-6:-3]

    @property
    def thing(self) -> Float32Array:
        """(h/2, w/2) log-odds of being part of a thing."""
        return self.dense[-3]

    @property
    def joined(self) -> Float32Array:
        """(2, h/2, w/2) log-odds of hanging together with the cell to the right, and below."""
        return self.dense[-2:]


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """Answers to K prompts.

    :param masks: (K, M, h/2, w/2) float32 logits.
    :param quality: (K, M) float32 predicted IoU.
    """

    masks: Float32Array
    quality: Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """Both parts, ready to run."""

    encoder: InferenceSession
    decoder: InferenceSession

    @classmethod
    def of(cls, encoder: Path, decoder: Path, device: str = 'auto') -> Network:
        """Return the network of two files.

        :param encoder: ONNX file of the part for every frame.
        :param decoder: ONNX file of the part for prompts.
        :param device: where they run, see :func:`core.pretrained.inference.device_option`.
        """
        usual = {'channels': np.zeros((1, len(CHANNELS), *USUAL_SHAPE), np.float32)}
        return cls(
            open_session(encoder, THREADS, device, usual), open_session(decoder, THREADS, device)
        )

    @classmethod
    def registered(cls, device: str = 'auto') -> Network:
        """Return the registered weights.

        :param device: where they run.
        :raises BackendError: when they are missing or not the registered ones, or the device
            cannot be used.
        """
        return cls.of(verified_file(ENCODER), verified_file(DECODER), device)

    def see(self, seen: Observation) -> Encoded:
        """Return a frame as the network sees it; the maps reach over it at the right and below."""
        below, right = (-size % STRIDE for size in seen.valid.shape)
        return self.encode(np.pad(channels(seen), ((0, 0), (0, below), (0, right))))

    def encode(self, seen: Float32Array) -> Encoded:
        """Run the encoder on a (C, h, w) input, h and w multiples of :data:`STRIDE`."""
        features, tokens, dense = self.encoder.run(None, {'channels': seen[None]})
        return Encoded(features, tokens, dense[0])

    def decode(
        self,
        encoded: Encoded,
        points: Float32Array,
        labels: npt.NDArray[np.int64],
        outline: Float32Array,
    ) -> Answer:
        """Answer K prompts with N points each.

        :param points: (K, N, 2) x and y, 0..1 of the input.
        :param labels: (K, N) int64: 0 off, 1 on, 2 and 3 corners of a box, -1 none.
        :param outline: (K, 4, h/8, w/8): rough mask, its presence, box, its presence.
        """
        masks, quality = self.decoder.run(
            None,
            {
                'features': encoded.features,
                'tokens': encoded.tokens,
                'points': points[None],
                'labels': labels[None],
                'outline': outline[None],
            },
        )
        return Answer(masks[0], quality[0])
