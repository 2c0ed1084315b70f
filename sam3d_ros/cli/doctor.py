# SPDX-License-Identifier: Apache-2.0
"""Look at the inputs, live or recorded, and at this installation; say what to do.

The exit code is 1 when something would stop the pipeline.
"""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec

from sam3d_ros.cli.inputs import (
    add_place_arguments,
    named_topics,
    opened,
    reading_config,
)
from sam3d_ros.core.errors import BackendError, Sam3dError
from sam3d_ros.core.pretrained.inference import describe
from sam3d_ros.core.pretrained.weights import models_folder, read_registry, verified_file
from sam3d_ros.core.registry import backend_names, load_backend
from sam3d_ros.pipeline.cameras import read_cameras
from sam3d_ros.pipeline.checkup import Finding, Level, check_up
from sam3d_ros.pipeline.offset_checkup import offsets
from sam3d_ros.session.config import Config, load_config

INTERFACES = ('tf2_msgs', 'vision_msgs', 'moveit_msgs', 'sam3d_msgs')
STAGES = ('segmentation', 'tracking', 'reconstruction')
STOPS = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``sam3d doctor``."""
    add_place_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print the findings; return 1 when one of them would stop the pipeline."""
    stops = 0
    for finding in _findings(args):
        print(f'{finding.level:5s} {finding.subject}: {finding.text}', flush=True)
        if finding.remedy and finding.level != Level.OK:
            print(f'      -> {finding.remedy}', flush=True)
        stops += finding.level == Level.ERROR
    print(f'{stops} finding(s) stop the pipeline' if stops else 'nothing stops the pipeline')
    return STOPS if stops else 0


def _findings(args: argparse.Namespace) -> Iterator[Finding]:
    config = load_config(args.config)
    live = args.recording is None
    yield from installation(config, live=live)
    if live and not all(map(find_spec, ('rclpy', *INTERFACES))):
        return
    options = reading_config(args, config.pointmaps)
    try:
        with opened(args) as recording:
            overrides = named_topics(args, recording, options)
            sound = list(dict.fromkeys(args.camera)) or ['']
            for camera in tuple(sound):
                named = replace(overrides, camera=camera)
                for finding in check_up(recording, options, named, args.slop):
                    yield replace(finding, subject=f'{camera} {finding.subject}'.strip())
                    if finding.level == Level.ERROR and camera in sound:
                        sound.remove(camera)
            if len(sound) > 1:
                yield from offsets(
                    read_cameras(recording, sound, options, args.slop, overrides=overrides)
                )
    except Sam3dError as error:
        yield Finding(Level.ERROR, 'recording', error.seen, error.remedy)


def installation(config: Config, *, live: bool) -> Iterator[Finding]:
    """Yield findings about this machine: ROS, backends, weights, GPU.

    :param config: names backends and devices.
    :param live: whether nodes are wanted, which need ROS.
    """
    yield from _ros(live)
    for stage in STAGES:
        chosen = getattr(config, stage)
        for name in getattr(chosen, 'completers', (chosen.backend,)):
            yield _backend(stage, name)
    yield from _weights()
    yield from _devices(config)


def _ros(live: bool) -> Iterator[Finding]:
    missing = [name for name in ('rclpy', *INTERFACES) if find_spec(name) is None]
    if missing:
        yield Finding(
            Level.ERROR if live else Level.WARN,
            'ROS',
            f'not installed: {", ".join(missing)}',
            'Type ./sam3d setup, or source the workspace. Recordings are processed without.',
        )
        return
    from sam3d_ros.ros.upstream import bridge, choose

    ours = [name for name in ('message_filters', 'tf2_ros') if 'compat' in choose(name).__name__]
    domain = os.environ.get('ROS_DOMAIN_ID', '0')
    reach = os.environ.get('ROS_AUTOMATIC_DISCOVERY_RANGE', 'SUBNET')
    text = (
        f'domain {domain}, discovery {reach}, our own {", ".join(ours) or "nothing"}, '
        f'{"cv_bridge for encodings that are not ours" if bridge() else "no cv_bridge"}'
    )
    yield Finding(Level.OK, 'ROS', text)


def _backend(stage: str, name: str) -> Finding:
    others = ', '.join(other for other in backend_names(stage) if other != name) or 'none'
    try:
        load_backend(stage, name)
    except BackendError as error:
        return Finding(Level.ERROR, stage, error.seen, error.remedy)
    return Finding(Level.OK, stage, f'backend "{name}"; others registered: {others}')


def _weights() -> Iterator[Finding]:
    """Yield the state of each entry of the registry; none is needed by the default backends."""
    try:
        folder = models_folder()
        known = read_registry(folder)
    except BackendError as error:
        yield Finding(Level.WARN, 'weights', error.seen, error.remedy)
        return
    for weights in known:
        if not (folder / weights.file).exists():
            yield Finding(Level.OK, 'weights', f'"{weights.name}" not here ({weights.source})')
            continue
        try:
            verified_file(weights.name, folder)
        except BackendError as error:
            yield Finding(Level.WARN, 'weights', error.seen, error.remedy)
        else:
            yield Finding(Level.OK, 'weights', f'"{weights.name}" here, hash as registered')


def _devices(config: Config) -> Iterator[Finding]:
    """Yield where the networks of each stage run, and why not on a GPU."""
    driver = 'NVIDIA driver' if shutil.which('nvidia-smi') else 'no NVIDIA driver'
    if find_spec('onnxruntime') is None:
        yield Finding(Level.OK, 'device', f'{driver}, no ONNX Runtime: learned backends are off')
        return
    for stage in ('segmentation', 'reconstruction'):
        device = getattr(config, stage).device
        try:
            text = f'{stage} on "{device}": {describe(device)}; {driver}'
            yield Finding(Level.OK, 'device', text)
        except Sam3dError as error:
            yield Finding(Level.ERROR, 'device', f'{stage}: {error.seen}', error.remedy)
