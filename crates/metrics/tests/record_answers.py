#!/usr/bin/env python3
"""Asks a Prometheus every query of data/queries.txt and prints its answers, one JSON line each.

See data/README.md. Usage: record_answers.py http://127.0.0.1:9090 > data/answers-2.42.jsonl
"""

import json
import pathlib
import re
import sys
import urllib.error
import urllib.parse
import urllib.request

ORIGIN = 1_700_000_000
DATA = pathlib.Path(__file__).parent / "data"
LINE = re.compile(r"at (\S+) (.*)|from (\S+) to (\S+) step (\S+) (.*)")


def request(line):
    at, query, start, end, step, range_query = LINE.fullmatch(line).groups()
    if at is not None:
        return "query", {"query": query, "time": str(ORIGIN + float(at))}
    times = {"start": str(ORIGIN + float(start)), "end": str(ORIGIN + float(end)), "step": step}
    return "query_range", {"query": range_query, **times}


def ask(server, path, parameters):
    url = f"{server}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    try:
        with urllib.request.urlopen(url) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


for text in (DATA / "queries.txt").read_text().splitlines():
    if not text.startswith("#"):
        endpoint, fields = request(text)
        status, body = ask(sys.argv[1], endpoint, fields)
        print(json.dumps({"line": text, "path": endpoint, "parameters": fields, "status": status, "body": body}))
