# SPDX-License-Identifier: Apache-2.0
"""Figures that others published about their own methods, on their own data. Never mixed in."""

from __future__ import annotations

from sam3d_ros.bench.harness import Table

PUBLISHED: tuple[Table, ...] = (
    Table(
        'Shape, SA-3DAO (SAM 3D paper): real photographs, artist-made meshes, no depth sensor',
        ('method', 'F1@0.01', 'vIoU', 'chamfer', 'EMD'),
        (
            ('Trellis', '.1475', '.1392', '.0902', '.2131'),
            ('Hunyuan3D 2.0', '.1574', '.1504', '.0866', '.2049'),
            ('Hi3DGen', '.1629', '.1531', '.0937', '.2134'),
            ('SAM 3D Objects', '.2344', '.2311', '.0400', '.1211'),
        ),
    ),
    Table(
        'Layout, Aria Digital Twin (SAM 3D paper): sensor depth given to all',
        ('method', '3D IoU', 'ICP-Rot deg', 'ADD-S', 'ADD-S@0.1'),
        (
            ('Trellis + Megapose', '.2531', '33.61', '.4358', '.1971'),
            ('Hunyuan3D 2.0 + FoundationPose', '.3864', '25.14', '.1026', '.5992'),
            ('SAM 3D mesh + FoundationPose', '.3661', '18.91', '.0930', '.6495'),
            ('SAM 3D Objects (joint)', '.4970', '15.25', '.0765', '.7673'),
        ),
    ),
    Table(
        'One object in all views (SA3D papers): prompted in one view, photographs, trained fields',
        ('method', 'NVOS mIoU', 'NVOS mAcc', 'SPIn-NeRF mIoU', 'SPIn-NeRF mAcc'),
        (
            ('One view, projected', '', '', '.746', ''),
            ('ISRF', '.838', '.964', '', ''),
            ('SA3D (NeRF)', '.903', '.982', '.924', '.989'),
        ),
    ),
)
