//! Single values between their binary form and their Arrow form. Both directions of one type stand in
//! one file, so that they cannot drift apart.

pub(crate) mod address;
pub(crate) mod bits;
pub(crate) mod numeric;
pub(crate) mod time;

/// The bytes of a value are not what its type sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Whether a value has a standard form. `Ok(false)`: it has none and belongs in the side file.
pub(crate) type Fit = Result<bool, Malformed>;
