# SPDX-License-Identifier: Apache-2.0
"""From a solid to a mesh whose faces say how sure they are."""
