# SPDX-License-Identifier: Apache-2.0
"""Real nodes over DDS on this machine alone, spun until a condition holds."""

import os
import time

import pytest


class Graph:
    """Nodes of one context and one executor, in a domain that no other test run uses."""

    def __init__(self):
        from rclpy.context import Context
        from rclpy.executors import SingleThreadedExecutor

        self.context = Context()
        self.context.init(domain_id=1 + os.getpid() % 100)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.nodes = []

    def node(self, name='node', parameters=(), **arguments):
        from rclpy.node import Node
        from rclpy.parameter import Parameter

        overrides = [Parameter(key, value=value) for key, value in dict(parameters).items()]
        node = Node(name, context=self.context, parameter_overrides=overrides, **arguments)
        self.executor.add_node(node)
        self.nodes.append(node)
        return node

    def spin_until(self, condition, timeout_s=15.0, each=lambda: None):
        """Spin until ``condition()``; ``each`` runs between two turns (to publish again)."""
        end = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end, f'not within {timeout_s} s'
            each()
            self.executor.spin_once(timeout_sec=0.02)

    def close(self):
        for node in self.nodes:
            node.destroy_node()
        self.executor.shutdown()
        self.context.shutdown()


@pytest.fixture
def graph(monkeypatch):
    pytest.importorskip('rclpy', reason='no ROS in this environment')
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    made = Graph()
    yield made
    made.close()
