# SPDX-License-Identifier: Apache-2.0
"""How well phrases and names are understood."""
