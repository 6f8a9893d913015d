-- Readings of a text field. Null when the text is not one. Whole numbers have no sign; decimals stay far from the bounds of a double.
create or replace temp macro whole(x) as case when regexp_full_match(x, '[0-9]{1,19}') then try_cast(x as bigint) end;
create or replace temp macro measure(x) as case when regexp_full_match(x, '-?([0-9]{1,30}\.?[0-9]{0,30}|\.[0-9]{1,30})([eE][+-]?[0-9]{1,2})?')
    then try_cast(x as double) end;
create or replace temp macro blank_or(x, reading) as x is null or reading is not null;
create or replace temp macro plain(x) as x is null or regexp_full_match(x, '[A-Za-z0-9+/=_-]*');
create or replace temp macro in_span(t, most) as t >= 0 and (t < most or t = 9223372036854775807);
create or replace temp macro day_of(t) as case when t = 9223372036854775807 then 9999 else t // 86400000000 end;
