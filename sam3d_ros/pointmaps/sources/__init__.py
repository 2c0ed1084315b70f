# SPDX-License-Identifier: Apache-2.0
"""Range sources: depth images and clouds."""
