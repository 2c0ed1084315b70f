# SPDX-License-Identifier: Apache-2.0
"""Types, errors, configuration and backend lookup; imports nothing else of ours."""
