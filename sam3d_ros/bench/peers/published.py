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
        'Shape from one RGB-D frame, mask given, no alignment (OctMAE and ZeroGrasp papers): '
        'chamfer in mm on real frames of other objects; beside single_view, not comparable',
        ('method', 'YCB-Video', 'HomebrewedDB', 'HOPE', 'F1@10mm, HOPE'),
        (
            ('ConvONet', '32.9', '26.7', '21.0', ''),
            ('MCC', '35.9', '19.6', '17.5', ''),
            ('Minkowski U-Net', '8.0', '8.8', '8.6', ''),
            ('OCNN', '7.1', '7.0', '8.1', ''),
            ('OctMAE', '6.40', '6.14', '6.97', '.803'),
        ),
    ),
    Table(
        'Shape from one RGB-D frame, ReOcS (ZeroGrasp paper): chamfer in mm',
        ('method', 'easy', 'hard'),
        (
            ('Minkowski U-Net', '5.59', '9.11'),
            ('OCNN', '5.26', '8.69'),
            ('OctMAE', '5.53', '6.76'),
            ('ZeroGrasp', '4.76', '6.73'),
        ),
    ),
    Table(
        'Pose of a model from one RGB-D anchor (Any6D paper), HO3D: real videos with hands; '
        'beside pose, not comparable',
        ('method', 'AR', 'ADD', 'ADD-S'),
        (
            ('Oryon', '1.0', '0', '23.0'),
            ('LoFTR', '3.2', '2.3', '29.5'),
            ('GEDI', '7.4', '9.7', '71.9'),
            ('Any6D', '38.3', '40.4', '98.7'),
        ),
    ),
    Table(
        'One picture to shape (TripoSR and others), GSO: objects aligned, unit size',
        ('method', 'chamfer'),
        (
            ('TripoSR', '.111'),
            ('TGS', '.122'),
            ('ZeroShape', '.160'),
            ('OpenLRM', '.180'),
            ('One-2-3-45', '.227'),
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
