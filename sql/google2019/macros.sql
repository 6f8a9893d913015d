-- Readings of the texts of a usage row, the same as in tasks/data/sources/google2019_usage.py; null where a text is none.
create or replace temp macro usage_time(t) as
    case when regexp_full_match(t, '[0-9]{1,19}(?:\.[0-9]{0,19})?(?:[eE]\+?[0-9]{1,2})?') then try_cast(t as double) end;
create or replace temp macro usage_measure(t) as
    case when regexp_full_match(t, '[+-]?(?:[0-9]{1,30}\.?[0-9]{0,30}|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,2})?') then try_cast(t as double) end;
create or replace temp macro usage_cpus(t) as regexp_extract(t, '[''"]cpus[''"] *: *([^,} ]+)', 1);
create or replace temp macro usage_memory(t) as regexp_extract(t, '[''"]memory[''"] *: *([^,} ]+)', 1);
create or replace temp macro usage_cell(t) as
    case when regexp_full_match(t, '[a-h]') then t
        when regexp_full_match(t, '[1-8](?:\.0)?') then substr('abcdefgh', cast(substr(t, 1, 1) as integer), 1) end;
