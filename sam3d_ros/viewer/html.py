# SPDX-License-Identifier: Apache-2.0
"""What the panels of the page say: the image with masks, the list of objects, one object."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from html import escape

import cv2
import numpy as np

from sam3d_ros.core.people import BONES, People
from sam3d_ros.core.types import FloatArray, ObjectState, Scene, SceneObject
from sam3d_ros.geometry.cameras import project
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.messages.results.colors import id_color
from sam3d_ros.viewer.layers import EVIDENCE_RGB, HIGH_RGB, LOW_RGB, title
from sam3d_ros.viewer.moments import View

Color = FloatArray | tuple[float, ...]
"""Red, green, blue, 0..1."""
EVIDENCE = dict(zip(('seen', 'made up', 'contradicted'), EVIDENCE_RGB.values(), strict=True))
_OUTLINE_PX = 1.5
"""How far an outline may stand off the mask's."""


def css(rgb: Color) -> str:
    """Return a colour of RGB in 0..1 as CSS has it."""
    return '#' + ''.join(f'{round(255 * float(value)):02x}' for value in rgb)


def image_panel(view: View | None, scene: Scene, people: People, selected: int) -> str:
    """Return the image with outlines and names over it.

    :param view: what the camera saw; None = nothing is known of it.
    :param scene: whose names the masks have.
    :param people: whose skeletons are drawn.
    :param selected: id of the chosen object, 0 = none.
    """
    if view is None:
        return '<div class="sam3d empty">No camera image belongs to this moment.</div>'
    known = {item.id: item for item in scene.objects}
    ids = view.ids()
    shapes, names = [], []
    for track_id in np.unique(ids[ids > 0]).tolist():
        mask = (ids == track_id).astype(np.uint8)
        outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_TC89_L1)
        path = ''.join(
            'M' + 'L'.join(f'{u} {v}' for u, v in cv2.approxPolyDP(line, _OUTLINE_PX, True)[:, 0])
            + 'Z'
            for line in outlines
            if len(line) > 2
        )  # fmt: skip
        color = css(id_color(track_id))
        is_on = track_id == selected
        shapes.append(
            f'<path d="{path}" fill="{color}" fill-opacity="{0.55 if is_on else 0.28}" '
            f'stroke="{"#fff" if is_on else color}" stroke-width="{3.5 if is_on else 2}"/>'
        )
        v, u = np.nonzero(mask)
        middle = int(u.mean()), max(12, int(v.min()) - 12)
        name = title(known[track_id]) if track_id in known else str(track_id)
        names.append(_label(name, middle, color))
    for person in people.items:
        if person.skeleton is not None:
            joints = apply(inverse(view.T_fixed_cam), person.skeleton.points_m)
            ends = project(joints, view.camera)[np.array(BONES)]
            lines = ''.join(
                f'M{a[0]:.0f} {a[1]:.0f}L{b[0]:.0f} {b[1]:.0f}'
                for a, b in ends
                if np.isfinite([a, b]).all()
            )
            color = css(id_color(person.id))
            shapes.append(f'<path d="{lines}" fill="none" stroke="{color}" stroke-width="4"/>')
    width, height = view.camera.width, view.camera.height
    image = b64encode(view.jpeg).decode()
    return (
        f'<div class="sam3d-image"><svg viewBox="0 0 {width} {height}">'
        f'<image width="{width}" height="{height}" href="data:image/jpeg;base64,{image}"/>'
        f'{"".join(shapes)}{"".join(names)}</svg></div>'
    )


def _label(text: str, middle_px: tuple[int, int], color: str) -> str:
    u, v = middle_px
    width = 8.4 * len(text) + 12
    return (
        f'<rect x="{u - width / 2:.0f}" y="{v - 11}" width="{width:.0f}" height="22" rx="6" '
        f'fill="#1d2127" fill-opacity=".82" stroke="{color}"/>'
        f'<text x="{u}" y="{v + 5}" text-anchor="middle" font-size="15" fill="#fff" '
        f'font-family="system-ui, sans-serif">{escape(text)}</text>'
    )


