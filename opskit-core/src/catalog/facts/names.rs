//! What OIDs mean: the identity of every object, and whose it is.

use crate::catalog::address::{Address, CatalogId};
use crate::catalog::scope::Scope;
use crate::catalog::{TextRow, flag, number, text};
use crate::error::Result;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use CatalogId as C;

/// Whose an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owned {
    /// The user's: its rows are facts.
    ByUser,
    /// An extension's or the server's: only changes of its privileges are facts.
    ByOthers,
    /// The platform's, or ignored.
    Outside,
}

/// One object.
#[derive(Debug, Clone)]
pub(super) struct Named {
    /// The object in words, `table public.orders`.
    pub(super) label: Arc<str>,
    /// How many bytes of the label are the word and a blank; what follows is the identity.
    word: usize,
    pub(super) owned: Owned,
    /// The object whose statement makes this one.
    pub(super) made_by: Address,
}

impl Named {
    /// The object where its class is clear: `public.orders`.
    pub(super) fn identity(&self) -> &str {
        &self.label[self.word..]
    }
}

/// All objects of a database, and the columns of its relations.
#[derive(Debug, Default)]
pub(super) struct Names {
    objects: HashMap<Address, Named>,
    columns: HashMap<(u32, i16), Box<str>>,
    members: HashSet<Address>,
    platform_roles: HashSet<u32>,
    pub(super) outside: Vec<String>,
}

impl Names {
    pub(super) fn get(&self, address: Address) -> Option<&Named> {
        self.objects.get(&address)
    }

    pub(super) fn column(&self, relation: u32, number: i16) -> Option<&str> {
        self.columns.get(&(relation, number)).map(|name| &**name)
    }

    /// Takes a row of [`sql`].
    pub(super) fn take(&mut self, row: &TextRow) -> Result<()> {
        match text(row, 0)? {
            "member" => {
                let address = Address::new(CatalogId(number(row, 1)?), number(row, 2)?);
                self.members.insert(address);
            }
            "column" => {
                let at = (number(row, 1)?, number(row, 2)?);
                self.columns.insert(at, text(row, 3)?.into());
            }
            "role" => self.take_role(row)?,
            "schema" => self.take_schema(row)?,
            _ => self.take_object(&Row(row))?,
        }
        Ok(())
    }

    fn take_role(&mut self, row: &TextRow) -> Result<()> {
        let oid = number(row, 1)?;
        if flag(row, 3)? {
            self.platform_roles.insert(oid);
        }
        let address = Address::new(C::ROLE, oid);
        self.put(
            address,
            "role",
            &ident(text(row, 2)?),
            Owned::ByUser,
            address,
        );
        Ok(())
    }

    fn take_schema(&mut self, row: &TextRow) -> Result<()> {
        let (oid, name) = (number(row, 1)?, text(row, 2)?);
        let address = Address::new(C::NAMESPACE, oid);
        let owned = if flag(row, 3)? {
            self.unless_member(address)
        } else if oid == SERVER_SCHEMA {
            self.unless_platform(number(row, 4)?, Owned::ByOthers)
        } else {
            // Schemas of the server's own come and go with sessions.
            if !name.starts_with("pg_") && name != "information_schema" {
                self.outside.push(name.to_owned());
            }
            Owned::Outside
        };
        self.put(address, "schema", &ident(name), owned, address);
        Ok(())
    }

    fn take_object(&mut self, row: &Row<'_>) -> Result<()> {
        let class = CatalogId(row.number(1)?);
        let address = Address::new(class, row.number(2)?);
        let (word, identity) = self.words(class, row)?;
        let owned = self.owner_of(address, row)?;
        let made_by = maker(class, row)?.unwrap_or(address);
        self.put(address, word, &identity, owned, made_by);
        Ok(())
    }

