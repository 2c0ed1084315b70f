# SPDX-License-Identifier: Apache-2.0
"""A small stand-in for ``launch``: the calls that our launch files make, and what they mean.

Where upstream is on the path, test_launch.py runs against it as well.
"""

from launch.actions import DeclareLaunchArgument


class LaunchContext:
    """Values of launch arguments by name."""

    def __init__(self):
        self.launch_configurations = {}


class LaunchDescription:
    """What is to be launched."""

    def __init__(self, initial_entities):
        self.entities = list(initial_entities)

    def get_launch_arguments(self):
        """Return the arguments that are declared."""
        return [item for item in self.entities if isinstance(item, DeclareLaunchArgument)]


def perform(value, context):
    """Return a string of a substitution, of several in a row, or of a string."""
    if isinstance(value, str):
        return value
    if hasattr(value, 'perform'):
        return value.perform(context)
    return ''.join(perform(item, context) for item in value)
