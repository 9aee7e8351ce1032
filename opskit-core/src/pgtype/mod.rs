//! Postgres types and their Arrow forms.
/// Stand-in.
#[derive(Debug)]
pub struct RowType;
