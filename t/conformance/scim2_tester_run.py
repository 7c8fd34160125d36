"""Runs scim2-tester on the server at BASE with TOKEN; prints one line for each check: status, type, title, reason.

    python3 scim2_tester_run.py BASE TOKEN
"""
import sys

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import check_server

base, token = sys.argv[1:]
client = SyncSCIMClient(Client(base_url=base, headers={"Authorization": "Bearer " + token}))
for result in check_server(client):
    fields = (result.status.name, result.resource_type, result.title, result.reason)
    print("\t".join(" ".join(str(field or "-").split()) for field in fields))
