//! Where an export goes, and as what.

use crate::args::{Compression, ExportArgs, Format};
use crate::exit::usage_error;
use crate::limits::Limits;
use crate::printer::Printer;
use opskit_core::export::parquet::ParquetOptions;
use opskit_core::sink::{BackupSink, DirectorySink, Existing, FileFormat, FileSink, StreamSink};
use opskit_core::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use time::OffsetDateTime;
use time::macros::format_description;

/// The suffixes that make a name a file's.
const SUFFIXES: [(&str, Format); 6] = [
    (".parquet", Format::Parquet),
    (".arrow", Format::Arrow),
    (".csv", Format::Csv),
    (".jsonl", Format::Jsonl),
    (".pgcopy", Format::Pgcopy),
    (".pgcopy.zst", Format::Pgcopy),
];

/// The kind of place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Standard output.
    Stream,
    /// A file, which has the suffix of its format.
    File(PathBuf),
    /// A directory that does not exist yet.
    Directory(PathBuf),
}

/// A place and the format of what will be there.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) place: Place,
    format: FileFormat,
    existing: Existing,
}

impl Target {
    /// Reads the arguments; looks at the file system, and changes nothing.
    pub(crate) fn resolve(
        args: &ExportArgs,
        limits: &Limits,
        printer: &Printer,
        now: OffsetDateTime,
    ) -> Result<Self, Error> {
        let place = place(args.output.as_deref(), now)?;
        let format = format(args.format, &place)?;
        if place == Place::Stream && printer.is_json() {
            return Err(usage_error(
                "--json and the data cannot both go to standard output",
                "Export into a file or directory, or leave --json out.",
            ));
        }
        if place == Place::Stream && printer.out_is_terminal() && !format.is_text() {
            return Err(usage_error(
                format!("{} would garble the terminal", format.name()),
                "Choose --format csv or jsonl, or redirect standard output.",
            ));
        }
        if args.overwrite && !matches!(place, Place::File(_)) {
            return Err(usage_error(
                "--overwrite is for a single file",
                "Give -o a name with the suffix of a format, such as orders.parquet.",
            ));
        }
        let level = level(args.compression, format, &place)?;
        Ok(Self {
            format: file_format(args, limits, format, level),
            place,
            existing: if args.overwrite {
                Existing::Replace
            } else {
                Existing::Refuse
            },
        })
    }

    /// Whether it takes the rows of one table only.
    pub(crate) fn is_single(&self) -> bool {
        !matches!(self.place, Place::Directory(_))
    }

    /// Its name for people and programs.
    pub(crate) fn name(&self) -> String {
        match &self.place {
            Place::Stream => "-".to_owned(),
            Place::File(path) | Place::Directory(path) => path.display().to_string(),
        }
    }

    /// The sink that writes there.
    pub(crate) fn sink(&self, printer: &Printer) -> Result<Arc<dyn BackupSink>, Error> {
        Ok(match &self.place {
            Place::Stream => Arc::new(StreamSink::new(printer.data(), self.format)),
            Place::File(path) => {
                needs_parent(path)?;
                Arc::new(FileSink::create(path, self.format, self.existing)?)
            }
            Place::Directory(path) => Arc::new(DirectorySink::create(path, self.format)?),
        })
    }
}

/// Files are not worth making directories for: the name is more likely mistyped.
fn needs_parent(path: &Path) -> Result<(), Error> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() && !parent.is_dir() => Err(Error::new(
            ErrorKind::Storage,
            format!("there is no directory \"{}\"", parent.display()),
        )
        .with_hint("Make it first, or choose another place.")),
        _ => Ok(()),
    }
}

fn place(output: Option<&Path>, now: OffsetDateTime) -> Result<Place, Error> {
    match output {
        None => Ok(Place::Directory(dated(Path::new(""), now))),
        Some(path) if path.as_os_str() == "-" => Ok(Place::Stream),
        Some(path) if path.as_os_str().is_empty() => Err(usage_error(
            "-o names nothing",
            "Give a file, a directory, or - for standard output.",
        )),
        Some(path) if path.is_dir() => Ok(Place::Directory(dated(path, now))),
        // A slash at the end says directory.
        Some(path) if path.as_os_str().as_encoded_bytes().ends_with(b"/") => {
            Ok(Place::Directory(path.components().collect()))
        }
        Some(path) if format_of(path).is_some() => Ok(Place::File(path.to_owned())),
        Some(path) => Ok(Place::Directory(path.to_owned())),
    }
}

/// A name in `parent` that is not taken: `export-20261121T013000Z`.
fn dated(parent: &Path, now: OffsetDateTime) -> PathBuf {
    let stamp = now
        .format(format_description!(
            "[year][month][day]T[hour][minute][second]Z"
        ))
        .unwrap_or_default();
    let first = parent.join(format!("export-{stamp}"));
    let others = (2..1000).map(|number| parent.join(format!("export-{stamp}-{number}")));
    std::iter::once(first.clone())
        .chain(others)
        .find(|path| path.symlink_metadata().is_err())
        .unwrap_or(first)
}

fn format_of(path: &Path) -> Option<Format> {
    let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
    let found = SUFFIXES
        .iter()
        .find(|(suffix, _)| name.ends_with(suffix) && name.len() > suffix.len());
    found.map(|(_, format)| *format)
}

