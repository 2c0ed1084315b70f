# SPDX-License-Identifier: Apache-2.0
"""Made-up RGB-D recordings with exact truth."""
