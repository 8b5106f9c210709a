# A sweep on a Dask cluster: python dask_sweep.py PARTS FOLDER SCHEDULER|local SWEEP-OPTIONS…
# All workers see FOLDER and the files that the options name. A part whose worker is lost is given to another one, which goes on with its file.
import os
import sys

from dask.distributed import Client, LocalCluster

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import parts


def sweep(client, program, options, of, folder):
    client.upload_file(parts.__file__)
    # keys of their own: a part that was run before is looked at again, not remembered
    jobs = [client.submit(parts.part, program, options, number, of, folder, retries=3, pure=False) for number in range(1, of + 1)]
    return client.gather(jobs)


if __name__ == "__main__":
    of, folder, scheduler, options = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]
    program = os.environ.get("REDLINE", "redline")
    os.makedirs(folder, exist_ok=True)
    address = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) if scheduler == "local" else scheduler
    with Client(address) as client:
        parts.merge(program, sweep(client, program, options, of, folder), f"{folder}/sweep.jsonl")