    fn put(&mut self, at: Address, word: &str, identity: &str, owned: Owned, made_by: Address) {
        let label = match (word, identity) {
            ("", identity) => identity.to_owned(),
            (word, "") => word.to_owned(),
            (word, identity) => format!("{word} {identity}"),
        };
        let named = Named {
            word: label.len() - identity.len(),
            label: label.into(),
            owned,
            made_by,
        };
        self.objects.insert(at, named);
    }

    fn unless_member(&self, address: Address) -> Owned {
        if self.members.contains(&address) {
            Owned::ByOthers
        } else {
            Owned::ByUser
        }
    }

    fn unless_platform(&self, owner: u32, otherwise: Owned) -> Owned {
        if self.platform_roles.contains(&owner) {
            Owned::Outside
        } else {
            otherwise
        }
    }

    /// Whose it is: what hangs on another object is whose that is; what lives in a schema is whose the
    /// schema is, unless an extension made it; all else is its owner's.
    fn owner_of(&self, address: Address, row: &Row<'_>) -> Result<Owned> {
        if let Some(parent) = parent(address.catalog, row)? {
            let named = self.objects.get(&parent);
            let owned = named.map_or(Owned::Outside, |named| named.owned);
            return Ok(match (address.catalog, row.reference(4)?) {
                // A platform's role has its own ideas of what the user's schema is for.
                (C::DEFAULT_ACL, Some(role)) => self.unless_platform(role, owned),
                _ => owned,
            });
        }
        if let Some(schema) = row.reference(3)? {
            let schema_owned = self
                .objects
                .get(&Address::new(C::NAMESPACE, schema))
                .map_or(Owned::Outside, |named| named.owned);
            let is_others = self.members.contains(&address) || schema == SERVER_SCHEMA;
            return Ok(match schema_owned {
                Owned::Outside => Owned::Outside,
                // What a user made in a schema that an extension made is the user's.
                _ if is_others => Owned::ByOthers,
                _ => Owned::ByUser,
            });
        }
        if matches!(address.catalog, C::EXTENSION | C::DATABASE) {
            return Ok(Owned::ByUser);
        }
        let owned = if address.oid < FIRST_USER_OID && address.catalog != C::LARGE_OBJECT {
            Owned::ByOthers
        } else {
            self.unless_member(address)
        };
        Ok(row
            .reference(4)?
            .map_or(owned, |owner| self.unless_platform(owner, owned)))
    }

    /// The class in words, and the identity.
    fn words(&self, class: CatalogId, row: &Row<'_>) -> Result<(&'static str, String)> {
        let name = row.text(5)?;
        let own = || self.qualified(row, name);
        Ok(match class {
            C::CLASS => (relation_word(row.text(6)?), own()?),
            C::TYPE => match row.reference(6)? {
                Some(element) => ("type", format!("{}[]", self.identity(C::TYPE, element))),
                None if row.text(7)? == "m" => ("multirange", own()?),
                None if row.text(7)? == "d" => ("domain", own()?),
                None => ("type", own()?),
            },
            C::PROC => {
                let arguments = self.list(row.text(7)?);
                (proc_word(row)?, format!("{}({arguments})", own()?))
            }
            C::OPERATOR => {
                let schema = self.identity(C::NAMESPACE, row.number(3)?);
                let side = |at| -> Result<String> {
                    let oid = row.reference(at)?;
                    Ok(oid.map_or_else(|| "NONE".into(), |oid| self.identity(C::TYPE, oid)))
                };
                (
                    "operator",
                    format!("{schema}.{name}({}, {})", side(6)?, side(7)?),
                )
            }
            C::OPERATOR_CLASS | C::OPERATOR_FAMILY => {
                let method = self.identity(C::ACCESS_METHOD, row.number(6)?);
                let word = if class == C::OPERATOR_CLASS {
                    "operator class"
                } else {
                    "operator family"
                };
                (word, format!("{} using {method}", own()?))
            }
            C::CONSTRAINT | C::TRIGGER | C::RULE | C::POLICY => {
                self.words_of_part(class, row, name)?
            }
            C::CAST | C::TRANSFORM | C::USER_MAPPING | C::DEFAULT_ACL => {
                self.words_of_pair(class, row, name)?
            }
            // Whatever the database is called, it is this one.
            C::DATABASE => ("database", String::new()),
            C::LARGE_OBJECT => ("large object", name.to_owned()),
            C::PARAMETER_ACL => ("parameter", name.to_owned()),
            _ => (plain_word(class), own()?),
        })
    }

