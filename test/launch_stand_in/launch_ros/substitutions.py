# SPDX-License-Identifier: Apache-2.0
"""Where packages are."""

from pathlib import Path


class FindPackageShare:
    """The share folder of a package; of ours, the source tree, of others one that need not be."""

    def __init__(self, package):
        self.package = package

    def perform(self, context):
        """Return it."""
        root = Path(__file__).parents[3]
        return str(root if self.package == 'sam3d_ros' else root / 'share' / self.package)
