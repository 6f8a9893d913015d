-- Durations in the published buckets. Grain: one row per bucket that has a call. Input: view calls. Parameter: {edges_us} list of lower edges.
-- Columns: bucket (0.. in order of the edges), calls.
with final as (
    select len(list_filter({edges_us}, lambda e: e <= duration_us)) - 1 as bucket, count(*) as calls
    from calls
    group by all
)
select * from final
order by bucket
