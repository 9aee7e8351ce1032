//! Types that users make, and types that hold values.

use super::Case;

/// What the cases need on every server.
pub(super) const TYPES: &str = r#"
create table "Odd Table.x" ("col umn" int, y text);
create type mood as enum ('sad', 'ok', 'happy');
create type odd_enum as enum (' ', 'O''Neil', 'a"b\c', 'é😀', 'NULL', '{,}');
create domain dom_num as numeric(12,2) check (value is null or value < 1e9);
create domain dom_text as text;
create domain dom_dom as dom_num;
create domain dom_ints as int4[];
create domain dom_mood as mood;
create domain dom_inf_numeric as numeric;
create domain dom_inf_interval as interval;
create type pair as (a int, b text);
create domain dom_pair as pair;
create type nested as (p pair, q pair[], d dom_num, m mood[], r int4range);
create type deep as (n nested, ns nested[], dp dom_pair);
create type shrunk as (a int, gone text, c timestamptz);
alter type shrunk drop attribute gone;
create type reordered as (a int);
alter type reordered add attribute b numeric(9,2);
create type holder as (i int4[], t timestamp, n numeric, u uuid, j json, b bytea, h "char");
create type one as (x text);
create type nothing as ();
create type with_class as (c regclass, n int);
create type with_class_deep as (w with_class[], n int);
create type "Odd Type.x" as ("a b" int, "é""q" text, "a.b" int4);
create type textrange as range (subtype = text, collation = "C");
create type domrange as range (subtype = dom_num);
create type pairrange as range (subtype = pair);
create type floatrange as range (subtype = float8);
create type ranges as (i int4range, t textrange, d domrange[]);
create domain dom_range as int4range check (not isempty(value));
"#;

/// What the cases need from version 14 on.
pub(super) const TYPES_14: &str = "create type with_multi as (m int4multirange, n int)";

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    let mut all = domains();
    all.extend(composites());
    all.extend(ranges());
    all.extend(multiranges());
    all.extend(arrays());
    all.extend(newer());
    all
}

#[rustfmt::skip] // a table
fn domains() -> Vec<Case> {
    let f = Case::new;
    vec![
        f("mood", &["sad", "ok", "happy"]),
        f("odd_enum", &[" ", "O'Neil", "a\"b\\c", "\u{e9}\u{1f600}", "NULL", "{,}"]),
        f("dom_num", &["12.30", "-0.01", "0"]),
        f("dom_text", &["", "x "]),
        f("dom_dom", &["1.10", "999999999.99"]),
        f("dom_ints", &["{1,2}", "{}", "{{1},{2}}", "[3:4]={1,NULL}"]),
        f("dom_mood", &["ok"]),
        f("dom_pair", &["(1,x)", "(,)"]),
        f("dom_range", &["[1,5)", "(,)"]),
    ]
}

#[rustfmt::skip] // a table
fn composites() -> Vec<Case> {
    let f = Case::new;
    vec![
        f("pair", &["(1,x)", "(,)", "(-2147483648,\"\")", "(0,\"a,b\"\"c\\\\\")"]),
        f(
            "nested",
            &[
                "(\"(1,x)\",\"{\"\"(2,y)\"\",NULL,\"\"(,)\"\"}\",1.10,\"{sad,NULL}\",\"[1,3)\")", "(,,,,)", "(\"(,)\",{},,{},empty)",
                // A shape and a value without a standard form, inside.
                "(,\"[0:0]={\"\"(2,y)\"\"}\",,\"{{sad},{ok}}\",\"(,)\")",
            ],
        ),
        f(
            "deep",
            &[
                "=row(row(row(1,'x'), array[row(2,'y')]::pair[], 1.1, '{ok}', '[1,2)'), array[null, row(null,null,null,null,null)]::nested[], row(7,'z'))",
                "(,,)",
            ],
        ),
        f("shrunk", &["(1,\"2026-01-01 00:00:00+00\")", "(,infinity)", "(,\"294276-12-31 00:00:00+00\")"]),
        f("reordered", &["(1,2.50)", "(,NaN)"]),
        f(
            "holder",
            &[
                "=row(array[1,null], 'infinity', 'NaN', null, ' {\"a\" : 1} ', '\\x00', '')",
                "=row('{{1}}', '294276-12-31', '0.000', '00000000-0000-0000-0000-000000000000', null, '', (-56)::\"char\")",
                "(,,,,,,)",
            ],
        ),
        f("one", &["(x)", "()", "(\"\")"]),
        f("nothing", &["()"]).text(),
        f("with_class", &["(pg_class,1)", "(,)"]).text(),
        f("with_class_deep", &["=row(array[row('pg_type'::regclass, 2)::with_class], 3)"]).text(),
        f("\"Odd Type.x\"", &["(1,x,2)"]),
        f("\"Odd Table.x\"", &["(1,x)", "(,)"]),
        f("ranges", &["=row('[1,2)', '[a,b]', array['[1.10,2]', null, 'empty']::domrange[])", "(,,)"]),
        f("with_multi", &["=row('{[1,2),[5,)}', 1)", "(,)", "({},)"]).since(140_000),
    ]
}

