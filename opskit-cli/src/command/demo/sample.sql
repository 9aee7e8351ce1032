-- A small shop, the same on every run: ten tables that need each other, and one with an odd name.
SET datestyle = 'ISO';
SET timezone = 'UTC';
SET intervalstyle = 'postgres';

CREATE TYPE order_state AS ENUM ('new', 'paid', 'shipped', 'returned');
CREATE TYPE address AS (street text, city text, zip varchar(10));
CREATE DOMAIN email AS text CHECK (VALUE ~ '^[^@]+@[^@]+$');

CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    new.changed_at := now();
    RETURN new;
END $$;

CREATE TABLE customers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    email email UNIQUE,
    home address,
    born date,
    tags text[] NOT NULL DEFAULT '{}',
    changed_at timestamptz NOT NULL DEFAULT timestamptz '2026-01-01'
);
INSERT INTO customers (name, email, home, born, tags)
SELECT 'Customer ' || i, CASE WHEN i % 7 > 0 THEN 'c' || i || '@example.com' END,
       ROW(i % 90 || ' High Street', (ARRAY['Łódź', 'Genève', '東京', 'Lagos'])[1 + i % 4], to_char(i % 99999, 'FM00000'))::address,
       date '1950-01-01' + i % 20000, ARRAY['t' || i % 5, 't' || i % 3]
FROM generate_series(1, 5000) i;
CREATE INDEX ON customers ((lower(name)));
CREATE INDEX ON customers USING gin (tags);
CREATE TRIGGER touched BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION touch();
COMMENT ON TABLE customers IS 'Who buys here';

CREATE TABLE categories (
    id int PRIMARY KEY,
    parent int REFERENCES categories,
    name text NOT NULL
);
INSERT INTO categories SELECT i, nullif(i / 5, 0), 'Category ' || i FROM generate_series(1, 40) i;

CREATE SEQUENCE product_numbers START 100000 INCREMENT 7;
CREATE TABLE products (
    id int PRIMARY KEY,
    number bigint NOT NULL DEFAULT nextval('product_numbers') UNIQUE,
    category int NOT NULL REFERENCES categories,
    name text NOT NULL,
    price numeric(12,2) NOT NULL CHECK (price >= 0),
    gross numeric GENERATED ALWAYS AS (price * 1.19) STORED,
    details jsonb NOT NULL,
    manual oid
);
INSERT INTO products (id, category, name, price, details)
SELECT i, 1 + i % 40, 'Product ' || i, i * 37 % 9000 / 100.0,
       jsonb_build_object('colour', (ARRAY['red', 'green', 'blue'])[1 + i % 3], 'sizes', jsonb_build_array(i % 5, i % 7), 'weight', i / 8.0)
FROM generate_series(1, 1000) i;
CREATE INDEX ON products USING gin (details);
UPDATE products SET manual = lo_from_bytea(0, convert_to(repeat('Keep away from water. ', 20000), 'UTF8')) WHERE id = 1;

CREATE TABLE orders (
    id bigint NOT NULL,
    customer bigint NOT NULL REFERENCES customers,
    placed timestamptz NOT NULL,
    state order_state NOT NULL DEFAULT 'new',
    total numeric(12,2) NOT NULL,
    delivery tstzrange,
    PRIMARY KEY (id, placed)
) PARTITION BY RANGE (placed);
DO $$
BEGIN
    FOR quarter IN 1..4 LOOP
        EXECUTE format('CREATE TABLE orders_2026_q%s PARTITION OF orders FOR VALUES FROM (%L) TO (%L)', quarter,
            date '2026-01-01' + make_interval(months => 3 * quarter - 3), date '2026-01-01' + make_interval(months => 3 * quarter));
    END LOOP;
END $$;
INSERT INTO orders
SELECT i, 1 + i % 5000, at, (ARRAY['new', 'paid', 'shipped', 'returned'])[1 + i % 4]::order_state,
       (i * 7919 % 1000000) / 100.0, CASE WHEN i % 3 > 0 THEN tstzrange(at + interval '1 day', at + interval '3 days') END
