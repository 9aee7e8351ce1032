//! What every [`BackupSink`] must do.
//!
//! An implementor writes one [`SinkUnderTest`] and calls [`check_sink`]; it panics with the first rule
//! that is broken.

use crate::error::{ErrorKind, Result};
use crate::export::ExactBatch;
use crate::name::QualifiedName;
use crate::pgtype::{ColumnType, Form, Leaf, Node, RowType, TypeName};
use crate::sink::{BackupSink, PartHeader, PartReceipt, PartWriter, RowForm, Rows, StoredObject};
use arrow::array::{ArrayRef, Int32Array};
use arrow::record_batch::RecordBatch;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

/// What a kind of sink can do, beyond what all can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Capacity {
    /// Any number of parts and objects.
    Whole,
    /// One part, and nothing beside it.
    OnePart,
    /// One part that is on its way as soon as it is written: it can be neither taken back nor looked at.
    Stream,
    /// Nothing is kept.
    Nothing,
}

/// A place where sinks of one kind put things, and how a reader sees them.
pub trait SinkUnderTest {
    /// A new sink, whose result has nothing to do with that of the last one.
    fn sink(&mut self) -> Arc<dyn BackupSink>;

    /// What a reader sees of the last sink: names as the receipts tell them, and bytes. The manifest may
    /// be among them.
    fn visible(&self) -> BTreeMap<String, Vec<u8>>;

    /// What a failed run of the last sink left behind, of which a reader could think that it is a result.
    fn leftovers(&self) -> Vec<String> {
        self.visible().into_keys().collect()
    }

    /// What sinks of this kind can do.
    fn capacity(&self) -> Capacity;
}

/// Checks every rule that applies; panics at the first that does not hold.
///
/// ```
/// use opskit_core::sink::{BackupSink, NullSink, RowForm};
/// use opskit_core::testing::sink::{Capacity, SinkUnderTest, check_sink};
/// use std::collections::BTreeMap;
/// use std::sync::Arc;
///
/// struct Null;
/// impl SinkUnderTest for Null {
///     fn sink(&mut self) -> Arc<dyn BackupSink> {
///         Arc::new(NullSink::new(RowForm::Batches))
///     }
///     fn visible(&self) -> BTreeMap<String, Vec<u8>> {
///         BTreeMap::new()
///     }
///     fn capacity(&self) -> Capacity {
///         Capacity::Nothing
///     }
/// }
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// check_sink(&mut Null).await;
/// # });
/// ```
///
/// # Panics
///
/// When a rule is broken.
pub async fn check_sink(under_test: &mut impl SinkUnderTest) {
    refuses_another_form(under_test).await;
    commits_one_part(under_test).await;
    if under_test.capacity() != Capacity::Stream {
        opens_a_part_again(under_test).await;
        dropped_leaves_nothing(under_test).await;
    }
    match under_test.capacity() {
        Capacity::Whole => {
            takes_parts_concurrently(under_test).await;
            stores_objects(under_test).await;
        }
        Capacity::OnePart | Capacity::Stream => refuses_several_parts(under_test).await,
        Capacity::Nothing => {}
    }
}

/// The name of the table of the suite.
fn table() -> QualifiedName {
    QualifiedName::new("public", "suite")
}

fn row_type() -> RowType {
    let node = Node {
        id: TypeName {
            oid: 23,
            name: QualifiedName::new("pg_catalog", "int4"),
        },
        form: Form::Leaf(Leaf::Int4),
    };
    RowType {
        columns: vec![ColumnType {
            name: "i".into(),
            sql_type: "integer".into(),
            node,
            as_text: false,
            by_output: false,
            not_null: false,
            generated: false,
            enum_labels: Vec::new(),
        }],
    }
}

fn header(part: u32, parts: u32) -> PartHeader {
    PartHeader {
        table: table(),
        part,
        parts,
        row_type: Arc::new(row_type()),
    }
}

/// Rows for a form: some from `first` on.
async fn write(writer: &mut dyn PartWriter, form: RowForm, first: i32) -> Result<()> {
    match form {
        RowForm::Batches => writer.write(Rows::Batch(batch(first))).await,
        RowForm::Frames | RowForm::Csv | RowForm::JsonLines => {
            let text = format!("bytes that a sink passes on {first}\n");
            writer.write(Rows::Bytes(text.as_bytes())).await
        }
    }
}

/// Rows in each call of [`write`].
const ROWS: u64 = 100;

fn batch(first: i32) -> ExactBatch {
    let column: ArrayRef = Arc::new(Int32Array::from_iter_values(first..first + ROWS as i32));
    let batch = RecordBatch::try_new(row_type().arrow_schema(), vec![column]);
    ExactBatch {
        batch: batch.expect("the columns are those of the type"),
        exact: Vec::new(),
    }
}

async fn part(sink: &dyn BackupSink, part: u32, parts: u32) -> PartReceipt {
    let mut writer = must("a part can be opened", sink.open_part(header(part, parts))).await;
    for step in 0..3 {
        must(
            "rows can be written",
            write(&mut *writer, sink.row_form(), step * 1000),
        )
        .await;
    }
    let receipt = must("a part can be finished", writer.finish()).await;
    if sink.row_form() == RowForm::Batches {
        assert_eq!(receipt.rows, Some(3 * ROWS), "the receipt tells the rows");
    }
    receipt
}

async fn must<T>(rule: &str, work: impl Future<Output = Result<T>>) -> T {
    work.await
        .unwrap_or_else(|error| panic!("{rule}, but: {error:?}"))
}

