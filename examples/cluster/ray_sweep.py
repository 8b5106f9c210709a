# A sweep on a Ray cluster: python ray_sweep.py PARTS FOLDER ADDRESS|local SWEEP-OPTIONS…
# All workers see FOLDER and the files that the options name. A part whose worker is lost is given to another one, which goes on with its file.
import os
import sys

import ray

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import parts


def sweep(program, options, of, folder):
    run = ray.remote(num_cpus=1, max_retries=3, retry_exceptions=True)(parts.part)
    return ray.get([run.remote(program, options, number, of, folder) for number in range(1, of + 1)])


if __name__ == "__main__":
    of, folder, address, options = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]
    program = os.environ.get("REDLINE", "redline")
    os.makedirs(folder, exist_ok=True)
    here = {"env_vars": {"PYTHONPATH": os.path.dirname(os.path.abspath(__file__))}}
    ray.init(num_cpus=2, include_dashboard=False, runtime_env=here) if address == "local" else ray.init(address, runtime_env=here)
    parts.merge(program, sweep(program, options, of, folder), f"{folder}/sweep.jsonl")
