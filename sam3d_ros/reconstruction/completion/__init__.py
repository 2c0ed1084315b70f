# SPDX-License-Identifier: Apache-2.0
"""From evidence to a whole solid: the backends, and the lanes that they run in."""
