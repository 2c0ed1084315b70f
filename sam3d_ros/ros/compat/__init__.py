# SPDX-License-Identifier: Apache-2.0
"""Parts of message_filters and tf2_ros with upstream's names and signatures.

Import them through :mod:`sam3d_ros.ros.upstream`, which prefers the real ones.
"""
