"""Expressions of many rows, as SQL: aggregates of a group, window functions, and generators."""

from __future__ import annotations

AGGREGATES = r"""
any(b); every(b); some(b); bool_and(b); bool_or(b); any_value(s); first(n); last(n)
approx_count_distinct(n); approx_count_distinct(s); approx_percentile(n, 0.5)
approx_percentile(y, array(0.5, 0.9), 100)
percentile_approx(n, 0.5); percentile_approx(y, 0.9, 100)
array_sort(array_agg(n)); array_sort(collect_list(n)); array_sort(collect_list(s)); array_sort(collect_set(n))
array_sort(collect_set(s)); array_sort(collect_set(x)); array_sort(collect_list(struct(id, n)))
array_sort(collect_set(t))
size(collect_set(s)); size(collect_list(x)); array_sort(collect_set(struct(c, b)))
array_agg(n) filter (where n is null)
avg(n); avg(i); avg(x); avg(y); avg(m); avg(c); mean(n); mean(y); mean(m); try_avg(n); try_avg(y); try_avg(m)
bit_and(n); bit_or(n); bit_xor(n); bit_and(i); bit_or(i); bit_xor(c)
bitmap_construct_agg(c); bitmap_or_agg(unhex('10')); bitmap_and_agg(unhex('10')); bitmap_count(unhex('1010'))
corr(y, y2); corr(c, y); covar_pop(y, y2); covar_samp(y, y2); covar_pop(c, i); covar_samp(c, y); corr(x, y)
count(*); count(1); count(n); count(s); count(distinct s); count(distinct n, s); count(distinct x); count(n, s)
count(distinct t); count(*) filter (where b)
count_if(b); count_if(n > 0); count_if(x > 0); count_min_sketch(n, 0.5d, 0.5d, 1)
histogram_numeric(y, 3); kurtosis(y); kurtosis(c); skewness(y); skewness(c); kurtosis(x)
listagg(s, ','); string_agg(s); listagg(s, ',') within group (order by id)
string_agg(s, ',') within group (order by id)
max(x) filter (where x = x and x < 1e9); min(x) filter (where not x > 1e9); max(n); max(x); max(s); max(t); max(d)
max(b); max(m); max(a); max(r); max(y)
min(n); min(x); min(s); min(t); min(d); min(b); min(m); min(a); min(r); min(y)
max_by(s, id); max_by(n, struct(y, id)); max_by(x, t); min_by(s, id); min_by(n, struct(y, id)); max_by(s, struct(x, id))
median(y); median(n); median(c); median(x); median(m); percentile(y, 0.5); percentile(c, 0.95); percentile(n, 0.25)
percentile(y, array(0.1, 0.9)); percentile(x, 0.5); percentile(y, 0.95); percentile(y, 0.99)
percentile_cont(0.5) within group (order by y)
percentile_disc(0.5) within group (order by y); percentile_cont(0.5) within group (order by x)
mode(c); mode(g); mode(s); mode(c, true); mode(s, true)
regr_avgx(y, y2); regr_avgy(y, y2); regr_count(y, y2); regr_intercept(y, y2); regr_r2(y, y2); regr_slope(y, y2)
regr_sxx(y, y2); regr_sxy(y, y2); regr_syy(y, y2); regr_slope(y, c); regr_r2(c, y)
std(y); stddev(y); stddev(c); stddev_pop(y); stddev_pop(c); stddev_samp(y); stddev_samp(n); stddev_samp(x)
stddev_samp(m); stddev(y * 1e-3 + 1e6)
sum(n); sum(i); sum(x); sum(y); sum(m); sum(c); sum(distinct c); sum(y) filter (where b); sum(m * m2)
try_sum(n); try_sum(y); try_sum(m); try_sum(c)
var_pop(y); var_pop(c); var_samp(y); var_samp(c); variance(y); variance(m)
"""

