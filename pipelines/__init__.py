"""Pure tables (polars): sources, attacks, filters and published snapshots of preference data. No torch, no dagster."""
