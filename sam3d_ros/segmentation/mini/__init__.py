# SPDX-License-Identifier: Apache-2.0
"""The small promptable RGB-D network and its backend."""
