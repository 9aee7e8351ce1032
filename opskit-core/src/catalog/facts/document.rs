//! Facts as a file.

use super::{FACTS_SCHEMA, Facts};
use crate::error::{Error, ErrorKind, Result, unreadable_json};
use serde::Deserialize;

/// What tells one version of the file from another.
#[derive(Deserialize)]
struct Head {
    schema: String,
}

impl Facts {
    /// The file: JSON in a stable order, so that two of them can be compared by any tool.
    ///
    /// # Errors
    /// Of kind `Internal`, which is a defect.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string_pretty(self)
            .map(|text| text + "\n")
            .map_err(|source| {
                Error::new(ErrorKind::Internal, "cannot write the facts").with_source(source)
            })
    }

    /// Writes the file piece by piece: of many tables it is large.
    ///
    /// ```
    /// # fn example(facts: &opskit_core::catalog::facts::Facts) -> std::io::Result<()> {
    /// let file = std::fs::File::create("facts.json")?;
    /// facts.write_json(std::io::BufWriter::new(file))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_json(&self, mut writer: impl std::io::Write) -> std::io::Result<()> {
        serde_json::to_writer_pretty(&mut writer, self)?;
        writer.write_all(b"\n")?;
        writer.flush()
    }

    /// Reads a file of any version.
    ///
    /// # Errors
    /// Of kind `Damaged` when it is none; `Unsupported` when it is of a later version.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let damaged = |source| unreadable_json("this is no file of facts", &source);
        let head: Head = serde_json::from_slice(bytes).map_err(damaged)?;
        if head.schema != FACTS_SCHEMA {
            let message = format!(
                "facts of the form \"{}\" are unknown",
                head.schema
                    .chars()
                    .take(40)
                    .collect::<String>()
                    .escape_debug()
            );
            return Err(Error::new(ErrorKind::Unsupported, message)
                .with_hint("A newer opskit may have written them."));
        }
        let mut facts: Self = serde_json::from_slice(bytes).map_err(damaged)?;
        // Whoever edits the file need not know our order.
        for list in [&mut facts.objects, &mut facts.cluster] {
            list.sort_by(|a, b| a.key().cmp(&b.key()));
        }
        Ok(facts)
    }
}
