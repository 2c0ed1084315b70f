# SPDX-License-Identifier: Apache-2.0
"""Backend ``mini``: patches cut and put together by a small network and geometry together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from sam3d_ros.core.types import (
    BoolArray,
    BoxPrompt,
    Float32Array,
    FloatArray,
    Frame,
    IndexArray,
    Instance,
    Instances,
    MaskPrompt,
    PointPrompt,
    Prompt,
)
from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.segmentation.geometric import as_instances, everything
from sam3d_ros.segmentation.latest import OfLatest
from sam3d_ros.segmentation.limbs import limb_at
from sam3d_ros.segmentation.mini.answering import expected_iou, gathered, likeliest, patch_logits
from sam3d_ros.segmentation.mini.asking import (
    OUTLINE_STRIDE,
    Question,
    about_box,
    about_mask,
    about_points,
    batched,
)
from sam3d_ros.segmentation.mini.fusion import pair_log_odds
from sam3d_ros.segmentation.mini.hierarchy import BIASES, best_pieces
from sam3d_ros.segmentation.mini.network import STRIDE, Encoded, Network
from sam3d_ros.segmentation.mini.sight import Sight, look
from sam3d_ros.segmentation.mini.wholes import Wholes, whole_network
from sam3d_ros.segmentation.partition.merge import merge_levels
from sam3d_ros.segmentation.partition.partition import (
    PairedPatches,
    Partition,
    find_surfaces,
    grouped,
    pair_patches,
    partition_of,
    sized,
)
from sam3d_ros.segmentation.prompts import (
    Selection,
    asked_region,
    best_in,
    candidates_in,
    clicked_patches,
    corrected,
    refusal,
    selection,
)

WORDS = {PointPrompt: 'point', BoxPrompt: 'box', MaskPrompt: 'mask'}
MOST_ANSWERS = 3
LIMB, LIMB_SCORE = 0.6, 0.55
"""Largest share of a thing that is a limb of it; mean IoU of a limb and the part that is meant, in
worlds of mugs, pans and bottles."""
CRUMB = 0.2
"""Patches of up to this share of a thing that touch it may be pieces of its limbs."""
LARGER, SMALLER = 1.15, 0.85
"""An alternative is so much larger or smaller than the likeliest answer."""
PIECES = (-6.0, -3.5)
"""Added to the log-odds of pairs where the thing that a click is on is taken apart."""
PROMPTED = np.float32(-1.5)
"""Added to the log-odds of pairs where a prompt is answered: small patches join too easily."""


class MiniSegmenter:
    """Geometry and network together say where things end, and which patches are one thing.

    :raises BackendError: when the weights are missing or not the registered ones, or the device
        cannot be used.
    """

    def __init__(self, config: SegmentationConfig) -> None:
        self._config = config
        self._network = Network.registered(config.device)
        self._paired = OfLatest(self._pair)
        self._prompted = OfLatest(self._view_of_prompts)

    def segment(self, frame: Frame, prompts: Sequence[Prompt] = ()) -> Instances:
        """Return the things that ``prompts`` ask for; without prompts, all there are.

        A single point is answered with up to three overlapping masks, best first; every other
        prompt with at most one. The frame is encoded once for all prompts, also for those that
        come in further calls with the same frame. Without any return there is nothing.

        :raises PromptError: when a prompt is malformed, or is a phrase or an exemplar.
        """
        if not np.isfinite(frame.depth_m).any():
            return Instances(frame.stamp_ns, (), ())
        view = self._prompted(frame) if prompts else self._view_of_all(frame)
        supports = tuple(support.plane for support in view.found.structure.supports)
        items = (
            self._answered(view, frame, prompts) if prompts else everything(view.things, 'mini')
        )
        return Instances(frame.stamp_ns, tuple(items), supports)

    def _view_of_prompts(self, frame: Frame) -> _View:
        """Take a frame apart for prompts, once for all of them."""
        sight, found, log_odds = self._paired(frame)
        log_odds = log_odds + PROMPTED
        things = grouped(found, log_odds, frame.sensor, self._config)
        return _View(found, sight.encoded, log_odds, things)

    def _view_of_all(self, frame: Frame) -> _View:
        """Take a frame apart, first by what the network sees, then by geometry."""
        sight, found, log_odds = self._paired(frame)
        levels = merge_levels(found.pairs, log_odds, found.regions.area, BIASES)
        kept = [sized(found, level, frame.sensor, self._config) for level in levels]
        wholes = Wholes(sight, found, log_odds)
        odds = [whole_network().log_odds(wholes.features(level)) for level in levels]
        things = partition_of(found, *best_pieces(levels, kept, odds))
        return _View(found, sight.encoded, log_odds, things)

    def _pair(self, frame: Frame) -> _Paired:
        """Cut a frame into patches, and say of pairs of them how likely they are one thing."""
        sight = look(self._network, frame, find_surfaces(frame, self._config), self._config)
        found = pair_patches(sight.things_only(), frame)
        bias = np.float32(self._config.geometric.join_bias)
        return sight, found, pair_log_odds(found, sight.encoded) + bias

    def _answered(
        self, view: _View, frame: Frame, prompts: Sequence[Prompt]
    ) -> Iterator[Instance]:
        space = _Space.of(frame, view.found)
        asked = batched([_question(prompt, space, view.things.patches) for prompt in prompts])
        answer = self._network.decode(view.encoded, asked.points, asked.labels, asked.outline)
        logits = patch_logits(answer, view.found.patches)
        for prompt, by_mask, quality in zip(prompts, logits, answer.quality, strict=True):
            source = f'mini:{WORDS[type(prompt)]}'
            yield from as_instances(_answers(view, prompt, by_mask, quality), source)


_Paired = tuple[Sight, PairedPatches, Float32Array]
"""What a frame looks like, its patches, and the log-odds of their pairs."""


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """A frame taken apart: patches, how likely they belong together, and things."""

    found: PairedPatches
    encoded: Encoded
    log_odds: Float32Array
    things: Partition


@dataclass(frozen=True, slots=True)
class _Space:
    """How places in the frame become places in the network's input, which is padded.

    :param shape: rows and columns of the frame.
    :param rows: rows of the input, a multiple of the network's stride; likewise ``columns``.
    :param step: pixels of the frame per cell of the input.
    """

    shape: tuple[int, int]
    rows: int
    columns: int
    step: int

    @classmethod
    def of(cls, frame: Frame, found: PairedPatches) -> _Space:
        """Return the space of a frame."""
        rows, columns = (-(-size // STRIDE) * STRIDE for size in found.patches.shape)
        return cls(frame.depth_m.shape, rows, columns, found.grid.step)

    @property
    def scale(self) -> FloatArray:
        """(2,) pixels of the frame that the input spans, across and down."""
        return np.array([self.columns, self.rows], np.float64) * self.step

    def whole(self, mask: BoolArray) -> BoolArray:
        """Return a mask of the frame over the whole of the network's input."""
        whole = np.zeros((self.rows * self.step, self.columns * self.step), bool)
        whole[: mask.shape[0], : mask.shape[1]] = mask[: whole.shape[0], : whole.shape[1]]
        return whole

    @property
    def outline(self) -> tuple[int, int]:
        """Rows and columns of the grid of outlines."""
        return self.rows // OUTLINE_STRIDE, self.columns // OUTLINE_STRIDE