fn format(given: Option<Format>, place: &Place) -> Result<Format, Error> {
    let by_name = match place {
        Place::File(path) => format_of(path),
        Place::Stream | Place::Directory(_) => None,
    };
    match (given, by_name) {
        (Some(given), Some(by_name)) if given != by_name => Err(usage_error(
            format!(
                "--format says {} and the name of the file {}",
                given.name(),
                by_name.name()
            ),
            "Leave --format out, or give the file another suffix.",
        )),
        (given, by_name) => Ok(given.or(by_name).unwrap_or(Format::Parquet)),
    }
}

/// The level of the compression, 0 for none.
fn level(given: Option<Compression>, format: Format, place: &Place) -> Result<i32, Error> {
    let by_name = match (format, place) {
        (Format::Pgcopy, Place::File(path)) if path.extension().is_some_and(|end| end == "zst") => {
            Some(true)
        }
        (Format::Pgcopy, Place::File(_)) => Some(false),
        _ => None,
    };
    let level = given.map(Compression::level);
    match (format, level, by_name) {
        (Format::Arrow | Format::Csv | Format::Jsonl, Some(1..), _) => Err(usage_error(
            format!("{} files are not compressed", format.name()),
            "Choose --format parquet or pgcopy, or leave --compression out.",
        )),
        (_, Some(level), Some(compressed)) if (level > 0) != compressed => Err(usage_error(
            "--compression and the name of the file say different things",
            "A compressed file ends in .pgcopy.zst, another in .pgcopy.",
        )),
        (_, Some(level), _) => Ok(level),
        (_, None, Some(false)) => Ok(0),
        (Format::Pgcopy, None, None) if *place == Place::Stream => Ok(0),
        (_, None, _) => Ok(1),
    }
}

fn file_format(args: &ExportArgs, limits: &Limits, format: Format, level: i32) -> FileFormat {
    match format {
        Format::Parquet => {
            let options = ParquetOptions::default();
            let row_group = limits.share_of_memory(options.row_group_bytes);
            FileFormat::Parquet(
                options
                    .with_zstd_level(level)
                    .with_exactness(args.exactness.into())
                    .with_row_group_bytes(row_group),
            )
        }
        Format::Pgcopy => FileFormat::PgCopy(level),
        Format::Arrow => FileFormat::Arrow(args.exactness.into()),
        Format::Jsonl => FileFormat::JsonLines,
        Format::Csv => FileFormat::Csv,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-11-21 01:30:00 UTC);

    #[test]
    fn names_with_a_known_suffix_are_files() {
        let check = |name: &str| place(Some(Path::new(name)), NOW).unwrap();
        let (file, directory) = (
            |name: &str| Place::File(name.into()),
            |name: &str| Place::Directory(name.into()),
        );
        assert_eq!(check("a.parquet"), file("a.parquet"));
        assert_eq!(check("x/a.pgcopy.zst"), file("x/a.pgcopy.zst"));
        assert_eq!(check("A.CSV"), file("A.CSV"));
        assert_eq!(check("a.txt"), directory("a.txt"));
        assert_eq!(check(".parquet"), directory(".parquet"));
        assert_eq!(check("-"), Place::Stream);
    }

    #[test]
    fn a_directory_that_exists_gets_a_dated_one() {
        let parent = tempfile::tempdir().unwrap();
        let first = parent.path().join("export-20261121T013000Z");
        let check = || place(Some(parent.path()), NOW).unwrap();
        assert_eq!(check(), Place::Directory(first.clone()));
        std::fs::create_dir(&first).unwrap();
        let second = parent.path().join("export-20261121T013000Z-2");
        assert_eq!(check(), Place::Directory(second));
    }

    #[test]
    fn formats_and_names_agree() {
        let file = |name: &str| Place::File(name.into());
        let directory = Place::Directory("x".into());
        assert_eq!(format(None, &file("a.jsonl")).unwrap(), Format::Jsonl);
        assert_eq!(format(None, &directory).unwrap(), Format::Parquet);
        assert_eq!(format(Some(Format::Csv), &directory).unwrap(), Format::Csv);
        assert!(format(Some(Format::Csv), &file("a.parquet")).is_err());
    }

    #[test]
    fn compression_follows_the_name() {
        let file = |name: &str| Place::File(name.into());
        let pgcopy = |given, place: &Place| level(given, Format::Pgcopy, place).ok();
        assert_eq!(pgcopy(None, &file("a.pgcopy")), Some(0));
        assert_eq!(pgcopy(None, &file("a.pgcopy.zst")), Some(1));
        assert_eq!(
            pgcopy(Some(Compression::Zstd(3)), &file("a.pgcopy.zst")),
            Some(3)
        );
        assert_eq!(pgcopy(Some(Compression::Zstd(3)), &file("a.pgcopy")), None);
        assert_eq!(pgcopy(Some(Compression::None), &file("a.pgcopy.zst")), None);
        assert_eq!(pgcopy(None, &Place::Stream), Some(0));
        assert_eq!(pgcopy(None, &Place::Directory("x".into())), Some(1));
        assert!(level(Some(Compression::Zstd(1)), Format::Csv, &Place::Stream).is_err());
    }
}
