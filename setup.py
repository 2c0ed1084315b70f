# SPDX-License-Identifier: Apache-2.0
"""What setup.cfg cannot say: where colcon and ament look for the package's files.

The Python version stands here as well: colcon cannot read it from setup.cfg.
"""

from glob import glob

from setuptools import find_packages, setup

SHARE = 'share/sam3d_ros'

setup(
    python_requires='>=3.11',
    packages=find_packages(include=['sam3d_ros', 'sam3d_ros.*']),
    data_files=[
        ('share/ament_index/resource_index/packages', ['resource/sam3d_ros']),
        (SHARE, ['package.xml']),
        (f'{SHARE}/launch', sorted(glob('launch/*.launch.py'))),
        (f'{SHARE}/config', sorted(glob('config/*.*'))),
        (f'{SHARE}/models', sorted(glob('models/*.*'))),
    ],
)
