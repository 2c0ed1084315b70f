# SPDX-License-Identifier: Apache-2.0
"""The stage language: what each track is called and which colours it has, kept over time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np
from scipy.special import softmax

from sam3d_ros.core.names import Named
from sam3d_ros.core.state import from_tree, to_tree
from sam3d_ros.core.types import (
    ByteArray,
    Float32Array,
    FloatArray,
    Frame,
    Instance,
    Reconstruction,
    Reconstructions,
    Track,
    Tracks,
)
from sam3d_ros.geometry.crops import crop
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.language.colors import TERMS, shares, white_balance
from sam3d_ros.language.config import LanguageConfig
from sam3d_ros.language.kinds import KINDS
from sam3d_ros.language.shape import features, measure

LOG = logging.getLogger(__name__)
FADES = 0.9
"""What a frame leaves of the weight of the colours that were seen before it."""
MOST_PIXELS = 400
LEAST_PIXELS = 20
COARSE = 8
"""The light is estimated on a picture so many times smaller."""
LEAST_SHARE = 0.02
MOST_LOOKS = 5
"""So many looks at an object are enough, until it shows more of itself."""
LARGER = 1.4
"""It does so when its mask is so much larger than at any look before."""
LOOK_PIXELS = 60
APPEARANCE = 64
LISTED = 5
SWITCH = 0.08
"""By so much another name must be likelier before it takes the place of the one that was told."""


class Namer(Protocol):
    """Says what a thing looks like."""

    def look(self, picture: ByteArray, shape: Float32Array) -> tuple[Float32Array, Float32Array]:
        """Return (KINDS,) float32 log-odds of each kind, and (64,) what the picture looks like.

        :param picture: (SIDE, SIDE, 3) uint8 RGB crop.
        :param shape: of :func:`sam3d_ros.language.shape.features`.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Impression:
    """What is known of one track.

    :param colors: (TERMS,) float64 sums of the shares of each colour name, by weight.
    :param weight: of all frames that count.
    :param votes: how often other models gave it each name; those of late weigh more.
    :param odds: (KINDS,) float64 sums of the log-odds of each kind, by weight.
    :param appearance: (64,) float64 sums of what the pictures look like, by weight.
    :param looked: weight of all looks.
    :param looks: how many.
    :param largest_px: pixels of the largest mask that was looked at.
    :param told: the kind that was told last, -1 = none.
    """

    colors: FloatArray = field(default_factory=lambda: np.zeros(len(TERMS)))
    weight: float = 0.0
    votes: dict[str, float] = field(default_factory=dict)
    odds: FloatArray = field(default_factory=lambda: np.zeros(len(KINDS)))
    appearance: FloatArray = field(default_factory=lambda: np.zeros(APPEARANCE))
    looked: float = 0.0
    looks: int = 0
    largest_px: int = 0
    told: int = -1

    @property
    def probability(self) -> FloatArray:
        """(KINDS,) of each kind, by all looks together."""
        return np.asarray(softmax(self.odds / max(self.looked, 1e-9)))


