# SPDX-License-Identifier: Apache-2.0
"""Named as the package of TripoSR."""
