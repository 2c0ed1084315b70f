# SPDX-License-Identifier: Apache-2.0
"""Conditions of actions."""


class IfCondition:
    """True where an expression says true or 1."""

    def __init__(self, predicate_expression):
        self.predicate_expression = predicate_expression

    def evaluate(self, context):
        """Return whether the action happens."""
        from launch import perform

        return perform(self.predicate_expression, context).lower() in ('true', '1')
