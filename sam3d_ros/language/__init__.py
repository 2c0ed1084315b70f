# SPDX-License-Identifier: Apache-2.0
"""What people call things: names of objects, and the objects that a phrase means."""
