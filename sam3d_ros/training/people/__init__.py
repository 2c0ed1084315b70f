# SPDX-License-Identifier: Apache-2.0
"""Where the networks of the stage people come from."""
