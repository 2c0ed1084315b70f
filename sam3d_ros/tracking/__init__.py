# SPDX-License-Identifier: Apache-2.0
"""Instances to tracks with persistent ids."""
