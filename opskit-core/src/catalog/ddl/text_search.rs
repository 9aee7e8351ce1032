//! Text search: configurations, dictionaries, parsers and templates.

use super::options::Options;
use super::{Emitter, Section};
use crate::catalog::model::{
    Object, TextSearch, TsConfiguration, TsDictionary, TsParser, TsTemplate,
};
use crate::name::{QualifiedName, quote_ident};

pub(super) fn create(object: &Object, it: &TextSearch, out: &mut Emitter<'_>) {
    let options = match it {
        TextSearch::Configuration(it) => configuration(it),
        TextSearch::Dictionary(it) => dictionary(it),
        TextSearch::Parser(it) => parser(it),
        TextSearch::Template(it) => template(it),
    };
    let (class, identity) = (object.definition.sql_class(), object.sql_identity());
    let sql = format!("CREATE {class} {identity} {}", options.to_sql());
    out.create(Section::PreData, object, sql);
    if let TextSearch::Configuration(it) = it {
        map(object, it, out);
    }
}

/// Tells a configuration its dictionaries.
fn map(object: &Object, it: &TsConfiguration, out: &mut Emitter<'_>) {
    for mapping in &it.mappings {
        let names = mapping.dictionaries.iter().map(QualifiedName::to_sql);
        let sql = format!(
            "ALTER TEXT SEARCH CONFIGURATION {} ADD MAPPING FOR {} WITH {}",
            object.sql_identity(),
            quote_ident(&mapping.token),
            names.collect::<Vec<_>>().join(", ")
        );
        out.create(Section::PreData, object, sql);
    }
}

fn configuration(it: &TsConfiguration) -> Options {
    let mut options = Options::default();
    options.name("PARSER", Some(&it.parser));
    options
}

fn dictionary(it: &TsDictionary) -> Options {
    let mut options = Options::default();
    options.name("TEMPLATE", Some(&it.template));
    if let Some(list) = &it.options {
        // A whole list of options, as the server keeps it.
        options.word(list);
    }
    options
}

fn parser(it: &TsParser) -> Options {
    let mut options = Options::default();
    options.name("START", Some(&it.start));
    options.name("GETTOKEN", Some(&it.next));
    options.name("END", Some(&it.end));
    options.name("HEADLINE", it.headline.as_ref());
    options.name("LEXTYPES", Some(&it.token_types));
    options
}

fn template(it: &TsTemplate) -> Options {
    let mut options = Options::default();
    options.name("INIT", it.init.as_ref());
    options.name("LEXIZE", Some(&it.lexize));
    options
}