    fn words_of_part(
        &self,
        class: CatalogId,
        row: &Row<'_>,
        name: &str,
    ) -> Result<(&'static str, String)> {
        let of = parent(class, row)?.map(|parent| self.identity(parent.catalog, parent.oid));
        let of = of.unwrap_or_default();
        let word = match class {
            C::CONSTRAINT => "constraint",
            C::TRIGGER => "trigger",
            C::POLICY => "policy",
            _ if name == "_RETURN" => "query of",
            _ => "rule",
        };
        let identity = if word == "query of" {
            of
        } else {
            format!("{} on {of}", ident(name))
        };
        Ok((word, identity))
    }

    fn words_of_pair(
        &self,
        class: CatalogId,
        row: &Row<'_>,
        name: &str,
    ) -> Result<(&'static str, String)> {
        let of = |class, at| -> Result<String> { Ok(self.identity(class, row.number(at)?)) };
        Ok(match class {
            C::CAST if row.reference(8)?.is_some() => (
                "multirange cast",
                format!("({} as {})", of(C::TYPE, 6)?, of(C::TYPE, 7)?),
            ),
            C::CAST => (
                "cast",
                format!("({} as {})", of(C::TYPE, 6)?, of(C::TYPE, 7)?),
            ),
            C::TRANSFORM => (
                "transform",
                format!("for {} language {}", of(C::TYPE, 6)?, of(C::LANGUAGE, 7)?),
            ),
            C::USER_MAPPING => (
                "user mapping",
                format!("for {} on {}", ident(name), of(C::FOREIGN_SERVER, 6)?),
            ),
            _ => {
                let schema = match row.reference(6)? {
                    Some(schema) => format!(" in {}", self.identity(C::NAMESPACE, schema)),
                    None => String::new(),
                };
                (
                    "default privileges",
                    format!("of {}{schema} on {name}", of(C::ROLE, 4)?),
                )
            }
        })
    }

    /// The identity behind an OID; OIDs of what is gone stay what they are.
    pub(super) fn identity(&self, class: CatalogId, oid: u32) -> String {
        let named = self.objects.get(&Address::new(class, oid));
        named.map_or_else(|| format!("#{oid}"), |named| named.identity().to_owned())
    }

    fn list(&self, oids: &str) -> String {
        let oids = oids.split(' ').filter_map(|oid| oid.parse().ok());
        let names: Vec<String> = oids.map(|oid| self.identity(C::TYPE, oid)).collect();
        names.join(", ")
    }

    fn qualified(&self, row: &Row<'_>, name: &str) -> Result<String> {
        Ok(match row.reference(3)? {
            Some(schema) => format!("{}.{}", self.identity(C::NAMESPACE, schema), ident(name)),
            None => ident(name),
        })
    }
}

/// OIDs below are the server's own.
const FIRST_USER_OID: u32 = 16384;

/// `pg_catalog`.
const SERVER_SCHEMA: u32 = 11;

/// A row of an object: tag, class, OID, schema, owner, name, and what else its class needs.
struct Row<'a>(&'a TextRow);

impl Row<'_> {
    fn text(&self, at: usize) -> Result<&str> {
        text(self.0, at)
    }

    fn number(&self, at: usize) -> Result<u32> {
        number(self.0, at)
    }

    /// An OID that may be none.
    fn reference(&self, at: usize) -> Result<Option<u32>> {
        match self.0.get(at).and_then(Option::as_deref) {
            None | Some("0") => Ok(None),
            Some(_) => number(self.0, at).map(Some),
        }
    }
}