FROM generate_series(1, 20000) i, LATERAL (SELECT timestamptz '2026-01-01' + i * interval '25 minutes') a(at);
CREATE INDEX ON orders (customer);

CREATE TABLE order_items (
    order_id bigint NOT NULL,
    placed timestamptz NOT NULL,
    position smallint NOT NULL,
    product int NOT NULL REFERENCES products,
    quantity int NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (order_id, placed, position),
    FOREIGN KEY (order_id, placed) REFERENCES orders ON DELETE CASCADE
);
INSERT INTO order_items SELECT o.id, o.placed, n, 1 + (o.id * 31 + n) % 1000, 1 + (o.id + n) % 4 FROM orders o, generate_series(1, 2) n;

CREATE TABLE payments (
    id uuid PRIMARY KEY,
    order_id bigint NOT NULL,
    placed timestamptz NOT NULL,
    amount numeric(12,2) NOT NULL,
    provider jsonb NOT NULL,
    labels text[],
    refunded boolean NOT NULL,
    score double precision,
    FOREIGN KEY (order_id, placed) REFERENCES orders
);
INSERT INTO payments
SELECT md5(id::text)::uuid, id, placed, total,
       jsonb_build_object('method', (ARRAY['card', 'sepa', 'wallet'])[1 + id % 3], 'try', id % 4, 'fee', id % 100 / 100.0),
       ARRAY['l' || id % 9, NULL, 'x'], id % 50 = 0, CASE WHEN id % 11 > 0 THEN sqrt(id) END
FROM orders WHERE state <> 'new';

CREATE TABLE reviews (
    id bigserial PRIMARY KEY,
    product int NOT NULL REFERENCES products,
    customer bigint NOT NULL REFERENCES customers ON DELETE CASCADE,
    stars smallint NOT NULL CHECK (stars BETWEEN 1 AND 5),
    published boolean NOT NULL DEFAULT false,
    words tsvector
);
INSERT INTO reviews (product, customer, stars, published, words)
SELECT 1 + i % 1000, 1 + i % 5000, 1 + i % 5, i % 3 > 0, to_tsvector('simple', 'review number ' || i) FROM generate_series(1, 8000) i;
ALTER TABLE reviews ENABLE ROW LEVEL SECURITY;
CREATE POLICY published_only ON reviews FOR SELECT TO shop_clerk USING (published);

CREATE TABLE stock (
    product int PRIMARY KEY REFERENCES products,
    amount int NOT NULL,
    place point,
    counted timestamptz
);
INSERT INTO stock SELECT i, i * 13 % 400, point(i % 20, i / 50.0), 'infinity' FROM generate_series(1, 1000) i;

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

CREATE TABLE audit (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    customer bigint REFERENCES customers ON DELETE SET NULL,
    what text NOT NULL,
    at timestamptz NOT NULL DEFAULT timestamptz '2026-01-01'
);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit (customer, what) VALUES (new.customer, 'order ' || new.id || ' is ' || new.state);
    RETURN NULL;
END $$;
CREATE TRIGGER noted AFTER UPDATE OF state ON orders FOR EACH ROW EXECUTE FUNCTION note();
UPDATE orders SET state = 'paid' WHERE state = 'new' AND id % 16 = 4;

CREATE TABLE "Odd.Name" ("a column, with ""quotes""" text, "select" int, "ünïcode" boolean);
INSERT INTO "Odd.Name" SELECT 'value ' || i, i, i % 2 = 0 FROM generate_series(1, 500) i;

CREATE VIEW customer_totals AS
SELECT c.id, c.name, count(o.id) AS orders, sum(o.total) AS total FROM customers c LEFT JOIN orders o ON o.customer = c.id GROUP BY c.id;
CREATE VIEW best_customers AS SELECT name, total FROM customer_totals WHERE total > 20000;
CREATE MATERIALIZED VIEW revenue AS SELECT date_trunc('month', placed) AS month, sum(total) AS total FROM orders GROUP BY 1;
CREATE UNIQUE INDEX ON revenue (month);

GRANT SELECT ON customers, orders, reviews TO shop_clerk;
GRANT UPDATE (published) ON reviews TO shop_clerk;
