//! What the model knows of and does not carry: secrets.

use super::{Address, Definition, ForeignTable, Model, Object, Options};
use serde::{Deserialize, Serialize};

/// Something of an object that a copy will not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withheld {
    /// The object.
    pub about: Address,
    /// The object in words.
    pub object: String,
    /// What is missing and why.
    pub what: String,
}

impl Model {
    /// What copies of this database will not have.
    #[must_use]
    pub fn withheld(&self) -> Vec<Withheld> {
        let of = |object: &Object| {
            Some(Withheld {
                about: object.address,
                object: object.describe(),
                what: object.withheld()?,
            })
        };
        self.objects.iter().filter_map(of).collect()
    }
}

impl Object {
    fn withheld(&self) -> Option<String> {
        match &self.definition {
            Definition::ForeignDataWrapper(wrapper) => secrets(&wrapper.options),
            Definition::ForeignServer(server) => secrets(&server.options),
            Definition::ForeignTable(table) => table_secrets(table),
            Definition::UserMapping(mapping) => match &mapping.withheld {
                None => Some("its options cannot be read by this role".to_owned()),
                Some(names) => values_of(names),
            },
            _ => None,
        }
    }
}

fn secrets(options: &Options) -> Option<String> {
    values_of(&options.withheld)
}

fn table_secrets(table: &ForeignTable) -> Option<String> {
    let of_columns = table.columns.iter().map(|column| &column.options);
    let names: Vec<String> = std::iter::once(&table.options)
        .chain(of_columns)
        .flat_map(|options| options.withheld.clone())
        .collect();
    values_of(&names)
}

fn values_of(names: &[String]) -> Option<String> {
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    (!names.is_empty()).then(|| format!("the values of its secret options {}", quoted.join(", ")))
}
