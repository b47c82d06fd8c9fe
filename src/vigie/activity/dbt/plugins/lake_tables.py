"""Delta tables as dbt reads them: one version of each for a whole build, and plain words where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dbt.adapters.duckdb.plugins import delta
from dbt.adapters.duckdb.utils import SourceConfig
from dbt.exceptions import DbtRuntimeError
from deltalake import DeltaTable


class Plugin(delta.Plugin):  # type: ignore[misc]  # dbt is not installed where types are checked
    """dbt-duckdb's own plugin for Delta, which would take the newest version anew for every model."""

    def initialize(self, config: dict[str, Any]) -> None:
        super().initialize(config)
        self._opened: dict[str, Any] = {}

    def update_connection_config(self, creds: Any, config: dict[str, Any]) -> None:
        super().update_connection_config(creds, config)
        warehouse = Path(creds.path).parent
        if not warehouse.parent.is_dir():
            raise DbtRuntimeError(f"there is no lake ({warehouse.parent})\n{MAKE_IT}")
        warehouse.mkdir(exist_ok=True)

    def load(self, source_config: SourceConfig) -> Any:
        path = str(source_config["delta_table_path"])
        if path not in self._opened:
            if not DeltaTable.is_deltatable(path):
                raise DbtRuntimeError(f"there is no table {source_config.identifier} yet ({path})\n{MAKE_IT}")
            self._opened[path] = super().load(source_config)
        return self._opened[path]


MAKE_IT = "Make it: vigie feed activity SOURCE --rows 100000, then vigie run activity --once; or name another lake."
