"""What gpuprobe says on each node of a Ray cluster, a line of JSON each: python collect.py | gpuprobe fleet

RAY_ADDRESS, or `ray start` on this machine, says which cluster. gpuprobe is installed on every node.
"""

import json
import os
import subprocess

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy


@ray.remote(num_cpus=0, max_retries=0)
def look():
    """A task that asks for no GPU sees all that `ray start` saw."""
    paths = f"/opt/gpuprobe/bin:/usr/local/bin:{os.environ['PATH']}"
    command = ["/usr/bin/env", f"PATH={paths}", "gpuprobe", "list", "--json", "--deadline", "60"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return {"stdout": done.stdout, "stderr": done.stderr[-2000:], "returncode": done.returncode}


def main():
    ray.init(log_to_driver=False)
    asked = {}
    for node in ray.nodes():
        there = NodeAffinitySchedulingStrategy(node_id=node["NodeID"], soft=False)
        asked[look.options(scheduling_strategy=there).remote()] = node["NodeName"]
    waiting = list(asked)
    while waiting:
        (ready,), waiting = ray.wait(waiting)
        try:
            answer = ray.get(ready)
        except ray.exceptions.RayError as problem:  # the node is gone, or its worker is
            answer = {"stdout": "", "stderr": str(problem).splitlines()[0], "returncode": 1}
        print(json.dumps({"node": asked[ready], **answer}), flush=True)


if __name__ == "__main__":
    main()
