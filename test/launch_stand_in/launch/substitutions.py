# SPDX-License-Identifier: Apache-2.0
"""Values that are known at launch."""

import os


class LaunchConfiguration:
    """The value of a launch argument."""

    def __init__(self, variable_name):
        self.variable_name = variable_name

    def perform(self, context):
        """Return it."""
        return context.launch_configurations[self.variable_name]


class PathJoinSubstitution:
    """A path of parts."""

    def __init__(self, substitutions):
        self.substitutions = substitutions

    def perform(self, context):
        """Return it."""
        from launch import perform

        return os.path.join(*(perform(part, context) for part in self.substitutions))
