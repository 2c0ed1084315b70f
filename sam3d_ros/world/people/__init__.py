# SPDX-License-Identifier: Apache-2.0
"""Made-up people, whose joints are known exactly."""