BY_ID = "over (partition by g order by id)"
BY_TIME = "over (partition by g order by t, id)"
HUGE = "case when id % 40 = 7 then 1e100d else y end"
MOVING = "over (partition by g order by id rows between 1 preceding and current row)"
WINDOWS = rf"""
cume_dist() {BY_ID}; dense_rank() over (partition by g order by c); rank() over (partition by g order by c)
cume_dist() over (partition by g order by c desc); percent_rank() over (partition by g order by c)
row_number() {BY_ID}; row_number() {BY_TIME}; ntile(3) {BY_ID}; ntile(7) over (partition by b order by id)
row_number() over (partition by g order by y desc nulls last, id); rank() over (partition by g order by x, id)
dense_rank() over (partition by g order by y nulls first); rank() over (order by s desc)
first_value(n) {BY_ID}; last_value(n) {BY_ID}; nth_value(n, 2) {BY_ID}; first_value(n) ignore nulls {BY_ID}
first_value(s, true) {BY_ID}; last_value(s, true) {BY_ID}; last_value(n) ignore nulls {BY_ID}
first_value(s) over (partition by g order by id rows between 2 preceding and current row)
last_value(s) over (partition by g order by id rows between current row and 2 following)
lag(n) {BY_ID}; lag(n, 2) {BY_ID}; lag(s, 1, 'none') {BY_ID}; lag(t) {BY_TIME}; lag(n) ignore nulls {BY_ID}
lead(n) {BY_ID}; lead(n, 2) {BY_ID}; lead(s, 1, 'none') {BY_ID}; lead(t) {BY_TIME}; lead(b) {BY_ID}
lead(n, 1, 0) {BY_ID}
avg(y) {BY_ID}; avg(y) over (partition by g order by id rows between 3 preceding and current row)
avg(y) over (partition by g)
avg(y) over (partition by g order by unix_micros(t) range between 86400000000 preceding and current row)
sum(n) {BY_ID}; sum(c) over (partition by g)
sum(y) over (partition by g order by id rows between 1 preceding and 1 following)
sum(c) over (partition by g order by c range between 1 preceding and current row)
sum(c) over (partition by g order by c)
sum(m) {BY_ID}; sum(c) over (partition by g order by id rows between unbounded preceding and unbounded following)
min(n) {BY_ID}; max(n) {BY_ID}; min(s) {BY_ID}; max(t) over (partition by g); min(t) over (partition by g)
max(x) {BY_ID}
max(y) over (partition by g order by id rows between 5 preceding and current row)
min(y) over (partition by g order by unix_micros(t) range between 86400000000 preceding and current row)
max(y) over (partition by g order by t range between interval 1 day preceding and current row)
count(*) {BY_ID}; count(n) {BY_ID}; count_if(b) {BY_ID}; count_if(b) over (partition by g)
count(1) over (partition by g)
collect_list(n) {BY_ID}; array_sort(collect_set(c) {BY_ID}); size(collect_list(s) {BY_TIME})
collect_list(n) over (partition by g order by id rows between 2 preceding and current row)
bool_and(b) {BY_ID}; bool_or(b) {BY_ID}; bool_or(b) over (partition by g); bool_and(b) over (partition by g)
stddev_samp(y) {BY_ID}; stddev_samp(y) over (partition by g); stddev(y) over (partition by g); var_samp(y) {BY_ID}
stddev_samp(y) over (partition by g order by id rows between 10 preceding and current row)
median(y) over (partition by g)
percentile(y, 0.5) over (partition by g); max_by(s, id) {BY_ID}; min_by(s, id) over (partition by g)
corr(y, y2) {BY_ID}
sum({HUGE}) {MOVING}
avg({HUGE}) {MOVING}
mean({HUGE}) {MOVING}
std({HUGE}) {MOVING}
stddev({HUGE}) {MOVING}
stddev_pop({HUGE}) {MOVING}
stddev_samp({HUGE}) {MOVING}
var_pop({HUGE}) {MOVING}
var_samp({HUGE}) {MOVING}
variance({HUGE}) {MOVING}
min({HUGE}) {MOVING}
max({HUGE}) {MOVING}
count({HUGE}) {MOVING}
"""

# What makes several rows of one, or rows in a number of its own.
GENERATORS = r"""
explode(a); explode(w); explode(k); explode(array(n, n2)); explode(sequence(1, c)); explode(arrays_zip(a, w))
explode(filter(array(case when b then 'x' end, case when b2 then 'y' end), each -> each is not null))
explode_outer(a); explode_outer(w); explode_outer(k); posexplode(a); posexplode(w); posexplode(k)
posexplode_outer(a); posexplode_outer(k); inline(array(r)); inline(arrays_zip(a, w)); inline_outer(array(r))
stack(2, n, n2)
stack(2, 'n', n, 'n2', n2); json_tuple(j, 'a', 'b'); flatten(array(a)); inline_outer(arrays_zip(a, w))
window(t, '1 minute'); window(t, '5 minutes', '1 minute'); window(t, '1 hour'); window(t, '1 day')
window(t, '10 minutes', '5 minutes'); window(t, '1 hour', '1 hour', '15 minutes'); window(t, '10 seconds')
window(t, '7 days'); window_time(window(t, '1 minute')); session_window(t, '5 minutes')
window(to_timestamp(d), '1 day')
"""