/// The object that this one is a part of.
fn parent(class: CatalogId, row: &Row<'_>) -> Result<Option<Address>> {
    let of = |class, at| -> Result<Option<Address>> {
        Ok(row.reference(at)?.map(|oid| Address::new(class, oid)))
    };
    match class {
        // An index.
        C::CLASS => of(C::CLASS, 7),
        C::TYPE => match of(C::TYPE, 6)? {
            Some(element) => Ok(Some(element)),
            None => of(C::CLASS, 8),
        },
        C::PROC => of(C::TYPE, 8),
        C::CONSTRAINT => match of(C::CLASS, 6)? {
            Some(relation) => Ok(Some(relation)),
            None => of(C::TYPE, 7),
        },
        C::TRIGGER | C::RULE | C::POLICY => of(C::CLASS, 6),
        C::USER_MAPPING => of(C::FOREIGN_SERVER, 6),
        // Where they are of one schema; else they are whose the role is.
        C::DEFAULT_ACL => of(C::NAMESPACE, 6),
        _ => Ok(None),
    }
}

/// The object whose statement makes this one, where that is another.
fn maker(class: CatalogId, row: &Row<'_>) -> Result<Option<Address>> {
    let of = |class, at| -> Result<Option<Address>> {
        Ok(row.reference(at)?.map(|oid| Address::new(class, oid)))
    };
    match class {
        C::CLASS => match of(C::CONSTRAINT, 8)? {
            Some(constraint) => Ok(Some(constraint)),
            // A composite type.
            None => of(C::TYPE, 9),
        },
        C::TYPE => of(C::TYPE, 9),
        C::PROC => of(C::TYPE, 10),
        C::CAST => of(C::TYPE, 8),
        C::RULE if row.text(5)? == "_RETURN" => of(C::CLASS, 6),
        _ => Ok(None),
    }
}

fn relation_word(kind: &str) -> &'static str {
    match kind {
        "r" | "p" => "table",
        "v" => "view",
        "m" => "materialized view",
        "i" | "I" => "index",
        "S" => "sequence",
        "f" => "foreign table",
        "c" => "type",
        _ => "relation",
    }
}

/// Functions that come with a range type are told apart: older servers do not have all of them.
fn proc_word(row: &Row<'_>) -> Result<&'static str> {
    Ok(match (row.text(9)?, row.text(6)?) {
        ("m", _) => "multirange constructor",
        ("r", _) => "range constructor",
        (_, "p") => "procedure",
        (_, "a") => "aggregate",
        _ => "function",
    })
}

fn plain_word(class: CatalogId) -> &'static str {
    match class {
        C::ACCESS_METHOD => "access method",
        C::COLLATION => "collation",
        C::CONVERSION => "conversion",
        C::EVENT_TRIGGER => "event trigger",
        C::EXTENSION => "extension",
        C::FOREIGN_DATA_WRAPPER => "foreign-data wrapper",
        C::FOREIGN_SERVER => "server",
        C::LANGUAGE => "language",
        C::PUBLICATION => "publication",
        C::STATISTICS => "statistics",
        C::SUBSCRIPTION => "subscription",
        C::TABLESPACE => "tablespace",
        C::TS_CONFIGURATION => "text search configuration",
        C::TS_DICTIONARY => "text search dictionary",
        C::TS_PARSER => "text search parser",
        C::TS_TEMPLATE => "text search template",
        _ => "object",
    }
}

/// A name, quoted where the server would not read it back as it stands.
pub(super) fn ident(name: &str) -> String {
    let starts = |c: char| c.is_ascii_lowercase() || c == '_';
    let plain = name.starts_with(starts)
        && name
            .chars()
            .all(|c| starts(c) || c.is_ascii_digit() || c == '$');
    if plain {
        name.to_owned()
    } else {
        crate::name::quote_ident(name)
    }
}

