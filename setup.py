# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

setup(packages=find_packages(include=['sam3d_ros', 'sam3d_ros.*']))