def object_list(scene: Scene, selected: int, waiting: str) -> str:
    """Return the rows of all objects: name, state, reason, size, share that was seen.

    :param selected: id of the chosen object, 0 = none.
    :param waiting: what stands there while there are no objects.
    """
    if not scene.objects:
        return f'<div class="sam3d"><div class="empty">{escape(waiting)}</div></div>'
    rows = []
    for item in scene.objects:
        state = item.state.name.lower()
        chips = f'<span class="chip {state}">{item.state.words}</span>'
        chips += '<span class="chip locked">locked</span>' * item.locked
        size = ' × '.join(f'{100 * value:.1f}' for value in item.size_m)
        share = f'{100 * item.observed_fraction:.0f}'
        has_shape = len(item.mesh.faces) > 0
        rows.append(
            f'<div class="row{" on" * (item.id == selected)}" data-sam3d-select="{item.id}">'
            f'<span class="dot" style="background:{css(id_color(item.id))}"></span>'
            f'<div class="body">{chips}<span class="name">{escape(item.label or "object")}</span> '
            f'<span class="id">{item.id}</span><div class="why">{escape(item.state_reason)}</div>'
            f'<div class="why">{size} cm'
            + (f' · {share} % of it seen' if has_shape else ' · no shape yet')
            + '</div>'
            + f'<div class="bar"><i style="width:{share}%"></i></div>' * has_shape
            + '</div></div>'
        )
    keys = _keys({name: EVIDENCE[name] for name in ('seen', 'made up')})
    return f'<div class="sam3d"><div class="keys">{keys}</div>{"".join(rows)}</div>'


def object_details(item: SceneObject, stamp_ns: int) -> str:
    """Return a table of one object: where it is, how sure that is, who made its shape.

    :param item: the object.
    :param stamp_ns: of the moment that is shown.
    """
    x, y, z = item.T_fixed_obj[:3, 3]
    sigma_mm = 1e3 * np.sqrt(np.maximum(np.diag(item.covariance)[:3], 0))
    ago_s = (stamp_ns - item.last_seen_ns) * 1e-9
    rows = {
        'Position': f'{x:.3f}, {y:.3f}, {z:.3f} m',
        'Uncertainty': f'± {", ".join(f"{value:.1f}" for value in sigma_mm)} mm (1 σ)',
        'Size': f'{" × ".join(f"{100 * v:.1f}" for v in item.size_m)} cm '
        f'(± {100 * item.scale_sigma:.0f} %)',
        'Shape': f'{item.provenance.backend}, {len(item.mesh.faces)} faces'
        if len(item.mesh.faces)
        else 'none yet: points alone',
        'Last seen': 'now' if ago_s < 0.05 else f'{ago_s:.1f} s ago',
        'State': f'{item.state.words}: {item.state_reason}',
        'Score': f'{item.score:.2f}',
    }
    table = ''.join(f'<tr><td>{k}</td><td>{escape(v)}</td></tr>' for k, v in rows.items())
    return f'<div class="sam3d"><table>{table}</table></div>'


def legend(coloring: str) -> str:
    """Return what the colours of meshes mean.

    :param coloring: one of ``layers.COLORINGS``.
    """
    colors: Mapping[str, Mapping[str, Color]] = {
        'evidence': EVIDENCE,
        'confidence': {'unsure': LOW_RGB, 'sure within 5 mm': HIGH_RGB},
    }
    return f'<div class="sam3d">{_keys(colors.get(coloring, {}))}</div>'


def _keys(colors: Mapping[str, Color]) -> str:
    return ''.join(
        f'<span class="key"><i style="background:{css(rgb)}"></i>{name}</span>'
        for name, rgb in colors.items()
    )


def counted(scene: Scene) -> str:
    """Return how many objects a scene has, by state."""
    by_state = {state: sum(item.state == state for item in scene.objects) for state in ObjectState}
    parts = [f'{count} {state.words}' for state, count in by_state.items() if count]
    return ', '.join(parts) or 'no objects'
