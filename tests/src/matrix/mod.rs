//! Types and hard values: what every export path must carry bit for bit.

mod made;
mod simple;

use crate::database::TestDb;
use opskit_core::name::quote_literal;

/// A type (with its modifier), and values of it that are easy to get wrong.
#[derive(Debug, Clone)]
pub struct Case {
    /// The type as SQL.
    pub sql: &'static str,
    /// Its values: input text of the type, or an SQL expression after `=`.
    pub values: Vec<&'static str>,
    /// The first server version that has the type or its values.
    pub since: u32,
    /// The extension it needs.
    pub extension: Option<&'static str>,
    /// How its values are to be read.
    pub read: Read,
    /// Whether the case has a column of arrays too.
    pub arrays: Arrays,
}

/// How a column must be read from the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// In its binary form.
    Binary,
    /// As text: its binary form does not tell the value, or not everywhere.
    AsText,
}

/// Whether arrays of a type are part of its case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrays {
    /// They are.
    Too,
    /// There is no such type, or it is a case of its own.
    None,
}

impl Case {
    fn new(sql: &'static str, values: &[&'static str]) -> Self {
        Self {
            sql,
            values: values.to_vec(),
            since: 0,
            extension: None,
            read: Read::Binary,
            arrays: Arrays::Too,
        }
    }

    fn since(mut self, version: u32) -> Self {
        self.since = version;
        self
    }

    fn extension(mut self, name: &'static str) -> Self {
        self.extension = Some(name);
        self
    }

    fn text(mut self) -> Self {
        self.read = Read::AsText;
        self
    }

    fn no_arrays(mut self) -> Self {
        self.arrays = Arrays::None;
        self
    }

    /// The name of its table.
    #[must_use]
    pub fn table(&self) -> String {
        let mut name = String::from("m_");
        for c in self.sql.chars() {
            match c {
                'a'..='z' | '0'..='9' => name.push(c),
                '-' => name.push_str("minus"),
                '[' => name.push_str("arr"),
                _ if name.ends_with('_') => {}
                _ => name.push('_'),
            }
        }
        name
    }

    fn literal(&self, value: &str) -> String {
        match value.strip_prefix('=') {
            Some(expression) => format!("({expression})::{}", self.sql),
            None => format!("{}::{}", quote_literal(value), self.sql),
        }
    }

    /// The statements that make its table, one per value and then the shapes of arrays.
    fn statements(&self) -> Vec<String> {
        let (table, sql) = (self.table(), self.sql);
        let mut all = Vec::new();
        if self.arrays == Arrays::None {
            all.push(format!("create table {table} (id int, v {sql})"));
            for (id, value) in self.values.iter().enumerate() {
                all.push(format!(
                    "insert into {table} values ({id}, {})",
                    self.literal(value)
                ));
            }
            all.push(format!("insert into {table} values (-1, null)"));
            return all;
        }
        all.push(format!("create table {table} (id int, v {sql}, w {sql}[])"));
        for (id, value) in self.values.iter().enumerate() {
            let v = self.literal(value);
            all.push(format!(
                "insert into {table} values ({id}, {v}, array_fill({v}, array[1]))"
            ));
        }
        let first = self.literal(self.values[0]);
        let shapes = [
            "null".to_owned(),
            format!("'{{}}'::{sql}[]"),
            format!("array_fill(null::{sql}, array[2])"),
            format!("array_append(array_fill({first}, array[2]), null)"),
            format!("array_fill({first}, array[2,2])"),
            format!("array_fill({first}, array[2], array[5])"),
            format!("array_fill({first}, array[2], array[0])"),
            format!("array_fill({first}, array[1,2,1,2,1,1], array[1,1,-7,1,1,1])"),
        ];
        for (at, shape) in shapes.iter().enumerate() {
            all.push(format!(
                "insert into {table} values (-{}, null, {shape})",
                at + 1
            ));
        }
        all.push(format!(
            "insert into {table} values (-20, null, array_fill(null::{sql}, array[1]))"
        ));
        // The flag that says "has NULLs" stays set.
        all.push(format!("update {table} set w[1] = {first} where id = -20"));
        all
    }
}

/// A database with a table for every case that its server can have.
#[derive(Debug)]
pub struct Matrix {
    /// The cases, in the order of their definition.
    pub cases: Vec<Case>,
    /// Cases left out, with the reason.
    pub skipped: Vec<String>,
}

impl Matrix {
    /// Makes the tables in `db`.
    ///
    /// # Panics
    ///
    /// When the server refuses a type or a value.
    pub async fn make(db: &TestDb) -> Self {
        let version = db.version().await;
        let available = db.psql("select name from pg_available_extensions").await;
        let available: Vec<&str> = available.lines().collect();
        let has_xml = db
            .psql("select exists (select from pg_config where name = 'CONFIGURE' and setting like '%with-libxml%') or exists (select from pg_proc where proname = 'xmlvalidate')")
            .await;
        db.psql(made::TYPES).await;
        if version >= 140_000 {
            db.psql(made::TYPES_14).await;
        }
        let mut matrix = Self {
            cases: Vec::new(),
            skipped: Vec::new(),
        };
        let mut refused = Vec::new();
        for case in simple::cases().into_iter().chain(made::cases()) {
            if version < case.since {
                matrix
                    .skipped
                    .push(format!("{}: the server is too old", case.sql));
            } else if let Some(missing) = case.extension.filter(|name| !available.contains(name)) {
                matrix.skipped.push(format!(
                    "{}: extension {missing} is not installed",
                    case.sql
                ));
            } else if case.sql.starts_with("xml") && (has_xml != "t" || !try_xml(db).await) {
                matrix
                    .skipped
                    .push(format!("{}: the server has no libxml", case.sql));
            } else {
                refused.extend(make_case(db, &case).await.err());
                matrix.cases.push(case);
            }
        }
        assert!(refused.is_empty(), "{}", refused.join("\n"));
        matrix
    }
}

async fn try_xml(db: &TestDb) -> bool {
    db.try_psql("select '<a/>'::xml").await.is_ok()
}

async fn make_case(db: &TestDb, case: &Case) -> Result<(), String> {
    let mut script = String::new();
    if let Some(name) = case.extension {
        script.push_str(&format!("create extension if not exists {name};\n"));
    }
    script.push_str(&case.statements().join(";\n"));
    let made = db.try_psql(&script).await;
    made.map(drop).map_err(|e| format!("{}: {e}", case.sql))
}
