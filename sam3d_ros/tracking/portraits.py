# SPDX-License-Identifier: Apache-2.0
"""Is what is shown here the thing that was shown there? By pictures, where colours say so already.

The features of a picture encoder decide where they are sure. Where they are not, local features
are matched, XFeat's (Potje et al., CVPR 2024): of one thing, most lie to each other as an affine
map has them (RANSAC).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from sam3d_ros.core.errors import BackendError
from sam3d_ros.core.pretrained.local_features import CELL_PX, LocalFeatures, mutual_matches
from sam3d_ros.core.pretrained.pictures import PictureEncoder
from sam3d_ros.core.types import BoolArray, ByteArray, Float32Array, Frame, Instance
from sam3d_ros.geometry.crops import crop_with_mask
from sam3d_ros.tracking.config import PortraitConfig

LOG = logging.getLogger(__name__)
REACH_PX = 10.0
"""Matches within this of an affine map fit it."""
LEAST_MATCHES = 6
LEAST_PX = 150
"""Masks of fewer pixels make no picture."""
LARGER = 1.2
"""A picture takes the place of one that shows so much less."""
REMEMBERED = 200
"""Features of so many pictures are kept in memory."""
APART_NS = 1_000_000_000
"""After so long another picture is taken, since things turn and the camera moves."""


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """How one frame showed an object.

    :param picture: (SIDE, SIDE, 3) uint8 RGB, the object in the middle, the rest faded.
    :param own: (SIDE, SIDE) bool, which pixels are the object's.
    :param pixels: of the object in the frame.
    :param stamp_ns: of the frame.
    """

    picture: ByteArray
    own: BoolArray
    pixels: int
    stamp_ns: int

    @classmethod
    def of(cls, frame: Frame, instance: Instance) -> Portrait | None:
        """Return the portrait of an instance of a frame, None where its mask is too small."""
        left, top, right, bottom = instance.box_px
        pixels = int(np.count_nonzero(instance.mask[top:bottom, left:right]))
        if pixels < LEAST_PX:
            return None
        picture, own = crop_with_mask(frame.rgb, instance.mask, instance.box_px)
        return cls(picture, own, pixels, frame.stamp_ns)


def kept(known: Sequence[Portrait], frame: Frame, instance: Instance) -> list[Portrait]:
    """Return the portraits to keep of an object: the largest, and the latest.

    :param known: those kept so far, in the order of their stamps.
    :param frame: that shows the object.
    :param instance: which shows it.
    """
    pixels = int(np.count_nonzero(instance.mask))
    largest = max((item.pixels for item in known), default=0)
    is_due = not known or frame.stamp_ns - known[-1].stamp_ns >= APART_NS
    if not is_due and pixels < LARGER * largest:
        return list(known)
    new = Portrait.of(frame, instance)
    if new is None:
        return list(known)
    older = [item for item in known if item.pixels == largest][:1]
    return [*older, new] if largest * LARGER > new.pixels else [new]


@dataclass(slots=True, eq=False)
class _Read:
    """What the networks made of a portrait, as far as they were asked.

    :param portrait: of whom; held, so that nobody else gets its identity.
    :param features: unit features of the encoder.
    :param local: descriptors and places, see :meth:`Looks._local`.
    """

    portrait: Portrait
    features: Float32Array | None = None
    local: tuple[Float32Array, Float32Array] | None = None


@dataclass(slots=True, eq=False)
class Looks:
    """Compares portraits. Its networks are loaded when first needed; each portrait is read once.

    :param config: from which likeness on two are the same.
    """

    config: PortraitConfig
    _encoder: PictureEncoder | None = None
    _matcher: LocalFeatures | None = None
    _is_missing: bool = False
    _read: dict[int, _Read] = field(default_factory=dict)

    @property
    def are_there(self) -> bool:
        """Whether pictures can be compared: wanted, and the networks are there."""
        if self.config.enabled and self._encoder is None and not self._is_missing:
            try:
                self._encoder = PictureEncoder(self.config.device)
                self._matcher = LocalFeatures(self.config.device)
            except (BackendError, ModuleNotFoundError) as error:
                self._is_missing = True
                LOG.warning('what comes back is known again by size and colours alone: %s', error)
        return self.config.enabled and not self._is_missing

    def likeness(
        self, known: Sequence[Portrait], seen: Portrait, is_doubtful: bool = False
    ) -> float:
        """Return how alike a thing looks and one that is known, 0..2; 0 = it is another one.

        :param known: all portraits of one.
        :param seen: the other's.
        :param is_doubtful: other signs are against it, so that the encoder has to be sure.
        """
        found = 0.0
        for portrait in known:
            cosine = float(self._features(portrait) @ self._features(seen))
            if cosine < (self.config.same if is_doubtful else self.config.unlike):
                continue
            share = self._matched(portrait, seen)
            if cosine >= self.config.same or share >= self.config.matches:
                found = max(found, cosine + share)
        return found

    def _features(self, portrait: Portrait) -> Float32Array:
        """Return the unit features of a picture."""
        read = self._reading(portrait)
        if read.features is None:
            assert self._encoder is not None
            features = self._encoder.features(portrait.picture)
            read.features = features / np.linalg.norm(features)
        return read.features

    def _reading(self, portrait: Portrait) -> _Read:
        """Return what is remembered of a portrait, empty where it is among the latest no more."""
        known = self._read.get(id(portrait))
        if known is None or known.portrait is not portrait:
            if len(self._read) > REMEMBERED:
                self._read.clear()
            known = self._read[id(portrait)] = _Read(portrait)
        return known

    def _matched(self, one: Portrait, other: Portrait) -> float:
        """Return the share of the smaller thing's places that are found on the other's."""
        (here, places), (there, other_places) = self._local(one), self._local(other)
        fewest = min(len(here), len(there))
        if fewest < LEAST_MATCHES:
            return 0.0
        at, to = mutual_matches(here, there)
        if len(at) < LEAST_MATCHES:
            return 0.0
        _, fits = cv2.estimateAffine2D(
            places[at], other_places[to], method=cv2.RANSAC,
            ransacReprojThreshold=REACH_PX, maxIters=500,
        )  # fmt: skip
        return 0.0 if fits is None else float(fits.sum()) / fewest

    def _local(self, portrait: Portrait) -> tuple[Float32Array, Float32Array]:
        """Return (N, 64) unit descriptors of the object's cells, and their (N, 2) places, px."""
        read = self._reading(portrait)
        if read.local is not None:
            return read.local
        grey = cv2.cvtColor(portrait.picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
        grey[~portrait.own] = grey[portrait.own].mean() if portrait.own.any() else 0.0
        assert self._matcher is not None
        dense = self._matcher.of(grey)
        half = CELL_PX // 2
        rows, columns = np.nonzero(portrait.own[half::CELL_PX, half::CELL_PX])
        places = np.stack([columns, rows], axis=1).astype(np.float32) * CELL_PX + half
        read.local = dense[rows, columns], places
        return read.local