def _question(prompt: Prompt, space: _Space, patches: IndexArray) -> Question:
    """Turn a prompt into the network's terms.

    :raises PromptError: when it is malformed, or of a kind that is not served.
    """
    match prompt:
        case PointPrompt():
            clicked_patches(patches, prompt)
            points = (np.array(prompt.points_px, np.float64).reshape(-1, 2) + 0.5) / space.scale
            question = about_points(points, prompt.labels, space.outline)
            if prompt.before is not None:
                rough = about_mask(space.whole(prompt.before > 0), space.outline).outline
                question.outline[:] = rough
            return question
        case BoxPrompt():
            asked_region(prompt, space.shape)
            box = np.array(prompt.box_px, np.float64).reshape(2, 2) / space.scale
            return about_box(np.clip(box, 0, 1).ravel().tolist(), space.outline)
        case MaskPrompt():
            mask = asked_region(prompt, space.shape).mask
            return about_mask(space.whole(mask), space.outline)
    raise refusal(prompt, 'mini')


def _answers(
    view: _View, prompt: Prompt, logits: FloatArray, quality: Float32Array
) -> tuple[Selection, ...]:
    """Return the answers to one prompt, best first.

    :param logits: (M, patches + 1), of each of the network's masks.
    :param quality: (M,) their predicted IoU.
    """
    likely = likeliest(logits, quality)
    if isinstance(prompt, PointPrompt):
        on, off = clicked_patches(view.things.patches, prompt)
        if not on:
            return ()
        best = gathered(view.found, view.log_odds, likely, on, off)
        thing = view.things.thing_of == view.things.thing_of[on[0]]
        is_corrected = prompt.before is not None
        area = view.found.regions.area
        iou = expected_iou(area, best, thing, likely, quality, is_corrected)
        sets = [(best, iou)]
        if len(prompt.points_px) == 1:
            order = np.argsort(-quality, kind='stable')
            of_network = [(logits[k] > 0, float(quality[k])) for k in order]
            sets += _alternatives(view, best, on[0], [it for it in of_network if it[0][on[0]]])
        answers = _distinct(view.things, sets)
        if len(prompt.points_px) == 1:
            answers = _with_limb(view, answers, prompt)
        answers = answers[:MOST_ANSWERS]
        if prompt.before is None:
            return answers
        mask = corrected(answers[0].mask, prompt.before > 0, prompt)
        return (replace(answers[0], mask=mask),)
    if isinstance(prompt, BoxPrompt | MaskPrompt):
        region = asked_region(prompt, view.things.patches.shape)
        candidates = [*candidates_in(view.things, region.mask), *(logits > 0), likely > 0]
        candidates.append(gathered(view.found, view.log_odds, likely, [], set()))
        return best_in(view.things, candidates, region)
    raise refusal(prompt, 'mini')


