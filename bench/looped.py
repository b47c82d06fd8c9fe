"""Vigie as a program that is measured: all messages of a topic, once, by the loop."""

from __future__ import annotations

from pathlib import Path

from bench.began import begin
from vigie import Pipeline
from vigie.address import Kafka
from vigie.core.observer import Watcher
from vigie.core.request import Request
from vigie.lake import Lake
from vigie.running import run
from vigie.settings import read_settings


def once(pipeline: Pipeline, source: str, servers: str, topic: str, folder: Path) -> None:
    request = Request(Lake(folder), {source: Kafka(servers, topic)}, once=True)
    watcher = Watcher(reads=lambda *_: begin(folder))  # before its engine is there: that start is in the seconds
    run(pipeline, request, read_settings(), watcher=watcher)
