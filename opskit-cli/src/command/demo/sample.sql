-- A small shop, the same on every run: about 200,000 rows.
SET datestyle = 'ISO';
SET timezone = 'UTC';
SET intervalstyle = 'postgres';

CREATE TYPE order_state AS ENUM ('new', 'paid', 'shipped', 'returned');
CREATE TYPE address AS (street text, city text, zip varchar(10));

CREATE TABLE customers (
    id bigint PRIMARY KEY,
    name text NOT NULL,
    email text,
    home address,
    born date,
    tags text[] NOT NULL DEFAULT '{}'
);
INSERT INTO customers
SELECT i, 'Customer ' || i, CASE WHEN i % 7 > 0 THEN 'c' || i || '@example.com' END,
       ROW(i % 90 || ' High Street', (ARRAY['Łódź', 'Genève', '東京', 'Lagos'])[1 + i % 4], to_char(i % 99999, 'FM00000'))::address,
       date '1950-01-01' + i % 20000, ARRAY['t' || i % 5, 't' || i % 3]
FROM generate_series(1, 20000) i;

CREATE TABLE orders (
    id bigint NOT NULL,
    customer bigint NOT NULL,
    placed timestamptz NOT NULL,
    state order_state NOT NULL,
    total numeric(12,2) NOT NULL,
    delivery tstzrange
) PARTITION BY RANGE (placed);
DO $$
BEGIN
    FOR month IN 0..5 LOOP
        EXECUTE format('CREATE TABLE orders_2026_%s PARTITION OF orders FOR VALUES FROM (%L) TO (%L)',
            to_char(month + 1, 'FM00'), date '2026-01-01' + make_interval(months => month),
            date '2026-01-01' + make_interval(months => month + 1));
    END LOOP;
END $$;
INSERT INTO orders
SELECT i, 1 + i % 20000, at, (ARRAY['new', 'paid', 'shipped', 'returned'])[1 + i % 4]::order_state,
       (i * 7919 % 1000000) / 100.0, CASE WHEN i % 3 > 0 THEN tstzrange(at + interval '1 day', at + interval '3 days') END
FROM generate_series(1, 80000) i, LATERAL (SELECT timestamptz '2026-01-01' + i * interval '190 seconds') a(at);

CREATE TABLE payments (
    id uuid PRIMARY KEY,
    order_id bigint NOT NULL,
    amount numeric(12,2) NOT NULL,
    paid_at timestamptz NOT NULL,
    provider jsonb NOT NULL,
    labels text[],
    refunded boolean NOT NULL,
    score double precision,
    note text
);
INSERT INTO payments
SELECT md5(i::text)::uuid, i % 80000, (i * 10477 % 500000) / 100.0, timestamptz '2026-01-01' + i * interval '150 seconds',
       jsonb_build_object('method', (ARRAY['card', 'sepa', 'wallet'])[1 + i % 3], 'try', i % 4, 'fee', i % 100 / 100.0),
       ARRAY['l' || i % 9, NULL, 'x'], i % 50 = 0, CASE WHEN i % 11 > 0 THEN sqrt(i) END, CASE WHEN i % 4 = 0 THEN 'note ' || md5(i::text) END
FROM generate_series(1, 100000) i;

-- Values that Parquet has no form for, and values at the edges of their types.
CREATE TABLE events (
    id int PRIMARY KEY,
    amount numeric(20,4),
    at timestamp,
    seen timestamptz,
    day date,
    grid int[],
    weight real,
    during int4range,
    took interval,
    raw bytea
);
INSERT INTO events VALUES
    (1, 'NaN', 'infinity', '-infinity', 'infinity', '{{1,2},{3,4}}', 'NaN', 'empty', '1 mon -1 day 00:00:00.000001', '\x00ff'),
    (2, 9999999999999999.9999, '294276-12-31 23:59:59.999999', '4713-01-01 00:00:00+00 BC', '5874897-12-31', '[0:1]={7,8}', '-Infinity', '(,5)', '-178000000 years', ''),
    (3, -0.0001, '4713-11-24 00:00:00 BC', '294276-12-31 23:59:59.999999+00', '4713-11-24 BC', '{}', '-0', '[1,)', '00:00:00', NULL);
INSERT INTO events
SELECT i, i / 4.0, timestamp '2026-01-01' + i * interval '1 hour', NULL, date '2026-01-01' + i % 365, ARRAY[i, i + 1], i, int4range(i, i + 10), i * interval '1 minute', decode(md5(i::text), 'hex')
FROM generate_series(4, 2000) i;

CREATE TABLE measurements (id int, free_numeric numeric);
INSERT INTO measurements
SELECT i, CASE i % 3 WHEN 0 THEN 'NaN'::numeric WHEN 1 THEN power(10::numeric, i % 100) ELSE i / 7.0 END FROM generate_series(1, 900) i;

CREATE TABLE "Odd.Name" ("a column, with ""quotes""" text, "select" int, "ünïcode" boolean);
INSERT INTO "Odd.Name" SELECT 'value ' || i, i, i % 2 = 0 FROM generate_series(1, 500) i;
