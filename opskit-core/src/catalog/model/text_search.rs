//! Text search: configurations, dictionaries, parsers and templates.

use super::read::{ReadContext, Reading};
use super::shape::{Listing, Owner, function, json_value, parse, qualified};
use super::{CatalogId, Definition};
use crate::name::QualifiedName;
use serde::{Deserialize, Serialize};

/// An object of text search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TextSearch {
    /// Which dictionaries look at which tokens.
    Configuration(TsConfiguration),
    /// Makes lexemes of tokens.
    Dictionary(TsDictionary),
    /// Makes tokens of text.
    Parser(TsParser),
    /// The functions of dictionaries.
    Template(TsTemplate),
}

/// A text-search configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TsConfiguration {
    /// Its parser.
    pub parser: QualifiedName,
    /// What happens to the tokens, by the order of the parser's token types.
    pub mappings: Vec<TsMapping>,
}

/// The dictionaries for one type of tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TsMapping {
    /// The token type.
    pub token: String,
    /// The dictionaries, in the order in which they are asked.
    pub dictionaries: Vec<QualifiedName>,
}

/// A text-search dictionary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TsDictionary {
    /// Its template.
    pub template: QualifiedName,
    /// Its options, as the server spells them.
    pub options: Option<String>,
}

/// A text-search parser.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TsParser {
    /// Starts on a text.
    pub start: QualifiedName,
    /// Gives the next token.
    pub next: QualifiedName,
    /// Ends.
    pub end: QualifiedName,
    /// Makes headlines.
    pub headline: Option<QualifiedName>,
    /// Tells its token types.
    pub token_types: QualifiedName,
}

/// A text-search template.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TsTemplate {
    /// Prepares a dictionary.
    pub init: Option<QualifiedName>,
    /// Makes the lexemes.
    pub lexize: QualifiedName,
}

pub(super) fn readings(cx: &ReadContext<'_>) -> Vec<Reading> {
    vec![
        parsers(cx),
        templates(cx),
        dictionaries(cx),
        configurations(cx),
    ]
}

fn configurations(cx: &ReadContext<'_>) -> Reading {
    let dictionary = qualified("pg_ts_dict", "dict", "m.mapdict");
    let mapping = json_value(&[
        ("token", "k.alias"),
        (
            "dictionaries",
            &format!(
                "array(select {dictionary} from pg_catalog.pg_ts_config_map m \
                 where m.mapcfg = x.oid and m.maptokentype = k.tokid order by m.mapseqno)"
            ),
        ),
    ]);
    let mappings = format!(
        "array(select {mapping} from pg_catalog.ts_token_type(x.cfgparser) k where exists \
         (select from pg_catalog.pg_ts_config_map m where m.mapcfg = x.oid \
         and m.maptokentype = k.tokid) order by k.tokid)"
    );
    Listing {
        what: "the text-search configurations",
        catalog: CatalogId::TS_CONFIGURATION,
        table: "pg_ts_config",
        prefix: "cfg",
        owner: Owner::Role,
        fields: &[
            ("parser", &qualified("pg_ts_parser", "prs", "x.cfgparser")),
            ("mappings", &mappings),
        ],
        filter: "true",
        definition: |json| {
            parse(json, |it| {
                Definition::TextSearch(TextSearch::Configuration(it))
            })
        },
    }
    .reading(cx)
}

fn dictionaries(cx: &ReadContext<'_>) -> Reading {
    Listing {
        what: "the text-search dictionaries",
        catalog: CatalogId::TS_DICTIONARY,
        table: "pg_ts_dict",
        prefix: "dict",
        owner: Owner::Role,
        fields: &[
            (
                "template",
                &qualified("pg_ts_template", "tmpl", "x.dicttemplate"),
            ),
            ("options", "x.dictinitoption"),
        ],
        filter: "true",
        definition: |json| {
            parse(json, |it| {
                Definition::TextSearch(TextSearch::Dictionary(it))
            })
        },
    }
    .reading(cx)
}

fn parsers(cx: &ReadContext<'_>) -> Reading {
    let name = |column: &str| function(&format!("x.{column}::pg_catalog.oid"));
    Listing {
        what: "the text-search parsers",
        catalog: CatalogId::TS_PARSER,
        table: "pg_ts_parser",
        prefix: "prs",
        owner: Owner::None,
        fields: &[
            ("start", &name("prsstart")),
            ("next", &name("prstoken")),
            ("end", &name("prsend")),
            ("headline", &name("prsheadline")),
            ("token_types", &name("prslextype")),
        ],
        filter: "true",
        definition: |json| parse(json, |it| Definition::TextSearch(TextSearch::Parser(it))),
    }
    .reading(cx)
}

fn templates(cx: &ReadContext<'_>) -> Reading {
    let name = |column: &str| function(&format!("x.{column}::pg_catalog.oid"));
    Listing {
        what: "the text-search templates",
        catalog: CatalogId::TS_TEMPLATE,
        table: "pg_ts_template",
        prefix: "tmpl",
        owner: Owner::None,
        fields: &[("init", &name("tmplinit")), ("lexize", &name("tmpllexize"))],
        filter: "true",
        definition: |json| parse(json, |it| Definition::TextSearch(TextSearch::Template(it))),
    }
    .reading(cx)
}
