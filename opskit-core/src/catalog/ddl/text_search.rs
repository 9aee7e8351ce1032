//! Text search: configurations, dictionaries, parsers and templates.

use super::parameters::Parameters;
use super::{Emitter, Section};
use crate::catalog::model::{
    Object, TextSearch, TsConfiguration, TsDictionary, TsParser, TsTemplate,
};
use crate::name::{QualifiedName, quote_ident};

pub(super) fn create(object: &Object, it: &TextSearch, out: &mut Emitter<'_>) {
    let parameters = match it {
        TextSearch::Configuration(it) => configuration(it),
        TextSearch::Dictionary(it) => dictionary(it),
        TextSearch::Parser(it) => parser(it),
        TextSearch::Template(it) => template(it),
    };
    let (class, identity) = (object.definition.sql_class(), object.sql_identity());
    let sql = format!("CREATE {class} {identity} {}", parameters.to_sql());
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

fn configuration(it: &TsConfiguration) -> Parameters {
    let mut parameters = Parameters::default();
    parameters.name("PARSER", Some(&it.parser));
    parameters
}

fn dictionary(it: &TsDictionary) -> Parameters {
    let mut parameters = Parameters::default();
    parameters.name("TEMPLATE", Some(&it.template));
    if let Some(list) = &it.options {
        // A whole list of options, as the server keeps it.
        parameters.word(list);
    }
    parameters
}

fn parser(it: &TsParser) -> Parameters {
    let mut parameters = Parameters::default();
    parameters.name("START", Some(&it.start));
    parameters.name("GETTOKEN", Some(&it.next));
    parameters.name("END", Some(&it.end));
    parameters.name("HEADLINE", it.headline.as_ref());
    parameters.name("LEXTYPES", Some(&it.token_types));
    parameters
}

fn template(it: &TsTemplate) -> Parameters {
    let mut parameters = Parameters::default();
    parameters.name("INIT", it.init.as_ref());
    parameters.name("LEXIZE", Some(&it.lexize));
    parameters
}
