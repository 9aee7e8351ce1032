//! The Arrow field that stands for a type.

use super::{Form, Leaf, Node};
use arrow::datatypes::{DataType, Field, Fields};
use std::sync::Arc;

/// The Arrow field for a value of type `node`, named `name`.
///
/// Always nullable, also for columns that are NOT NULL: a value with no standard form is NULL here and
/// stands in the side file. Types that Arrow has a canonical extension for carry its name (`arrow.uuid`,
/// `arrow.json`, `arrow.opaque`; Arrow "Canonical Extension Types").
#[must_use]
pub fn arrow_field(name: &str, node: &Node) -> Field {
    let field = Field::new(name, data_type(node), true);
    let (extension, metadata) = match &node.form {
        Form::Leaf(Leaf::Uuid) => ("arrow.uuid", String::new()),
        Form::Leaf(Leaf::Json | Leaf::Jsonb) => ("arrow.json", String::new()),
        Form::Leaf(Leaf::Opaque) => {
            let metadata = serde_json::json!({
                "type_name": node.id.name.name,
                "vendor_name": "PostgreSQL",
            });
            ("arrow.opaque", metadata.to_string())
        }
        _ => return field,
    };
    field.with_metadata([
        ("ARROW:extension:name", extension.to_owned()),
        ("ARROW:extension:metadata", metadata),
    ])
}

fn data_type(node: &Node) -> DataType {
    match &node.form {
        Form::Leaf(leaf) => leaf.data_type(),
        Form::List(element) => DataType::List(Arc::new(arrow_field("element", element))),
        Form::Struct(fields) => DataType::Struct(
            fields
                .iter()
                .map(|field| arrow_field(&field.name, &field.node))
                .collect::<Fields>(),
        ),
        Form::Range(bound) => range_type(bound),
        Form::Multirange(bound) => {
            DataType::List(Arc::new(Field::new("element", range_type(bound), true)))
        }
    }
}

/// A range: the server's flag byte (1 empty, 2 lower bound inclusive, 4 upper bound inclusive, 8 no
/// lower bound, 16 no upper bound; `rangetypes.h`) and the bounds.
fn range_type(bound: &Node) -> DataType {
    DataType::Struct(Fields::from(vec![
        Field::new("flags", DataType::UInt8, true),
        arrow_field("lower", bound),
        arrow_field("upper", bound),
    ]))
}
