# SPDX-License-Identifier: Apache-2.0
"""Measures of agreement with the truth: masks, boxes, layout, shape, spectra."""
