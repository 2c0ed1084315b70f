# SPDX-License-Identifier: Apache-2.0
"""Values of parameters."""

import yaml


class ParameterValue:
    """A value that is a substitution, of a given type."""

    def __init__(self, value, *, value_type):
        self.value, self.value_type = value, value_type

    def evaluate(self, context):
        """Return it in its type; a text that does not say one is refused."""
        from launch import perform

        text = perform(self.value, context)
        value = text if self.value_type is str else yaml.safe_load(text)
        if not isinstance(value, self.value_type):
            raise ValueError(f'{text!r} is no {self.value_type.__name__}')
        return value