/// The statements that list all objects, in one text: what is needed to name others stands first.
pub(super) fn sql(scope: &Scope, server_version: u32) -> String {
    let mut all = vec![
        "select 'member', d.classid, d.objid from pg_catalog.pg_depend d where d.deptype = 'e'".to_owned(),
        format!(
            "select 'role', r.oid, r.rolname, not {} from pg_catalog.pg_roles r",
            scope.owner_condition("r.oid")
        ),
        format!(
            "select 'schema', n.oid, n.nspname, {}, n.nspowner from pg_catalog.pg_namespace n order by n.nspname",
            scope.condition("n")
        ),
        "select 'column', a.attrelid, a.attnum, a.attname from pg_catalog.pg_attribute a \
         join pg_catalog.pg_class c on c.oid = a.attrelid where a.attnum > 0 and not a.attisdropped \
         and c.relkind in ('r', 'p', 'f', 'v', 'm', 'c') and a.attrelid >= 16384"
            .to_owned(),
    ];
    let since = |version, then, otherwise| {
        if server_version >= version {
            then
        } else {
            otherwise
        }
    };
    let multirange = since(140_000, "x.oid = g.rngmultitypid", "false");
    all.extend(OBJECTS.iter().map(|(class, columns, from)| {
        let from = from.replace("{multirange}", multirange);
        format!("select 'object', {class}, {columns} from {from}")
    }));
    if server_version >= 150_000 {
        all.push("select 'object', 6243, x.oid, null, null, x.parname from pg_catalog.pg_parameter_acl x".to_owned());
    }
    all.join(";\n")
}