class NamingStage:
    """Names and colours of all tracks.

    :param config: what is looked at.
    :param say: takes what a user should know, a sentence at a time.
    :param wait: whether a frame waits for all looks that are due; else there is one at a time, in
        a thread beside the poses, and a later frame takes it over.
    """

    def __init__(
        self,
        config: LanguageConfig | None = None,
        say: Callable[[str], object] = LOG.warning,
        *,
        wait: bool = True,
    ) -> None:
        self._config = config or LanguageConfig(names=False)
        self._threads = None if wait else ThreadPoolExecutor(1, 'names')
        self._looking: Future[_Look] | None = None
        self._known: dict[int, Impression] = {}
        self._namer: Namer | None = None
        if self._config.names:
            from sam3d_ros.language.looking.namer import LookNamer

            try:
                self._namer = LookNamer(self._config.device)
            except ModuleNotFoundError as error:
                say(f'language: {error}: nothing is named by its looks; for names install it')

    def clear(self) -> None:
        """Forget every track."""
        self._known, self._looking = {}, None

    def close(self) -> None:
        """End the thread that looks."""
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)

    def state(self) -> Any:
        """Return what is remembered, as a tree of :mod:`core.state`."""
        return to_tree(self._known)

    def restore(self, state: Any) -> None:
        """Remember what :meth:`state` returned, and nothing else.

        :raises InputError: when it is of another version.
        """
        self._known, self._looking = from_tree(dict[int, Impression], state), None

    def update(
        self, frame: Frame, tracks: Tracks, reconstructions: Reconstructions
    ) -> Mapping[int, Named]:
        """Return what the tracks that a frame shows are called.

        :param frame: frames of one camera come in stamp order.
        :param tracks: all living tracks after it; others are forgotten.
        :param reconstructions: of the tracks seen in it.
        """
        if self._looking is not None and self._looking.done():
            looked, self._looking = self._looking, None
            self._remember(looked.result())
        alive = {track.id for track in tracks.items}
        self._known = {key: known for key, known in self._known.items() if key in alive}
        seen = [track for track in tracks.items if track.instance >= 0]
        light = None
        if self._config.colors and seen:
            light = white_balance(np.ascontiguousarray(frame.rgb[::COARSE, ::COARSE]))
        for track in seen:
            item = tracks.instances.items[track.instance]
            known = self._known.get(track.id, Impression())
            if item.label:
                votes = {name: FADES * share for name, share in known.votes.items()}
                votes[item.label] = votes.get(item.label, 0.0) + 1.0
                known = replace(known, votes=votes)
            if light is not None:
                known = self._with_colors(known, frame.rgb, item, light)
            self._known[track.id] = known
        if self._namer is not None:
            made = {item.track_id: item for item in reconstructions.items}
            due = [track for track in seen if track.id in made and self._is_due(track, tracks)]
            due.sort(key=lambda track: (self._known[track.id].looks, track.id))
            items = tracks.instances.items
            asked = [
                partial(_look, self._namer, frame, items[track.instance], made[track.id])
                for track in due
            ]
            if self._threads is None:
                for look in asked:
                    self._remember(look())
            elif asked and self._looking is None:
                self._looking = self._threads.submit(asked[0])
        return self.named(track.id for track in seen)

    def _is_due(self, track: Track, tracks: Tracks) -> bool:
        """Whether a look at a track would tell something new."""
        known = self._known[track.id]
        pixels = int(np.count_nonzero(tracks.instances.items[track.instance].mask))
        is_new = known.looks < MOST_LOOKS or pixels > LARGER * known.largest_px
        return is_new and pixels >= max(LOOK_PIXELS, known.largest_px // 2)

    def _remember(self, look: _Look) -> None:
        """Remember what a track looks like, if it lives."""
        if (known := self._known.get(look.track_id)) is None:
            return
        weight = float(np.sqrt(look.pixels))
        known = replace(
            known,
            odds=known.odds + weight * look.odds,
            appearance=known.appearance + weight * look.appearance,
            looked=known.looked + weight,
            looks=known.looks + 1,
            largest_px=max(known.largest_px, look.pixels),
        )
        probability = known.probability
        best = int(probability.argmax())
        if known.told < 0 or probability[best] > probability[known.told] + SWITCH:
            known = replace(known, told=best)
        self._known[look.track_id] = known

    def named(self, ids: Iterable[int]) -> Mapping[int, Named]:
        """Return what those of some tracks that are known are called.

        :param ids: of the tracks.
        """
        return {key: _named(self._known[key]) for key in ids if key in self._known}

    def _with_colors(
        self, known: Impression, rgb: ByteArray, item: Instance, light: FloatArray
    ) -> Impression:
        pixels = inner_pixels(rgb, item)
        if len(pixels) < LEAST_PIXELS:
            return known
        weight = float(np.sqrt(len(pixels)))
        few = pixels[:: -(-len(pixels) // MOST_PIXELS)]
        colors = FADES * known.colors + weight * shares(few, light)
        return replace(known, colors=colors, weight=FADES * known.weight + weight)


class _Look(NamedTuple):
    """What one look at a track told: of each kind the log-odds, what it looks like, its pixels."""

    track_id: int
    odds: Float32Array
    appearance: Float32Array
    pixels: int


def _look(namer: Namer, frame: Frame, item: Instance, made: Reconstruction) -> _Look:
    points = apply(made.T_cam_obj, made.mesh.vertices_m.astype(np.float64))
    surface = measure(points, made.mesh.faces, frame.up_cam)
    told = namer.look(crop(frame.rgb, item.mask, item.box_px), features(surface))
    return _Look(made.track_id, *told, int(np.count_nonzero(item.mask)))


def inner_pixels(rgb: ByteArray, item: Instance) -> ByteArray:
    """Return (N, 3) uint8 colours of the pixels of a mask, without its border.

    :param rgb: (H, W, 3) uint8.
    :param item: with the mask.
    """
    left, top, right, bottom = item.box_px
    own = item.mask[top:bottom, left:right]
    inner = cv2.erode(own.view(np.uint8), np.ones((3, 3), np.uint8), borderValue=0) > 0
    colors: ByteArray = rgb[top:bottom, left:right][inner]
    return colors if len(colors) >= LEAST_PIXELS else rgb[top:bottom, left:right][own]


def _named(known: Impression) -> Named:
    """Return the names of what is known of a track, the likeliest first."""
    share = known.colors / max(known.weight, 1e-9)
    order = [int(k) for k in np.argsort(-share, kind='stable') if share[k] >= LEAST_SHARE]
    colors = tuple((TERMS[k], round(float(share[k]), 4)) for k in order)
    length = float(np.linalg.norm(known.appearance))
    unit = known.appearance / length if length else known.appearance[:0]
    appearance = tuple(unit.round(3).tolist())
    if known.votes:
        total = sum(known.votes.values())
        ranked = sorted(known.votes.items(), key=lambda pair: (-pair[1], pair[0]))
        labels = tuple((name, vote / total) for name, vote in ranked[:LISTED])
        return Named(*labels[0], labels, colors, appearance)
    if known.told < 0:
        return Named(colors=colors, appearance=appearance)
    probability = known.probability
    best = [int(k) for k in np.argsort(-probability, kind='stable')[:LISTED]]
    labels = tuple((KINDS[k], round(float(probability[k]), 4)) for k in best)
    score = float(probability[known.told])
    return Named(KINDS[known.told], score, labels, colors, appearance)
