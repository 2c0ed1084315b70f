# SPDX-License-Identifier: Apache-2.0
"""Commands of a running graph: start it, feed it, watch it, check it."""
