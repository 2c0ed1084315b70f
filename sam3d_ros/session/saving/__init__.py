# SPDX-License-Identifier: Apache-2.0
"""What of a session outlives its process."""
