# SPDX-License-Identifier: Apache-2.0
"""The process of a node."""

from launch import perform


class Node:
    """A program of a package with its name, namespace, parameters and remappings."""

    def __init__(
        self,
        *,
        executable,
        package,
        name,
        namespace='',
        parameters=(),
        remappings=(),
        arguments=(),
        condition=None,
        output='log',
    ):
        self.node_package, self.node_executable = package, executable
        self.condition, self.parameters, self.remappings = condition, parameters, remappings
        self._name, self._namespace, self.arguments = name, namespace, arguments

    @property
    def node_name(self):
        """The absolute name, once substitutions are performed."""
        return self._full_name

    def _perform_substitutions(self, context):
        self._full_name = f'{perform(self._namespace, context)}/{self._name}'
        self.expanded_parameters = {}
        for item in self.parameters:
            if isinstance(item, dict):
                values = {key: value.evaluate(context) for key, value in item.items()}
                self.expanded_parameters |= values
        self.expanded_remapping_rules = [
            tuple(perform(side, context) for side in pair) for pair in self.remappings
        ]
