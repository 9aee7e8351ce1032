//! One statement by the extended protocol.

use bytes::BytesMut;
use postgres_protocol::IsNull;
use postgres_protocol::message::frontend;
use std::io;

/// Writes all messages that run `sql`, so that it takes one round trip. Answers come as text.
pub(super) fn one_statement(sql: &str, outbox: &mut BytesMut) -> io::Result<()> {
    frontend::parse("", sql, [], outbox)?;
    let no_values = frontend::bind("", "", [], [(); 0], |(), _| Ok(IsNull::Yes), [0], outbox);
    no_values.map_err(|error| match error {
        frontend::BindError::Serialization(error) => io::Error::other(error),
        frontend::BindError::Conversion(error) => io::Error::other(error),
    })?;
    frontend::describe(b'P', "", outbox)?;
    frontend::execute("", 0, outbox)?;
    frontend::sync(outbox);
    Ok(())
}
