# SPDX-License-Identifier: Apache-2.0
"""Where things are: furniture, places, and laws of rest."""
