# SPDX-License-Identifier: Apache-2.0
"""The running graph as a page and as a table."""