#[rustfmt::skip] // a table
fn ranges() -> Vec<Case> {
    let f = Case::new;
    vec![
        f("int4range", &["empty", "(,)", "[1,5)", "(,5]", "[-2147483648,2147483647)", "[1,)"]),
        f("int8range", &["empty", "(,)", "[-9223372036854775808,9223372036854775807)"]),
        f("numrange", &["empty", "(,)", "[1.10,2.2000]", "(0.0,NaN]", "[1e-100,1e100)"]),
        f(
            "tsrange",
            &[
                "empty", "(,)", "[-infinity,infinity]", "[2000-01-01,294276-12-31)", "[1999-12-31 23:59:59.999999,2000-01-01]",
            ],
        ),
        f(
            "tstzrange",
            &["empty", "(,)", "[2026-01-01 00:00:00+05:30,)", "(-infinity,294276-12-31 00:00:00+00]"],
        ),
        f(
            "daterange",
            &["empty", "(,)", "[2000-01-01,2000-01-02]", "[-infinity,infinity)", "[4714-11-24 BC,5874897-12-31)"],
        ),
        f("textrange", &["empty", "(,)", "[\"\",b]", "(a,\"b \"]", "[\"a,b\",\u{1f600})"]),
        f("domrange", &["empty", "(,)", "[1.10,2.20]", "[0,)"]),
        f("pairrange", &["empty", "(,)", "[\"(1,x)\",\"(2,y)\")", "[\"(,)\",]"]),
        f("floatrange", &["empty", "(,)", "[-0,NaN]", "(-Infinity,5e-324)"]),
    ]
}

#[rustfmt::skip] // a table
fn multiranges() -> Vec<Case> {
    let f = |sql, values: &[&'static str]| Case::new(sql, values).since(140_000);
    vec![
        f("int4multirange", &["{}", "{[1,2),[5,9)}", "{(,)}", "{(,1),[5,)}"]),
        f("int8multirange", &["{}", "{[1,2),[5,)}"]),
        f("nummultirange", &["{}", "{[1.10,2.2000],(3,NaN]}"]),
        f("tsmultirange", &["{}", "{[-infinity,2000-01-01],[294276-12-31,infinity]}"]),
        f("tstzmultirange", &["{}", "{[2026-01-01 00:00:00+00,)}"]),
        f("datemultirange", &["{}", "{[2000-01-01,2000-01-02],[2020-01-01,)}"]),
        f("textmultirange", &["{}", "{[a,b],[\"c \",)}"]),
        f("dommultirange", &["{}", "{[1.10,2.20]}"]),
        f("pairmultirange", &["{}", "{[\"(1,x)\",\"(2,y)\")}"]),
    ]
}

#[rustfmt::skip] // a table
fn arrays() -> Vec<Case> {
    let f = |sql, values: &[&'static str]| Case::new(sql, values).no_arrays();
    vec![
        f(
            "int4[]",
            &["{}", "{1,NULL,3}", "{{1,2},{3,4}}", "[5:6]={7,8}", "[0:1]={7,8}", "{{{{{{1}}}}}}", "{NULL}"],
        ),
        f("text[]", &["{}", "{\"\",NULL,\"NULL\"}", "{{a},{b}}", "{\"\u{1f600}\",\"a,b\"}"]),
        f("numeric(9,2)[]", &["{1.10,NULL}", "{NaN,1}", "{}"]),
        f("numeric[]", &["{1.10,NaN,0.000}", "[0:0]={1}"]),
        f("timestamptz[]", &["{infinity,-infinity}", "{294276-12-31}", "{NULL,2026-01-01}"]),
        f("bytea[]", &["{\"\\\\x00\",NULL}"]),
        f("json[]", &["{\" {} \",NULL}"]),
        f("jsonb[]", &["{\"{\\\"a\\\": 1}\"}"]),
        f("mood[]", &["{sad,NULL}", "{}"]),
        f("pair[]", &["{\"(1,x)\",NULL,\"(,)\"}", "[2:2]={\"(1,x)\"}"]),
        f("dom_num[]", &["{1.10,NULL}"]),
        f(
            "dom_ints[]",
            &["=array_fill('{1,2}'::dom_ints, array[2])", "=array_fill('{{1},{2}}'::dom_ints, array[1])"],
        ),
        f("int4range[]", &["{empty,\"[1,2)\",NULL}"]),
        f("varchar(3)[]", &["{abc,\"\"}"]),
        f("char(3)[]", &["{a,\"\"}"]),
        f("bit(3)[]", &["{101,NULL}"]),
        f("regclass[]", &["{pg_class,NULL}"]).text(),
        f("\"char\"[]", &["=array['a'::\"char\", (-56)::\"char\", '']"]),
    ]
}

/// Values that came with a version.
#[rustfmt::skip] // a table
fn newer() -> Vec<Case> {
    let f = |sql, values: &[&'static str]| Case::new(sql, values).no_arrays();
    vec![
        // A domain each, so that the name of the table is its own.
        f("dom_inf_numeric", &["Infinity", "-Infinity", "NaN", "1.0"]).since(140_000),
        f("dom_inf_interval", &["infinity", "-infinity", "1 day"]).since(170_000),
    ]
}
