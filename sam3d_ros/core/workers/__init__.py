# SPDX-License-Identifier: Apache-2.0
"""Work in processes of their own: how they are started, asked, cancelled and replaced."""
