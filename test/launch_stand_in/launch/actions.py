# SPDX-License-Identifier: Apache-2.0
"""Actions: declare an argument, include another file, call a function."""


class DeclareLaunchArgument:
    """An argument with a default, and the values that it may have."""

    def __init__(self, name, *, default_value=None, description='', choices=None):
        self.name, self.default_value = name, default_value
        self.description, self.choices = description, choices

    def execute(self, context):
        """Give the argument its default unless it has a value; refuse one that is no choice."""
        from launch import perform

        known = context.launch_configurations
        if self.name not in known:
            known[self.name] = perform(self.default_value, context)
        if self.choices is not None and known[self.name] not in self.choices:
            raise RuntimeError(f'{self.name}: {known[self.name]} is none of {self.choices}')


class IncludeLaunchDescription:
    """Another launch file with values for its arguments."""

    def __init__(self, source, *, launch_arguments=(), condition=None):
        self.source, self.condition = source, condition
        self.launch_arguments = tuple(launch_arguments)

    def visit(self, context):
        """Return the description in the file, after its arguments were set."""
        from launch import perform
        from launch.loading import described

        for name, value in self.launch_arguments:
            context.launch_configurations[name] = perform(value, context)
        return [described(perform(self.source, context))]


class OpaqueFunction:
    """A function that makes actions once the arguments have values."""

    def __init__(self, *, function):
        self.function = function

    def execute(self, context):
        """Return the actions."""
        return self.function(context)