/// Class; OID, schema, owner, name, and more; where from. In an order in which each finds what it is
/// named by.
#[rustfmt::skip] // a table
const OBJECTS: &[(u32, &str, &str)] = &[
    (2601, "x.oid, null, null, x.amname", "pg_catalog.pg_am x"),
    (1213, "x.oid, null, x.spcowner, x.spcname", "pg_catalog.pg_tablespace x"),
    (1262, "x.oid, null, x.datdba, x.datname", "pg_catalog.pg_database x where x.datname = pg_catalog.current_database()"),
    (2612, "x.oid, null, x.lanowner, x.lanname", "pg_catalog.pg_language x"),
    (3079, "x.oid, null, x.extowner, x.extname", "pg_catalog.pg_extension x"),
    (2328, "x.oid, null, x.fdwowner, x.fdwname", "pg_catalog.pg_foreign_data_wrapper x"),
    (1417, "x.oid, null, x.srvowner, x.srvname", "pg_catalog.pg_foreign_server x"),
    (1418, "x.umid, null, null, x.usename, x.srvid", "pg_catalog.pg_user_mappings x"),
    (6104, "x.oid, null, x.pubowner, x.pubname", "pg_catalog.pg_publication x"),
    (6100, "x.oid, null, x.subowner, x.subname",
        "pg_catalog.pg_subscription x join pg_catalog.pg_database d on d.oid = x.subdbid and d.datname = pg_catalog.current_database()"),
    (3466, "x.oid, null, x.evtowner, x.evtname", "pg_catalog.pg_event_trigger x"),
    (2613, "x.oid, null, x.lomowner, x.oid", "pg_catalog.pg_largeobject_metadata x"),
    (826, "x.oid, null, x.defaclrole, case x.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions' \
        when 'T' then 'types' when 'n' then 'schemas' when 'L' then 'large objects' else x.defaclobjtype::pg_catalog.text end, x.defaclnamespace",
        "pg_catalog.pg_default_acl x"),
    (3456, "x.oid, x.collnamespace, x.collowner, x.collname", "pg_catalog.pg_collation x"),
    (2607, "x.oid, x.connamespace, x.conowner, x.conname", "pg_catalog.pg_conversion x"),
    (2753, "x.oid, x.opfnamespace, x.opfowner, x.opfname, x.opfmethod", "pg_catalog.pg_opfamily x"),
    (2616, "x.oid, x.opcnamespace, x.opcowner, x.opcname, x.opcmethod", "pg_catalog.pg_opclass x"),
    (3601, "x.oid, x.prsnamespace, null, x.prsname", "pg_catalog.pg_ts_parser x"),
    (3764, "x.oid, x.tmplnamespace, null, x.tmplname", "pg_catalog.pg_ts_template x"),
    (3600, "x.oid, x.dictnamespace, x.dictowner, x.dictname", "pg_catalog.pg_ts_dict x"),
    (3602, "x.oid, x.cfgnamespace, x.cfgowner, x.cfgname", "pg_catalog.pg_ts_config x"),
    // Those of temporary and of large values are nobody's; indexes come after their tables.
    (1259, "x.oid, x.relnamespace, x.relowner, x.relname, x.relkind, i.indrelid, k.oid, case x.relkind when 'c' then x.reltype end",
        "pg_catalog.pg_class x left join pg_catalog.pg_index i on i.indexrelid = x.oid \
         left join pg_catalog.pg_constraint k on k.conindid = x.oid and k.contype in ('p', 'u', 'x') \
         where x.relnamespace <> 99 order by i.indrelid is not null"),
    // Array types come after their elements.
    (1247, "x.oid, x.typnamespace, x.typowner, x.typname, e.oid, x.typtype, case when r.relkind <> 'c' then r.oid end, g.rngtypid",
        "pg_catalog.pg_type x left join pg_catalog.pg_type e on e.typarray = x.oid \
         left join pg_catalog.pg_class r on r.oid = x.typrelid left join pg_catalog.pg_range g on {multirange} order by e.oid is not null"),
    (1255, "x.oid, x.pronamespace, x.proowner, x.proname, x.prokind, x.proargtypes, t.oid, coalesce(t.typtype, 'b'), coalesce(g.rngtypid, t.oid)",
        "pg_catalog.pg_proc x left join pg_catalog.pg_depend d on d.classid = 1255 and d.objid = x.oid and d.objsubid = 0 and d.refclassid = 1247 \
         and d.deptype = 'i' left join pg_catalog.pg_type t on t.oid = d.refobjid \
         left join (select x.oid, g.rngtypid from pg_catalog.pg_type x join pg_catalog.pg_range g on {multirange}) g on g.oid = t.oid"),
    (2617, "x.oid, x.oprnamespace, x.oprowner, x.oprname, x.oprleft, x.oprright", "pg_catalog.pg_operator x"),
    // That of a range to its multirange comes with the range.
    (2605, "x.oid, null, null, '', x.castsource, x.casttarget, coalesce(g.rngtypid, d.refobjid)",
        "pg_catalog.pg_cast x left join pg_catalog.pg_depend d on d.classid = 2605 and d.objid = x.oid \
         and d.refclassid = 1247 and d.deptype = 'i' \
         left join (select x.oid, g.rngtypid from pg_catalog.pg_type x join pg_catalog.pg_range g on {multirange}) g on g.oid = d.refobjid"),
    (3576, "x.oid, null, null, '', x.trftype, x.trflang", "pg_catalog.pg_transform x"),
    (2606, "x.oid, null, null, x.conname, x.conrelid, x.contypid", "pg_catalog.pg_constraint x"),
    (3381, "x.oid, x.stxnamespace, x.stxowner, x.stxname", "pg_catalog.pg_statistic_ext x"),
    (2620, "x.oid, null, null, x.tgname, x.tgrelid", "pg_catalog.pg_trigger x where not x.tgisinternal or x.tgparentid <> 0"),
    (2618, "x.oid, null, null, x.rulename, x.ev_class", "pg_catalog.pg_rewrite x"),
    (3256, "x.oid, null, null, x.polname, x.polrelid", "pg_catalog.pg_policy x"),
];
