# SPDX-License-Identifier: Apache-2.0
"""Training of the learned volume completion: data, network, training, evaluation, export."""
