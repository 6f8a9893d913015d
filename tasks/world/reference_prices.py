"""Rows of the reference tables about money: prices, billing rules, vCPU of a memory size. Not here: places, files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from tasks.world.reference_places import regions
from tasks.world.reference_rows import ASSUMED, SERVICES, VERIFIED, Rows, mark, read

AWS_DURATION = "9.7222e-06"
AZURE_READY, GCP_IDLE = "4e-06", "2.5e-06"
LISTED = {
    "aws": "AWS Price List as carried by @remotion/lambda-client 4.0.527",
    "azure": "azure.microsoft.com functions pricing, East US",
    "gcp": "cloud.google.com/run/pricing",
}
INTERNET = {
    "aws": mark("skyplane aws transfer costs", "2024-01", "Apache-2.0"),
    "azure": mark("azure internet zone rate (skyplane)", "2022-05", "Apache-2.0", ASSUMED),
    "gcp": mark("third-party lists", "2025", "facts", ASSUMED),
}


def _is_listed(row: dict[str, str]) -> bool:
    """Whether the provider's own list or page gives this price for this region."""
    return row["region"] == "eastus" if row["provider"] == "azure" else row["confidence"] == "verified" or row["tier"] == "tier 1"


def _prices_of(row: dict[str, str], provisioned: dict[str, str]) -> Iterator[dict[str, str]]:
    """Yield the price rows of one region."""
    cloud, tier = row["provider"], f", {row['tier']}" if row["tier"] else ""
    listed = mark(LISTED[cloud] + tier, row["as_of"].split(" (")[0], "facts", VERIFIED if _is_listed(row) else ASSUMED)
    requests = f"{Decimal(row['usd_per_million_requests']).quantize(Decimal('0.0001')).normalize()}"
    yield {"item": "execution", "unit": "GB-s", "usd": row["usd_per_gb_s"], **listed}
    if float(row["usd_per_vcpu_s"]):
        yield {"item": "execution", "unit": "vCPU-s", "usd": row["usd_per_vcpu_s"], **listed}
    yield {"item": "requests", "unit": "million", "usd": requests, **listed}
    yield {"item": "internet_egress", "unit": "GB", "usd": row["internet_egress_usd_per_gb_first_tier"], **INTERNET[cloud]}
    if cloud == "aws":
        yield {"item": "provisioned", "unit": "GB-s", "usd": provisioned[row["region"]], **listed}
        quoted = mark("Lambda price page of us-east-1 as quoted; elsewhere ours", "2026", "facts", ASSUMED)
        yield {"item": "provisioned_duration", "unit": "GB-s", "usd": AWS_DURATION, **quoted}
    elif cloud == "azure":
        quoted = mark("Flex Consumption always-ready baseline as quoted", "2025", "facts", ASSUMED)
        yield {"item": "provisioned", "unit": "GB-s", "usd": AZURE_READY, **quoted}
    else:
        quoted = mark("Cloud Run idle minimum instance as quoted", "2025", "facts", ASSUMED)
        for unit in ("GB-s", "vCPU-s"):
            yield {"item": "provisioned", "unit": unit, "usd": GCP_IDLE, **quoted}


def prices(folder: Path) -> Rows:
    """One row per region and price, in the order of regions.csv. A GB of memory is 1024 MB, a GB of traffic 10^9 bytes."""
    aws = {row["region"]: row["provisioned_concurrency_usd_per_gb_s"] for row in read(folder, "prices_aws_lambda_by_region.csv")}
    listed = {
        (r["provider"], r["region"]): r for r in read(folder, "prices_serverless_24_regions.csv") if r["service"] in SERVICES.values()
    }
    rows = []
    for region in regions(folder):
        row, name = listed[region["cloud"], region["region"]], f"{region['cloud']}:{region['region']}"
        rows += [{"region": name, **price} for price in _prices_of(row, aws)]
    return rows


def billing(folder: Path) -> Rows:
    """One row per cloud: how billed time and memory are rounded (0: not at all)."""
    rules = {(row["provider"], row["service"].split(" /")[0]): row for row in read(folder, "billing_rules.csv")}
    aws, azure, gcp = rules["aws", "Lambda"], rules["azure", "Functions Consumption"], rules["gcp", "Cloud Run"]
    aws_ms, gcp_ms = (int(re.findall(r"(\d+) ms", row["granularity"])[0]) for row in (aws, gcp))
    step, cap = re.findall(r"(\d+) MB", azure["granularity"])
    found = (("aws", aws, aws_ms, aws_ms, "0", "0"), ("azure", azure, 1, 100, step, cap), ("gcp", gcp, gcp_ms, 0, "0", "0"))
    rows = []
    for cloud, row, granularity, minimum, step_mb, cap_mb in found:
        time = {"granularity_us": str(granularity * 1000), "minimum_us": str(minimum * 1000)}
        memory = {"memory_step_mb": step_mb, "memory_cap_mb": cap_mb}
        rows.append({"cloud": cloud, **time, **memory, **mark(row["source"], "2026-11", "facts")})
    return rows


def vcpu(folder: Path) -> Rows:
    """One row per cloud and memory size; a cloud with one row has vCPU in proportion to memory."""
    aws = mark("Lambda documentation: 1 vCPU at 1769 MB", "2026-11", "facts")
    azure = mark("ours: 1 vCPU at the largest size", "2026-11", "ours", ASSUMED)
    gcp = mark("Cloud Run functions, memory to vCPU", "2026-11", "facts")
    table = [{"cloud": "gcp", **row, **gcp} for row in read(folder, "gcp_functions_memory_to_vcpu.csv")]
    one = {"vcpu": "1.0"}
    return [{"cloud": "aws", "memory_mb": "1769", **one, **aws}, {"cloud": "azure", "memory_mb": "1536", **one, **azure}, *table]