def _alternatives(
    view: _View, best: BoolArray, on: int, of_network: list[tuple[BoolArray, float]]
) -> list[tuple[BoolArray, float]]:
    """Return sets of patches that a click may mean beside the likeliest, and their scores.

    They are something larger that the network sees, and the pieces that the thing falls into when
    its patches are joined less readily.

    :param best: (patches + 1,) bool, the likeliest.
    :param on: the patch that was clicked on.
    :param of_network: sets of patches by the network, and their predicted IoU, the best first.
    """
    area = view.found.regions.area
    size = float(area[best].sum())

    def share(members: BoolArray) -> float:
        return float(area[members].sum()) / size

    levels = merge_levels(view.found.pairs, view.log_odds - PROMPTED, area, PIECES)
    pieces = [
        (it.thing_of == it.thing_of[on], float(it.certainty[it.thing_of[on]])) for it in levels
    ]
    pieces += [(np.arange(len(area)) == on, pieces[0][1])]
    larger = [(it, score) for it, score in of_network if share(it) > LARGER]
    smaller = [(it & best, score) for it, score in [*of_network, *pieces]]
    smaller = sorted(
        (it for it in smaller if share(it[0]) < SMALLER), key=lambda it: -share(it[0])
    )
    return [*larger[:1], *smaller[:1], *smaller[-1:]]


def _with_limb(
    view: _View, answers: tuple[Selection, ...], prompt: PointPrompt
) -> tuple[Selection, ...]:
    """Return the answers to a click, with the limb that it is on as the second, if it is on one.

    After it comes the smallest answer: whole, part and part of the part.
    """
    column, row = (round(value) for value in prompt.points_px[0])
    patches, whole = view.things.patches, answers[0].mask
    if not patches[row, column]:
        return answers
    own = whole | (patches == patches[row, column])
    reach = np.ones((2 * view.found.grid.step + 3,) * 2, np.uint8)
    beside = np.unique(patches[cv2.dilate(own.view(np.uint8), reach) > 0])
    most = np.count_nonzero(whole)
    pixels = view.found.regions.area[beside] * view.found.grid.step**2
    crumbs = beside[(beside > 0) & (pixels < CRUMB * most)]
    limb = limb_at(own | np.isin(patches, crumbs), row, column, view.found.grid.step)
    if not 0 < np.count_nonzero(limb) < LIMB * most:
        return answers
    part = Selection(limb, min(LIMB_SCORE, answers[0].score), answers[0].support)
    least = min(answers, key=lambda answer: np.count_nonzero(answer.mask))
    is_piece = np.count_nonzero(least.mask) < SMALLER * most
    return (answers[0], part, least) if is_piece else (answers[0], part, *answers[1:])


def _distinct(things: Partition, sets: Sequence[tuple[BoolArray, float]]) -> tuple[Selection, ...]:
    """Return the selections of sets of patches and their scores, each set once.

    No score is above the first's: how sure a piece is to be one says nothing of being meant.
    """
    answers: dict[bytes, Selection] = {}
    most = float(np.clip(sets[0][1], 0, 1))
    for members, score in sets:
        members[0] = False
        chosen = selection(things, members)
        score = float(np.clip(score, 0, most))
        answers.setdefault(members.tobytes(), Selection(chosen.mask, score, chosen.support))
    return tuple(answers.values())
