# SPDX-License-Identifier: Apache-2.0
"""Where results go: messages, a recording, a folder, a report."""
