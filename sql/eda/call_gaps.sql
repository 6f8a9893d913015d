-- Time between successive calls of one app in 60 logarithmic bins per decade. Grain: one row per bin. Input: view calls.
-- Columns: bin (null for a gap of zero), gaps, under_1s, over_60s.
with gaps as (
    select arrival_us - lag(arrival_us) over (partition by app_id order by arrival_us) as gap_us
    from calls
),
final as (
    select
        case when gap_us > 0 then floor(60 * log10(gap_us))::integer end as bin, count(*) as gaps,
        count(*) filter (where gap_us < 1000000) as under_1s, count(*) filter (where gap_us > 60000000) as over_60s
    from gaps
    where gap_us is not null
    group by all
)
select * from final
order by bin nulls first
