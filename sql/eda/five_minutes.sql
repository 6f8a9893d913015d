-- Calls in 5-minute slots. Grain: one row per slot with a call. Input: view calls. Columns: slot, calls.
with final as (
    select arrival_us // 300000000 as slot, count(*) as calls from calls group by all
)
select * from final
order by slot