fn assert_nothing_visible(under_test: &impl SinkUnderTest, when: &str) {
    let visible = under_test.visible();
    assert!(
        visible.is_empty(),
        "{when}, a reader sees {:?}",
        visible.keys()
    );
}

fn assert_stored(visible: &BTreeMap<String, Vec<u8>>, object: &StoredObject) {
    let bytes = visible.get(&object.name);
    let bytes = bytes.unwrap_or_else(|| {
        panic!(
            "\"{}\" of a receipt is not among {:?}",
            object.name,
            visible.keys()
        )
    });
    assert_eq!(
        bytes.len() as u64,
        object.bytes,
        "size of \"{}\"",
        object.name
    );
    let sha256 = crate::name::hex(&Sha256::digest(bytes));
    assert_eq!(sha256, object.sha256, "SHA-256 of \"{}\"", object.name);
}

async fn refuses_another_form(under_test: &mut impl SinkUnderTest) {
    let sink = under_test.sink();
    let mut writer = must("a part can be opened", sink.open_part(header(0, 1))).await;
    let other = match sink.row_form() {
        RowForm::Batches => RowForm::Frames,
        _ => RowForm::Batches,
    };
    let refused = write(&mut *writer, other, 0).await;
    assert!(
        refused.is_err_and(|error| error.kind() == ErrorKind::Internal),
        "rows in another form than the sink asked for are refused"
    );
}

async fn commits_one_part(under_test: &mut impl SinkUnderTest) {
    let sink = under_test.sink();
    let receipt = part(&*sink, 0, 1).await;
    if matches!(under_test.capacity(), Capacity::Whole | Capacity::OnePart) {
        assert_nothing_visible(under_test, "before commit");
    }
    must(
        "a finished run can be committed",
        sink.commit(b"{\"suite\": 1}"),
    )
    .await;
    drop(sink);
    if under_test.capacity() == Capacity::Nothing {
        return;
    }
    assert!(!receipt.objects.is_empty(), "a part leaves an object");
    let visible = under_test.visible();
    for object in &receipt.objects {
        assert_stored(&visible, object);
    }
}

async fn opens_a_part_again(under_test: &mut impl SinkUnderTest) {
    let sink = under_test.sink();
    let mut writer = must("a part can be opened", sink.open_part(header(0, 1))).await;
    for step in 0..20 {
        must(
            "rows can be written",
            write(&mut *writer, sink.row_form(), step),
        )
        .await;
    }
    drop(writer);
    let receipt = part(&*sink, 0, 1).await;
    must("a finished run can be committed", sink.commit(b"{}")).await;
    let visible = under_test.visible();
    for object in &receipt.objects {
        assert_stored(&visible, object);
    }
}

async fn dropped_leaves_nothing(under_test: &mut impl SinkUnderTest) {
    let sink = under_test.sink();
    part(&*sink, 0, 1).await;
    drop(sink);
    assert_eq!(
        under_test.leftovers(),
        [""; 0],
        "a dropped sink leaves nothing"
    );
    let sink = under_test.sink();
    let mut writer = must("a part can be opened", sink.open_part(header(0, 1))).await;
    must(
        "rows can be written",
        write(&mut *writer, sink.row_form(), 0),
    )
    .await;
    // The order in which a cancelled run drops them is nobody's choice.
    drop(sink);
    drop(writer);
    assert_eq!(
        under_test.leftovers(),
        [""; 0],
        "a sink dropped before its writer leaves nothing"
    );
}

async fn takes_parts_concurrently(under_test: &mut impl SinkUnderTest) {
    const PARTS: u32 = 5;
    let sink = under_test.sink();
    let mut writers = Vec::new();
    for number in (0..PARTS).rev() {
        writers.push(
            must(
                "parts can be open at once",
                sink.open_part(header(number, PARTS)),
            )
            .await,
        );
    }
    for step in 0..3 {
        for writer in &mut writers {
            must(
                "parts can be written in turn",
                write(&mut **writer, sink.row_form(), step),
            )
            .await;
        }
    }
    let mut objects = Vec::new();
    for writer in writers {
        objects.extend(
            must("a part can be finished", writer.finish())
                .await
                .objects,
        );
        assert_nothing_visible(under_test, "before commit");
    }
    must("a finished run can be committed", sink.commit(b"{}")).await;
    let visible = under_test.visible();
    objects
        .iter()
        .for_each(|object| assert_stored(&visible, object));
    let mut names: Vec<_> = objects.iter().map(|object| &object.name).collect();
    names.sort();
    names.dedup();
    assert_eq!(
        names.len(),
        objects.len(),
        "each part has objects of its own"
    );
    assert!(
        objects.len() >= PARTS as usize,
        "each part leaves an object"
    );
}

async fn stores_objects(under_test: &mut impl SinkUnderTest) {
    let sink = under_test.sink();
    let small = must(
        "an object can be stored",
        sink.put_object("note.txt", b"some bytes"),
    )
    .await;
    let empty = must("an object may be empty", sink.put_object("empty", b"")).await;
    assert_nothing_visible(under_test, "before commit");
    must("a run without parts can be committed", sink.commit(b"{}")).await;
    let visible = under_test.visible();
    assert_stored(&visible, &small);
    assert_stored(&visible, &empty);
}

async fn refuses_several_parts(under_test: &mut impl SinkUnderTest) {
    let sink = under_test.sink();
    let refused = sink.open_part(header(0, 2)).await;
    assert!(
        refused.is_err_and(|error| error.kind() == ErrorKind::InvalidInput),
        "a sink that takes one part refuses a table of two"
    );
}
