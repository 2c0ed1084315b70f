# SPDX-License-Identifier: Apache-2.0
"""Benches of a running graph: latency, poses, memory, visitors of the page."""
