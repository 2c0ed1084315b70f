# SPDX-License-Identifier: Apache-2.0
"""Range that a network infers from colour, aligned to what was measured."""
