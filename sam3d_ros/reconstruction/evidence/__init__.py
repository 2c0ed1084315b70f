# SPDX-License-Identifier: Apache-2.0
"""What pointmaps prove about the space around an object: surface, free, hidden."""
