-- One file of task usage, unsorted. Grain: one row per task and measurement period (usually 300 s).
-- Inputs: {file} raw CSV without header; {max_us} end of the span.
-- Columns: start_us, end_us, job_id, task_index, machine_id, fourteen measures (null: not stated), aggregation_type,
-- sampled_cpu_usage, day (of the start), good (usable). Memory is normalised, cpu in normalised cores.
with raw as (
    select * from read_csv({file}, header = false, auto_detect = false, delim = ',', quote = '"', escape = '"', strict_mode = true,
        columns = {{'c1': 'VARCHAR', 'c2': 'VARCHAR', 'c3': 'VARCHAR', 'c4': 'VARCHAR', 'c5': 'VARCHAR', 'c6': 'VARCHAR', 'c7': 'VARCHAR',
            'c8': 'VARCHAR', 'c9': 'VARCHAR', 'c10': 'VARCHAR', 'c11': 'VARCHAR', 'c12': 'VARCHAR', 'c13': 'VARCHAR', 'c14': 'VARCHAR',
            'c15': 'VARCHAR', 'c16': 'VARCHAR', 'c17': 'VARCHAR', 'c18': 'VARCHAR', 'c19': 'VARCHAR', 'c20': 'VARCHAR'}})
),
final as (
    select whole(c1) as start_us, whole(c2) as end_us, whole(c3) as job_id, whole(c4) as task_index, whole(c5) as machine_id,
        measure(c6) as cpu_rate, measure(c7) as canonical_memory_usage, measure(c8) as assigned_memory_usage,
        measure(c9) as unmapped_page_cache, measure(c10) as total_page_cache, measure(c11) as maximum_memory_usage,
        measure(c12) as disk_io_time, measure(c13) as local_disk_space_usage, measure(c14) as maximum_cpu_rate,
        measure(c15) as maximum_disk_io_time, measure(c16) as cycles_per_instruction,
        measure(c17) as memory_accesses_per_instruction, measure(c18) as sample_portion, whole(c19) as aggregation_type,
        measure(c20) as sampled_cpu_usage, day_of(whole(c1)) as day,
        (in_span(whole(c1), {max_us}) and in_span(whole(c2), {max_us}) and whole(c3) is not null and whole(c4) is not null
            and whole(c5) is not null and blank_or(c6, measure(c6)) and blank_or(c7, measure(c7)) and blank_or(c8, measure(c8))
            and blank_or(c9, measure(c9)) and blank_or(c10, measure(c10)) and blank_or(c11, measure(c11))
            and blank_or(c12, measure(c12)) and blank_or(c13, measure(c13)) and blank_or(c14, measure(c14))
            and blank_or(c15, measure(c15)) and blank_or(c16, measure(c16)) and blank_or(c17, measure(c17))
            and blank_or(c18, measure(c18)) and blank_or(c19, whole(c19)) and blank_or(c20, measure(c20))) is true as good
    from raw
)
select * from final
