# SPDX-License-Identifier: Apache-2.0
"""Commands of recordings: make one, process it, look for things in it."""
