# SPDX-License-Identifier: Apache-2.0
"""SAM, SAM 2 and SAM 3 through transformers, with pre- and post-processing of our own."""
