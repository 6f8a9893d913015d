-- Exact quantiles (nearest rank) of the durations. Grain: one row. Input: view calls. Columns: p50_us, p95_us, p99_us.
with final as (
    select quantile_disc(duration_us, 0.50) as p50_us, quantile_disc(duration_us, 0.95) as p95_us, quantile_disc(duration_us, 0.99) as p99_us
    from calls
)
select * from final
order by p50_us
