//! Postgres types and their Arrow forms: one table, both directions. Pure.
//!
//! A type arrives as the catalog describes it ([`TypeInfo`]), is resolved once into a [`Node`] (what
//! its binary form looks like and which Arrow type stands for it), and everything that touches values
//! (decoder, encoder, fingerprint) walks that tree.

mod arrow_form;
mod leaf;
mod node;
mod resolve;
mod row;

pub use arrow_form::arrow_field;
pub use leaf::Leaf;
pub(crate) use leaf::hstore_fields;
pub use node::{Form, Node, StructField, TypeName};
pub use resolve::{Attribute, TypeCatalog, TypeInfo, TypeKind};
pub use row::{ColumnType, RowType};
