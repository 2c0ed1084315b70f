# SPDX-License-Identifier: Apache-2.0
"""The second stage of completion: blocks near the surface of thin things, decoded finer."""
