//! What OIDs mean: the identity of every object, and whose it is.

use crate::catalog::address::{Address, CatalogId};
use crate::catalog::{TextRow, flag, number, text};
use crate::error::{Error, ErrorKind, Result};
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
    /// Of each relation, in order; none in the place of one that was dropped.
    columns: HashMap<u32, Vec<Option<Box<str>>>>,
    members: HashSet<Address>,
    platform_roles: HashSet<u32>,
    pub(super) outside: Vec<String>,
}

impl Names {
    pub(super) fn get(&self, address: Address) -> Option<&Named> {
        self.objects.get(&address)
    }

    /// The objects of a class that are the user's.
    pub(super) fn of_class(&self, class: CatalogId) -> impl Iterator<Item = (Address, &Named)> {
        let all = self
            .objects
            .iter()
            .map(|(address, named)| (*address, named));
        all.filter(move |(address, named)| address.catalog == class && named.owned == Owned::ByUser)
    }

    pub(super) fn column(&self, relation: u32, number: i16) -> Option<&str> {
        let at = usize::try_from(number).ok()?.checked_sub(1)?;
        self.columns.get(&relation)?.get(at)?.as_deref()
    }

    /// Takes a row of the [listing](super::listing).
    pub(super) fn take(&mut self, row: &TextRow) -> Result<()> {
        match text(row, 0)? {
            "member" => {
                let address = Address::new(CatalogId(number(row, 1)?), number(row, 2)?);
                self.members.insert(address);
            }
            "columns" => {
                let names = serde_json::from_str(text(row, 2)?).map_err(|source| {
                    Error::new(
                        ErrorKind::Internal,
                        "cannot understand the names of columns",
                    )
                    .with_source(source)
                })?;
                self.columns.insert(number(row, 1)?, names);
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
