# SPDX-License-Identifier: Apache-2.0
"""Generators of whole objects from one image, each installed by its user, in its own process."""
