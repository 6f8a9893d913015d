-- Gaps between neighbouring calls of one app. Grain: one row a bin of log10 seconds (20 a decade). Input: {calls}.
-- Columns: bin (floor(20 * log10(gap in us)), null for equal instants), gaps.
with calls as (select * from read_parquet({calls})),
gaps as (
    select arrival_us - lag(arrival_us) over (partition by app_id order by arrival_us) as gap_us from calls
),
final as (
    select case when gap_us > 0 then floor(20 * log10(gap_us))::integer end as bin, count(*) as gaps,
        count(*) filter (where gap_us < 1000000) as under_1s, count(*) filter (where gap_us > 60000000) as over_60s
    from gaps where gap_us is not null group by all
)
select * from final
order by bin nulls first
