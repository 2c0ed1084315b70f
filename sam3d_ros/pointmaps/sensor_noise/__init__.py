# SPDX-License-Identifier: Apache-2.0
"""What a range camera shows of its own errors."""
