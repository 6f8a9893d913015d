-- Readings of a text field. As a number: null when it is not one. Decimals stay far from the bounds of a double.
create or replace temp macro measure(x) as case when regexp_full_match(x, '-?([0-9]{1,30}\.?[0-9]{0,30}|\.[0-9]{1,30})([eE][+-]?[0-9]{1,2})?')
    then try_cast(x as double) end;
create or replace temp macro blank_or_measure(x) as x is null or measure(x) is not null;
